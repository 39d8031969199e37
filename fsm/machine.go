package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Machine is one partition's state. It is owned by the goroutine that applies.
type Machine struct {
	counters counters
	// saved is counters as last written, to write the row only when it changed.
	saved counters

	names    names
	queues   map[uint32]*queue
	byName   map[queueName]*queue
	channels map[uint32]*channel
	active   map[jobKey]*job
	voids    map[jobKey]struct{}
	dedupe   dedupe
	// outboxes are the relays to other partitions, by target.
	outboxes map[uint32]*outbox
	// canceled are the lineages that were canceled and are still open.
	canceled map[lineageID]cancelRow
	// workflows are the definitions that runs are started of.
	workflows workflows
	// pausedRuns are the runs that are paused, by position.
	pausedRuns map[uint64]struct{}
	// bound counts the runs of a client that end with its connection.
	bound map[boundClient]int
	// led are the ways of runs that were told.
	led map[ledKey]struct{}
	// limits are what jobs share: see limit.
	limits map[limitID]*limit
	// clocks are calendars of schedules that were read.
	clocks map[clockName]*workflow.Schedule
	// nextDueMS is the earliest timer of a job, nextLimitMS that of a limit, or maxTime
	// when there is none.
	nextDueMS, nextLimitMS int64
	// tenants are those with settings, by id; nextTenantMS is when the next one goes on
	// that its rate holds.
	tenants      map[uint32]*tenant
	nextTenantMS int64

	// What follows is valid during one Apply.
	tx    *storage.Tx
	out   *Outcome
	dirty []*cursor
	noted []*turns
	sent  []*outbox
	// pinned are the definitions whose live runs were counted anew.
	pinned []*definition
	// runs are those that were looked at, by position; changed are those to be written;
	// happened is what is to be worked off.
	runs     map[uint64]*run
	changed  []*run
	happened []*happening
	// childStarts counts the child runs that the entry began, firings the times of
	// schedules that it worked off.
	childStarts, firings int
	// fresh are the events whose bytes are in memory, until the entry's end.
	fresh []*event
	tally tally
	// changedLimits are to be written, openLimits may call somebody out of their lines;
	// calls counts those who were.
	changedLimits, openLimits []*limit
	calls                     int
	limitUse                  LimitUse
	changedTenants            []*tenant
	entry                     command.Entry
	scratch                   scratch
}

// MaxCommandBytes bounds one command, so that no row made of it is larger than
// storage takes. A larger one is refused.
const MaxCommandBytes = 16 << 20

// scratch is the decoded commands and the buffers that Apply uses again.
type scratch struct {
	key, value []byte
	row        []byte
	rows       []command.RelayRow
	publish    command.Publish
	complete   command.Complete
	fail       command.Fail
	release    command.Release
	expire     command.Expire
	ack        command.Ack
	cancel     command.Cancel
	checkpoint command.Checkpoint
	relay      command.Relay
	relayTrim  command.RelayTrim
	start      command.LeaderStart
	redrive    command.Redrive
	discard    command.Discard
	group      command.CreateGroup
	settings   command.ConfigureChannel
	lineage    command.CancelLineage
	follower   command.CommitFollower
	park       command.Park
	broadcast  command.Broadcast
	startRun   command.StartRun
	control    command.ControlRun
	message    command.SendMessage
	left       command.CancelGone
	schedule   command.PutSchedule
	unschedule command.DeleteSchedule
	reschedule command.ControlSchedule
	tenant     command.ConfigureTenant
	definition command.InstallDefinition
	aliases    command.InstallAliases
	gone       command.RemoveDefinition
}

// reader is what both a transaction and a pinned view offer.
type reader interface {
	Get(key []byte) (value []byte, found bool, err error)
	Scan(from, to []byte, fn func(key, value []byte) (bool, error)) error
}

