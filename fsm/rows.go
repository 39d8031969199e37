package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// openRow checks a row's version byte and returns a reader of the rest.
func openRow(value []byte) command.Reader {
	r := command.NewReader(value)
	if version := r.Byte(); version != rowVersion {
		invariants.Failf("a row has version %d, this build knows %d", version, rowVersion)
	}
	return r
}

func closeRow(r *command.Reader) {
	invariants.Check(r.Err() == nil, "a row cannot be read: %v", r.Err())
}

// counters are the numbers of the partition that never go back.
type counters struct {
	epoch, partition, partitions                    uint32
	nextTenant, nextChannel, nextGroup, nextQueue   uint32
	nextPosition, nextFence, nextStream, generation uint64
	timeMS                                          int64
	// dedupeFloor is the first idempotency bucket that is still kept.
	dedupeFloor uint32
	// swept is the last look for what is kept no longer, in intervals; arrivalFloor
	// the first day of arrivals that is still kept.
	swept, arrivalFloor uint32
	// countedFrom is the first position whose event is counted among what is open
	// of its lineage; 0 in a state of a build that did not count.
	countedFrom uint64
	// weighedFrom is the first position whose event's bytes are counted among its
	// tenant's; 0 in a state of a build that did not.
	weighedFrom uint64
	// foreseen is the last position whose event's id was a correlation id before there
	// was an event: see Machine.foresee.
	foreseen uint64
	// definitions is the number of the last version of a workflow that was installed; 0
	// where none was.
	definitions uint32
}

// number is the partition as ids carry it; leaderStart saw that it fits.
func (c *counters) number() uint16 { return uint16(c.partition) } //nolint:gosec // Below command.Slots.

func (c *counters) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	for _, v := range []uint32{c.epoch, c.partition, c.partitions, c.nextTenant, c.nextChannel, c.nextGroup, c.nextQueue} {
		dst = command.AppendUint(dst, uint64(v))
	}
	for _, v := range []uint64{c.nextPosition, c.nextFence, c.nextStream, c.generation} {
		dst = command.AppendUint(dst, v)
	}
	dst = command.AppendInt(dst, c.timeMS)
	for _, v := range []uint32{c.dedupeFloor, c.swept, c.arrivalFloor} {
		dst = command.AppendUint(dst, uint64(v))
	}
	for _, v := range []uint64{c.countedFrom, c.foreseen, c.weighedFrom} {
		dst = command.AppendUint(dst, v)
	}
	return command.AppendUint(dst, uint64(c.definitions))
}

func (c *counters) read(value []byte) {
	r := openRow(value)
	for _, v := range []*uint32{&c.epoch, &c.partition, &c.partitions, &c.nextTenant, &c.nextChannel, &c.nextGroup, &c.nextQueue} {
		*v = r.Uint32()
	}
	for _, v := range []*uint64{&c.nextPosition, &c.nextFence, &c.nextStream, &c.generation} {
		*v = r.Uint()
	}
	c.timeMS = r.Int()
	c.dedupeFloor, c.swept, c.arrivalFloor = r.Uint32(), r.Uint32(), r.Uint32()
	c.countedFrom = r.Uint()
	c.foreseen = r.Uint()
	c.weighedFrom = r.Uint()
	c.definitions = r.Uint32()
	closeRow(&r)
}

// queueRow is what a sub-queue is: the events of one tenant and class in one
// channel.
type queueRow struct {
	channel, tenant, class uint32
	// enqueued counts the events ever stored, bytes those of their rows.
	enqueued, bytes uint64
}

func (q *queueRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendUint(dst, uint64(q.channel))
	dst = command.AppendUint(dst, uint64(q.tenant))
	dst = command.AppendUint(dst, uint64(q.class))
	return command.AppendUint(command.AppendUint(dst, q.enqueued), q.bytes)
}

func (q *queueRow) read(value []byte) {
	r := openRow(value)
	q.channel, q.tenant, q.class = r.Uint32(), r.Uint32(), r.Uint32()
	q.enqueued, q.bytes = r.Uint(), r.Uint()
	closeRow(&r)
}

// cursorRow is where a group stands in a sub-queue.
type cursorRow struct {
	// frontier is the first position not yet granted; below it an event is done
	// unless it has a job row.
	frontier uint64
	// consumed counts the events the frontier has passed.
	consumed uint64
	// pass is the sub-queue's place in the fair turns, clock the group's virtual
	// time at its last turn. See turns.
	pass, clock uint64
	// classPass is the sub-queue's place among those of its tenant, classClock the
	// tenant's virtual time at its last turn. See share. They stand in the row only
	// where the tenant has used several classes.
	classPass, classClock uint64
}

func (c *cursorRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendUint(dst, c.frontier)
	dst = command.AppendUint(dst, c.consumed)
	dst = command.AppendUint(dst, c.pass)
	dst = command.AppendUint(dst, c.clock)
	if c.classPass != 0 || c.classClock != 0 {
		dst = command.AppendUint(command.AppendUint(dst, c.classPass), c.classClock)
	}
	return dst
}

func (c *cursorRow) read(value []byte) {
	r := openRow(value)
	c.frontier, c.consumed, c.pass, c.clock = r.Uint(), r.Uint(), r.Uint(), r.Uint()
	c.classPass, c.classClock = r.Uint(), r.Uint()
	closeRow(&r)
}

