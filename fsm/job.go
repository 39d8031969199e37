package fsm

import (
	"fmt"
	"math"

	"github.com/batonmq/baton/fsm/command"
)

// Limits of time.
const (
	// maxTime is a time that never comes, in Unix milliseconds.
	maxTime = math.MaxInt64
	// maxDelayMS is the longest delay, a year.
	maxDelayMS = 365 * 24 * 3600 * 1000
	// maxRetentionMS is the longest retention, a hundred years.
	maxRetentionMS = 100 * maxDelayMS
	// DefaultRetentionMS is for how long done events are kept where the channel does
	// not say, a week.
	DefaultRetentionMS = 7 * 24 * 3600 * 1000
	// DefaultLeaseMS is a lease's term where neither channel nor worker says,
	// MinLeaseMS and MaxLeaseMS bound what a worker may ask for.
	DefaultLeaseMS = 15_000
	MinLeaseMS     = 100
	MaxLeaseMS     = 12 * 3600 * 1000
)

// job is an event's work in one group while it is leased or ready, in memory.
type job struct {
	jobRow

	key    jobKey
	cursor *cursor
	// event is bare after the entry that granted it: what the worker got as data
	// is in the event's row.
	event *event
	// failure is why it failed last, within the entry.
	failure *jobFailure
}

// use is the event's part in the limit in whose line the job stands, nil for none.
func (j *job) use() *command.Use {
	if j.line == 0 || int64(j.line) > int64(len(j.event.Uses)) {
		return nil
	}
	return &j.event.Uses[j.line-1]
}

func errMissing(key jobKey) error {
	return fmt.Errorf("job %d/%d/%d has no event or no cursor", key.group, key.queue, key.position)
}

// saveActive writes a leased or ready job.
func (m *Machine) saveActive(j *job) {
	m.active[j.key] = j
	m.set(keyJob(m.scratch.key[:0], kindActive, j.key), j.append(m.scratch.value[:0]))
}

// dropActive takes a job out of the active rows, if it is there.
func (m *Machine) dropActive(j *job) {
	if m.active[j.key] == nil {
		return
	}
	delete(m.active, j.key)
	m.remove(keyJob(m.scratch.key[:0], kindActive, j.key))
}

// park moves a job to the parked rows, where all stand that are neither leased
// nor ready.
func (m *Machine) park(j *job) {
	m.dropActive(j)
	m.set(keyJob(m.scratch.key[:0], kindParked, j.key), j.append(m.scratch.value[:0]))
}

// leased finds the job of a lease that is still in force. Without one, the
// second result is the answer: the kept one of an equal command, or lease_lost.
func (m *Machine) leased(id command.LeaseID, how ending) (*job, command.Result) {
	over := lostLease()
	if !m.isHere(id.Event) {
		return nil, over
	}
	j := m.active[jobKey{id.Group, id.Event.Queue, id.Event.Position}]
	if j != nil && j.state == jobLeased && j.fence == id.Fence {
		return j, command.Result{}
	}
	if row, found := m.attempt(id.Event, id.Fence); found && row.how == how {
		return nil, command.Result{Duplicate: true, Events: row.emitted}
	}
	return nil, over
}

func lostLease() command.Result {
	return refuse(command.LeaseLost, "the lease is over: it expired, was ended, or was given to another worker")
}

// foreign tells whether an event is not the tenant's, or is unknown: whoever may act
// for one tenant must not learn which of the two. An empty tenant may act for all.
func (m *Machine) foreign(id command.EventID, tenant string) bool {
	if tenant == "" {
		return false
	}
	q := m.queues[id.Queue]
	return !m.isHere(id) || q == nil || m.names.find(nameTenant, tenant) != q.tenant
}

// isHere tells whether an event's id is of this partition and epoch.
func (m *Machine) isHere(id command.EventID) bool {
	return id.Epoch == m.counters.epoch && uint32(id.Partition) == m.counters.partition
}

// end takes the lease off a job and writes the attempt's history. The caller
// decides where the job goes then.
func (m *Machine) end(j *job, row *attemptRow) {
	row.attempt, row.group, row.worker = j.attempt, j.key.group, j.holder.Worker
	row.node = j.holder.Node
	row.grantedMS, row.endedMS, row.parkedMS = j.grantedMS, m.counters.timeMS, j.parkedMS
	m.stopClock(j)
	m.set(keyAttempt(m.scratch.key[:0], j.key.queue, j.key.position, j.fence), row.append(m.scratch.value[:0]))
	if j.state == jobParked {
		m.unpark(j) // Its worker and its clock were done with it then.
		return
	}
	m.endPlaces(j, row)
	m.gaveBack(j.cursor)
	if m.out.effects {
		lost := row.how == endExpired || row.how == endFenced
		m.out.Ended = append(m.out.Ended, Ended{
			Lease: j.leaseID(m), Holder: j.holder, Lost: lost, Reason: row.how.word(),
		})
	}
	if j.canceling {
		m.remove(keyTimer(m.scratch.key[:0], j.dueMS, j.key))
	}
}

// requeue makes a job ready again at once. Where others stand in line for its places,
// it stands there too, in its place: else the first of them would be called before it.
func (m *Machine) requeue(j *job) {
	j.holder = Holder{}
	if at, why, _ := m.findRoom(j, math.MaxUint64, nil); why != roomy {
		j.line = uint32(at) + 1 //nolint:gosec // Below MaxUses.
		m.enterLine(j)
		return
	}
	j.state = jobReady
	m.saveActive(j)
	m.makeReady(j.cursor, j.key.position)
}

// delay makes a job ready again at dueMS. One that others of its key wait for
// comes no later than its end, so that they need not wait for what has lapsed.
func (m *Machine) delay(j *job, dueMS int64) {
	if end := j.event.endMS(); end < dueMS && m.holdsKey(j.cursor, j.event) {
		dueMS = end
	}
	if dueMS <= m.counters.timeMS {
		m.requeue(j)
		return
	}
	j.state, j.dueMS, j.holder = jobDelayed, dueMS, Holder{}
	m.park(j)
	m.setTimer(j.dueMS, j.key, 0)
}

// bury ends a job for good as dead, canceled or lapsed.
func (m *Machine) bury(j *job, state jobState, reason string) {
	if j.state == jobCalled {
		m.uncall(j)
	}
	j.state, j.reason, j.holder = state, reason, Holder{}
	j.dueMS = m.counters.timeMS
	m.park(j)
	if state == jobDead {
		m.tellDead(j) // Before its lineage may have ended.
	}
	m.finished(j.cursor, j.event, state)
	m.passKey(j.cursor, j.event)
	code, text := state.String(), ""
	if state == jobDead {
		code, text = j.codeOf()
	}
	m.jobBuried(j.cursor, j.event, state, code, text)
	if state == jobDead && m.out.effects {
		word, _ := deadReason(reason)
		m.out.Letters = append(m.out.Letters, LetterChange{j.event.Channel, word})
	}
}