// Open reads back a partition's state: names, queues and what is in flight.
func Open(view *storage.View) (machine *Machine, err error) {
	defer invariants.Recover(&err)
	m := &Machine{
		names:      newNames(),
		queues:     make(map[uint32]*queue),
		byName:     make(map[queueName]*queue),
		channels:   make(map[uint32]*channel),
		active:     make(map[jobKey]*job),
		voids:      make(map[jobKey]struct{}),
		outboxes:   make(map[uint32]*outbox),
		canceled:   make(map[lineageID]cancelRow),
		workflows:  newWorkflows(),
		runs:       make(map[uint64]*run),
		pausedRuns: make(map[uint64]struct{}),
		led:        make(map[ledKey]struct{}),
		bound:      make(map[boundClient]int),
		clocks:     make(map[clockName]*workflow.Schedule),
		limits:     make(map[limitID]*limit),
		tenants:    make(map[uint32]*tenant),
		nextDueMS:  maxTime, nextLimitMS: maxTime, nextTenantMS: maxTime,
	}
	for _, load := range []func(reader) error{
		m.loadCounters, m.loadDedupe, m.names.load, m.loadGroups, m.loadSettings, m.loadBusy, m.loadQueues, m.loadRetained, m.loadCursors,
		m.loadVoids, m.loadActive, m.loadTenants, m.placeCursors, m.loadTimers, m.loadOutboxes, m.loadCanceled, m.loadLimits,
		m.loadDefinitions, m.loadLive, m.loadAliases, m.loadPaused, m.loadBound,
	} {
		if err := load(view); err != nil {
			return nil, fmt.Errorf("read back the partition's state: %w", err)
		}
	}
	return m, nil
}

// Generation is the current leadership, 0 before the first.
func (m *Machine) Generation() uint64 { return m.counters.generation }

// Apply applies one committed entry inside tx and returns its outcome, which
// shares no memory with the Machine but aliases data, so data must not change
// while the outcome is in use. effects asks for what a leader has to act on; a
// follower leaves it out and gets the results only. An entry that cannot be read
// is an invariant: the replica stops. After an error the transaction must be
// discarded, and the Machine is void: Open another one.
func (m *Machine) Apply(tx *storage.Tx, data []byte, effects bool) (outcome *Outcome, err error) {
	defer invariants.Recover(&err)
	if err := m.entry.Decode(data); err != nil {
		invariants.Failf("a committed entry cannot be read: %v", err)
	}
	m.tx, m.calls, m.childStarts, m.firings = tx, 0, 0, 0
	m.out = newOutcome(effects, len(m.entry.Commands))
	m.counters.timeMS = max(m.counters.timeMS, m.entry.TimeMS)
	m.rotateDedupe()
	for _, encoded := range m.entry.Commands {
		m.out.Results = append(m.out.Results, m.execute(encoded))
		m.settleRuns()
	}
	m.fireTimers()
	m.fireLimits()
	m.fireTenants()
	m.sweep()
	m.callLimits()
	m.grantOffers()
	m.settleRuns()
	m.keepLeftover()
	m.writeBack()
	m.strip()
	m.out.NextDueMS, m.out.Limits = m.nextDue(), m.limitUse
	m.tx = nil
	return m.out, nil
}