// jobState is where a job below the frontier stands.
type jobState uint8

const (
	// jobLeased: a worker holds it.
	jobLeased jobState = 1
	// jobReady: it waits for credit again, before anything at the frontier.
	jobReady jobState = 2
	// jobDelayed: a timer will make it ready.
	jobDelayed jobState = 3
	// jobDead: its retries are over, or it failed for good.
	jobDead jobState = 4
	// jobCanceled: somebody stopped it.
	jobCanceled jobState = 5
	// jobLapsed: its event's time to live was over before it was granted.
	jobLapsed jobState = 6
	// jobBlocked: it stands in line behind another event of its key.
	jobBlocked jobState = 7
	// jobParked: its lease is in force, but no worker holds it.
	jobParked jobState = 8
	// jobLimited: it stands in the line of a limit that it shares with others.
	jobLimited jobState = 9
	// jobCalled: it waits for credit as a ready one does, and has its places in its
	// limits meanwhile.
	jobCalled jobState = 10
	// jobRuns: the event began a run, which goes on.
	jobRuns jobState = 11
	// jobRunFailed: the event began a run, which has ended otherwise than well.
	jobRunFailed jobState = 12
	// jobHeld: its run is paused.
	jobHeld jobState = 13
)

func (s jobState) String() string {
	switch s {
	case jobLeased:
		return "leased"
	case jobReady, jobBlocked, jobLimited, jobCalled, jobHeld:
		return "waiting"
	case jobRuns:
		return "running"
	case jobRunFailed:
		return "failed"
	case jobDelayed:
		return "delayed"
	case jobDead:
		return "dead"
	case jobCanceled:
		return "canceled"
	case jobLapsed:
		return "lapsed"
	case jobParked:
		return endParked
	default:
		return "unknown"
	}
}

// waits tells whether a job may lapse: nobody has it, and it has not ended.
func (s jobState) waits() bool {
	return s == jobReady || s == jobDelayed || s == jobBlocked || s == jobLimited || s == jobCalled || s == jobHeld
}

// Holder names the subscription that holds a lease.
type Holder struct {
	Node         string
	Session      uint64
	Subscription uint32
	// Worker is the name the worker gave itself.
	Worker string
}

// jobRow is one event's work in one group.
type jobRow struct {
	state jobState
	// attempt is the number of the current or last grant; failures and losses
	// count apart how attempts ended.
	attempt, failures, losses uint32
	fence                     uint64
	holder                    Holder
	grantedMS                 int64
	leaseMS                   uint32
	// canceling means that the worker was asked to stop: the next end is final.
	canceling bool
	// dueMS is when a delayed job becomes ready, a canceling one is fenced, a
	// parked one is lost, a called one gives its places back, or a dead, canceled or
	// lapsed one came to its end.
	dueMS int64
	// reason says why a dead or canceled job ended.
	reason     string
	checkpoint []byte
	// edited means that workers get the data of the job's revisionRow. It stands
	// in the row only where it is true.
	edited bool
	// parkedMS is when a parked job was parked, in the row only of such.
	parkedMS int64
	// line is the limit in whose line a limited job stands, by the number of its
	// event's use, from 1. It is in the row only of such.
	line uint32
}

func (j *jobRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion, byte(j.state))
	dst = command.AppendUint(dst, uint64(j.attempt))
	dst = command.AppendUint(dst, uint64(j.failures))
	dst = command.AppendUint(dst, uint64(j.losses))
	dst = command.AppendUint(dst, j.fence)
	dst = appendHolder(dst, &j.holder)
	dst = command.AppendInt(dst, j.grantedMS)
	dst = command.AppendUint(dst, uint64(j.leaseMS))
	dst = command.AppendBool(dst, j.canceling)
	dst = command.AppendInt(dst, j.dueMS)
	dst = command.AppendString(dst, j.reason)
	dst = command.AppendString(dst, j.checkpoint)
	if j.edited || j.parkedMS != 0 || j.line != 0 {
		dst = command.AppendBool(dst, j.edited)
	}
	if j.parkedMS != 0 || j.line != 0 {
		dst = command.AppendInt(dst, j.parkedMS)
	}
	if j.line != 0 {
		dst = command.AppendUint(dst, uint64(j.line))
	}
	return dst
}

// read copies what it keeps.
func (j *jobRow) read(value []byte) {
	r := openRow(value)
	j.state = jobState(r.Byte())
	j.attempt, j.failures, j.losses = r.Uint32(), r.Uint32(), r.Uint32()
	j.fence = r.Uint()
	j.holder = readHolder(&r)
	j.grantedMS = r.Int()
	j.leaseMS = r.Uint32()
	j.canceling = r.Bool()
	j.dueMS = r.Int()
	j.reason = r.String()
	j.checkpoint = append([]byte(nil), r.Bytes()...)
	j.edited = r.Bool()
	j.parkedMS = r.Int()
	j.line = r.Uint32()
	closeRow(&r)
}

func appendHolder(dst []byte, h *Holder) []byte {
	dst = command.AppendString(dst, h.Node)
	dst = command.AppendUint(dst, h.Session)
	dst = command.AppendUint(dst, uint64(h.Subscription))
	return command.AppendString(dst, h.Worker)
}

func readHolder(r *command.Reader) Holder {
	return Holder{Node: r.String(), Session: r.Uint(), Subscription: r.Uint32(), Worker: r.String()}
}
