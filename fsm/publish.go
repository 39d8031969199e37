package fsm

import (
	"cmp"
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// MaxNameBytes bounds what ends up in a row's key: the names of channels,
// tenants, clients and devices. The client protocol allows less.
const MaxNameBytes = 1024

// publish stores an event and puts it in line.
func (m *Machine) publish(c *command.Publish) command.Result {
	if !m.owns(c.Slot) {
		return refuse(command.NoLeader, "the slot is not in this partition; ask again with a newer map")
	}
	if wrong := wrongNames(&c.Event); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	if c.Event.OnEnd != "" && c.Event.ClientID == "" {
		return refuse(command.BadRequest, "on_end notifies the event's client, and the event has none")
	}
	if wrong := wrongTimes(&c.Event, m.counters.timeMS); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	e := &event{storedMS: m.counters.timeMS, whole: true, Event: c.Event}
	// A tenant without an id has no rows yet: it is given one below, when
	// nothing can be refused any more.
	tenant := m.names.find(nameTenant, e.Tenant)
	mark := publishMark(e)
	if answer, found := m.recall(tenant, &mark); found {
		return answer
	}
	sequence, refusal, ok := m.checkSequence(tenant, e)
	if !ok {
		return refusal
	}
	if refusal, refused := m.refuseMore(tenant, c); refused {
		return refusal
	}
	m.store(e)
	m.publishedInto(e)
	if e.CorrelationID != "" {
		m.indexLineage(e)
	}
	m.keepSequence(sequence, e)
	m.remember(&mark, e)
	return command.Result{Event: e.id, Offset: e.id.Position, CorrelationID: e.CorrelationID}
}

// wrongNames says what is wrong with the names that an event would put into
// keys, or with its class; empty when nothing is.
func wrongNames(e *command.Event) string {
	if e.Channel == "" || e.Tenant == "" || e.Key == "" {
		return "the event lacks a channel, tenant or key"
	}
	return cmp.Or(longName(e), wrongPriority(e))
}

// longName says which of an event's names is too long for a key, empty when none is.
func longName(e *command.Event) string {
	switch {
	case len(e.Channel) > MaxNameBytes:
		return tooLong("channel", e.Channel)
	case len(e.Tenant) > MaxNameBytes:
		return tooLong("tenant", e.Tenant)
	case len(e.ClientID) > MaxNameBytes:
		return tooLong("client", e.ClientID)
	default:
		return ""
	}
}

// wrongPriority says what is wrong with an event's class, empty when nothing is.
func wrongPriority(e *command.Event) string {
	if e.Priority > command.MaxPriority {
		return fmt.Sprintf("the event's priority is %d, the highest is %d", e.Priority, command.MaxPriority)
	}
	return ""
}

// wrongTimes says what is wrong with an event that is held back beyond its time
// to live, empty when nothing is.
func wrongTimes(e *command.Event, nowMS int64) string {
	stored := event{Event: *e, storedMS: nowMS}
	if e.TTLMS != 0 && dueOf(e, nowMS) >= stored.endMS() {
		return "the event's ttl_ms is over before its delay_ms or deliver_at"
	}
	return ""
}

func tooLong(what, name string) string {
	return fmt.Sprintf("the %s's name has %d bytes, %d are allowed", what, len(name), MaxNameBytes)
}

// store gives the event its id, writes it, and puts it in line.
func (m *Machine) store(e *event) {
	q := m.queueOf(e.Channel, e.Tenant, e.Priority)
	e.id = m.eventID(q.id, m.counters.nextPosition)
	m.counters.nextPosition++
	e.deliverMS = dueOf(&e.Event, m.counters.timeMS)
	row := e.append(m.scratch.value[:0])
	m.set(keyEvent(m.scratch.key[:0], q.id, e.id.Position), row)
	q.bytes += uint64(len(row))
	m.fresh = append(m.fresh, e)
	m.findRuns(q, e)
	m.enqueue(q, e)
	m.beginCounting(q, e)
	m.beginRuns(q, e)
}

// dueOf is when an event may be granted, 0 for at once.
func dueOf(e *command.Event, nowMS int64) int64 {
	due := int64(min(e.DeliverAtMS, maxTime))
	if e.DelayMS > 0 {
		due = max(due, nowMS+delayMS(e.DelayMS))
	}
	if due <= nowMS {
		return 0
	}
	return due
}

// delayMS is a delay that somebody asked for, bounded.
func delayMS(asked uint64) int64 { return int64(min(asked, maxDelayMS)) }

// indexLineage makes an event findable by a correlation id that is neither its
// own nor its parent's: those lead to it without a row, the first by itself, the
// second through the parent's history.
func (m *Machine) indexLineage(e *event) {
	tenant := m.names.find(nameTenant, e.Tenant)
	key := keyLineage(m.scratch.key[:0], tenant, digestOf(e.CorrelationID), e.id.Position)
	m.set(key, appendU32(append(m.scratch.value[:0], rowVersion), e.id.Queue))
}

// checkSequence holds a client to its own count: each event of a (client,
// device, key) is the one after the last. It returns what keepSequence needs.
func (m *Machine) checkSequence(tenant uint32, e *event) (of digest, refusal command.Result, ok bool) {
	if e.ClientSeq == 0 {
		return of, command.Result{}, true
	}
	of = digestOf(e.ClientID, e.DeviceID, e.Key)
	last := uint64(0)
	if value, found := m.get(keySequence(m.scratch.key[:0], tenant, of)); found {
		r := openRow(value)
		last = r.Uint()
		closeRow(&r)
	}
	if e.ClientSeq != last+1 {
		return of, refuse(command.Sequence, fmt.Sprintf(
			"client_seq is %d, the next of this client, device and key is %d", e.ClientSeq, last+1,
		)), false
	}
	return of, command.Result{}, true
}

func (m *Machine) keepSequence(of digest, e *event) {
	if e.ClientSeq == 0 {
		return
	}
	tenant := m.names.find(nameTenant, e.Tenant)
	m.set(keySequence(m.scratch.key[:0], tenant, of),
		command.AppendUint(append(m.scratch.value[:0], rowVersion), e.ClientSeq))
}