// execute runs one command. The switch is exhaustive: a kind that this build
// does not know stops the replica.
func (m *Machine) execute(encoded []byte) command.Result { //nolint:revive,funlen // A case for each kind.
	if len(encoded) > MaxCommandBytes {
		return refuse(command.TooLarge, "the command is larger than the state can keep")
	}
	prefix, r := command.ReadPrefix(encoded)
	s := &m.scratch
	switch prefix.Kind {
	case command.KindLeaderStart:
		s.start.Decode(&r)
		return checked(&r, func() command.Result { return m.leaderStart(&s.start) })
	case command.KindPublish:
		s.publish.Decode(&r)
		s.publish.Route = prefix.Route
		return checked(&r, func() command.Result { return m.publish(&s.publish) })
	case command.KindComplete:
		s.complete.Decode(&r)
		return checked(&r, func() command.Result { return m.complete(&s.complete) })
	case command.KindFail:
		s.fail.Decode(&r)
		return checked(&r, func() command.Result { return m.fail(&s.fail) })
	case command.KindRelease:
		s.release.Decode(&r)
		return checked(&r, func() command.Result { return m.release(&s.release) })
	case command.KindExpire:
		s.expire.Decode(&r)
		return checked(&r, func() command.Result { return m.expire(&s.expire) })
	case command.KindAck:
		s.ack.Decode(&r)
		return checked(&r, func() command.Result { return m.ack(&s.ack) })
	case command.KindCancel:
		s.cancel.Decode(&r)
		return checked(&r, func() command.Result { return m.cancel(&s.cancel) })
	case command.KindCheckpoint:
		s.checkpoint.Decode(&r)
		return checked(&r, func() command.Result { return m.checkpoint(&s.checkpoint) })
	case command.KindRelay:
		s.relay.Decode(&r)
		return checked(&r, func() command.Result { return m.relay(&s.relay) })
	case command.KindRelayTrim:
		s.relayTrim.Decode(&r)
		return checked(&r, func() command.Result { return m.relayTrim(&s.relayTrim) })
	case command.KindRedrive:
		s.redrive.Decode(&r)
		return checked(&r, func() command.Result { return m.redrive(&s.redrive) })
	case command.KindDiscard:
		s.discard.Decode(&r)
		return checked(&r, func() command.Result { return m.discard(&s.discard) })
	case command.KindCreateGroup:
		s.group.Decode(&r)
		return checked(&r, func() command.Result { return m.createGroup(&s.group) })
	case command.KindConfigureChannel:
		s.settings.Decode(&r)
		return checked(&r, func() command.Result { return m.configureChannel(&s.settings) })
	case command.KindCancelLineage:
		s.lineage.Decode(&r)
		return checked(&r, func() command.Result { return m.cancelLineage(&s.lineage) })
	case command.KindCommitFollower:
		s.follower.Decode(&r)
		return checked(&r, func() command.Result { return m.commitFollower(&s.follower) })
	case command.KindPark:
		s.park.Decode(&r)
		return checked(&r, func() command.Result { return m.parkLease(&s.park) })
	case command.KindBroadcast:
		s.broadcast.Decode(&r)
		return checked(&r, func() command.Result { return m.broadcast(&s.broadcast) })
	case command.KindConfigureTenant:
		s.tenant.Decode(&r)
		return checked(&r, func() command.Result { return m.configureTenant(&s.tenant) })
	case command.KindInstallDefinition:
		s.definition.Decode(&r)
		return checked(&r, func() command.Result { return m.installDefinition(&s.definition) })
	case command.KindInstallAliases:
		s.aliases.Decode(&r)
		return checked(&r, func() command.Result { return m.installAliases(&s.aliases) })
	case command.KindRemoveDefinition:
		s.gone.Decode(&r)
		return checked(&r, func() command.Result { return m.removeDefinition(&s.gone) })
	case command.KindStartRun:
		s.startRun.Decode(&r)
		s.startRun.Route = prefix.Route
		return checked(&r, func() command.Result { return m.startRun(&s.startRun) })
	case command.KindControlRun:
		s.control.Decode(&r)
		return checked(&r, func() command.Result { return m.controlRun(&s.control) })
	case command.KindCancelGone:
		s.left.Decode(&r)
		return checked(&r, func() command.Result { return m.cancelGone(&s.left) })
	case command.KindSendMessage:
		s.message.Decode(&r)
		s.message.Route = prefix.Route
		return checked(&r, func() command.Result { return m.sendMessage(&s.message) })
	case command.KindPutSchedule:
		s.schedule.Decode(&r)
		s.schedule.Route = prefix.Route
		return checked(&r, func() command.Result { return m.putSchedule(&s.schedule) })
	case command.KindDeleteSchedule:
		s.unschedule.Decode(&r)
		s.unschedule.Route = prefix.Route
		return checked(&r, func() command.Result { return m.deleteSchedule(&s.unschedule) })
	case command.KindControlSchedule:
		s.reschedule.Decode(&r)
		s.reschedule.Route = prefix.Route
		return checked(&r, func() command.Result { return m.controlSchedule(&s.reschedule) })
	case command.KindFormCluster, command.KindAdmitMember, command.KindSetReplicas, command.KindSetChannel,
		command.KindPutTenant, command.KindDeleteTenant, command.KindPutKey, command.KindRevokeKey,
		command.KindPutWorkflow, command.KindSetAlias, command.KindDeleteWorkflow, command.KindSetTenant:
		return refuse(command.BadRequest, "a meta command in a partition's log")
	default:
		invariants.Failf("command kind %d is not known to this build: upgrade the node", prefix.Kind)
		return command.Result{}
	}
}

// checked runs a decoded command, unless its body could not be read: then it
// is refused, on every replica alike.
func checked(r *command.Reader, run func() command.Result) command.Result {
	if err := r.Err(); err != nil {
		return refuse(command.BadRequest, "the command cannot be read: "+err.Error())
	}
	return run()
}

func refuse(reason command.Reason, message string) command.Result {
	return command.Result{Reason: reason, Message: message}
}

// leaderStart begins a generation: offers of the one before are void.
func (m *Machine) leaderStart(c *command.LeaderStart) command.Result {
	counters := &m.counters
	invariants.Check(c.Partition < c.Partitions && c.Partitions <= command.Slots,
		"there is no partition %d of %d", c.Partition, c.Partitions)
	if counters.partitions == 0 {
		counters.partition, counters.partitions, counters.epoch = c.Partition, c.Partitions, c.Epoch
	}
	invariants.Check(counters.partition == c.Partition && counters.partitions == c.Partitions,
		"partition %d of %d got a leader of partition %d of %d",
		counters.partition, counters.partitions, c.Partition, c.Partitions)
	if counters.countedFrom == 0 {
		counters.countedFrom = counters.nextPosition
	}
	if counters.weighedFrom == 0 {
		counters.weighedFrom = counters.nextPosition
	}
	counters.generation++
	if m.out.effects {
		m.out.Started = m.started(c.Node)
		m.announceCanceling()
	}
	return command.Result{Generation: counters.generation}
}

// owns tells whether a slot belongs to this partition.
func (m *Machine) owns(slot uint32) bool {
	return slot < command.Slots && m.counters.partitions > 0 &&
		command.PartitionOf(slot, m.counters.partitions) == m.counters.partition
}

// strip lets go of the events' bytes: what waits or is leased stays in memory
// without them, or a backlog would pin every entry that it came with.
func (m *Machine) strip() {
	for _, e := range m.fresh {
		e.strip()
	}
	clear(m.fresh)
	m.fresh = m.fresh[:0]
}

// writeBack writes the rows that an entry changes at most once.
func (m *Machine) writeBack() {
	m.saveRuns()
	for _, c := range m.dirty {
		c.dirty = false
		m.saveCursor(c)
	}
	m.dirty = m.dirty[:0]
	for _, t := range m.noted {
		m.out.Backlogs = append(m.out.Backlogs, m.backlogOf(t))
	}
	m.noted = m.noted[:0]
	m.saveLimits()
	m.saveTenants()
	m.settleTallies()
	m.saveOutboxes()
	m.savePinned()
	if m.counters != m.saved {
		m.set(keyCounters(m.scratch.key[:0]), m.counters.append(m.scratch.value[:0]))
		m.saved = m.counters
	}
}

func (m *Machine) loadCounters(from reader) error {
	value, found, err := from.Get(keyCounters(nil))
	if err != nil {
		return err
	}
	m.counters = counters{nextPosition: 1, nextFence: 1, nextStream: 1, nextTenant: 1, nextChannel: 1, nextGroup: 1, nextQueue: 1}
	if found {
		m.counters.read(value)
		m.saved = m.counters
	}
	return nil
}

// set, remove, get and scan are the transaction's, with failures as
// invariants: a replica that cannot read or write its rows must not go on.
func (m *Machine) set(key, value []byte) {
	must(m.tx.Set(key, value))
	m.scratch.key, m.scratch.value = key[:0], value[:0]
}

func (m *Machine) remove(key []byte) {
	must(m.tx.Delete(key))
	m.scratch.key = key[:0]
}

func (m *Machine) get(key []byte) ([]byte, bool) {
	value, found, err := m.tx.Get(key)
	must(err)
	m.scratch.key = key[:0]
	return value, found
}

func must(err error) {
	invariants.Check(err == nil, "the partition's rows cannot be used: %v", err)
}
