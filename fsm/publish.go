package fsm

import (
	"github.com/batonmq/baton/fsm/command"
)

// publish stores an event and puts it in line.
func (m *Machine) publish(c *command.Publish) command.Result {
	if !m.owns(c.Slot) {
		return refuse(command.NoLeader, "the slot is not in this partition; ask again with a newer map")
	}
	e := &event{storedMS: m.counters.timeMS, Event: c.Event}
	tenant := m.intern(nameTenant, e.Tenant, &m.counters.nextTenant)
	mark := m.dedupeMark(tenant, e)
	if earlier, found := m.recall(mark); found {
		return earlier
	}
	if refusal, ok := m.checkSequence(tenant, e); !ok {
		return refusal
	}
	m.store(e)
	m.remember(mark, e)
	return command.Result{Event: e.id, Offset: e.id.Position, CorrelationID: e.CorrelationID}
}

// store gives the event its id, writes it, and puts it in line.
func (m *Machine) store(e *event) {
	q := m.queueOf(e.Channel, e.Tenant, 0)
	e.id = m.eventID(q.id, m.counters.nextPosition)
	m.counters.nextPosition++
	e.deliverMS = dueOf(e, m.counters.timeMS)
	m.set(keyEvent(m.scratch.key[:0], q.id, e.id.Position), e.append(m.scratch.value[:0]))
	m.indexLineage(q.tenant, e)
	m.enqueue(q, e)
}

// dueOf is when an event may be granted, 0 for at once.
func dueOf(e *event, nowMS int64) int64 {
	due := int64(min(e.DeliverAtMS, maxTime))
	if e.DelayMS > 0 {
		due = max(due, nowMS+int64(min(e.DelayMS, maxDelayMS)))
	}
	if due <= nowMS {
		return 0
	}
	return due
}

// indexLineage makes an event findable by a correlation id that a client
// chose. An event under its own id, or emitted in its parent's lineage, needs no
// row: the id leads to the first, the parent's history to the second.
func (m *Machine) indexLineage(tenant uint32, e *event) {
	if e.CorrelationID == "" || !e.parent.IsZero() {
		return
	}
	key := keyLineage(m.scratch.key[:0], tenant, digestOf(e.CorrelationID), e.id.Position)
	m.set(key, appendU32(append(m.scratch.value[:0], rowVersion), e.id.Queue))
}

// checkSequence holds a client to its own count: each event of a (client,
// device, key) is the one after the last.
func (m *Machine) checkSequence(tenant uint32, e *event) (command.Result, bool) {
	if e.ClientSeq == 0 {
		return command.Result{}, true
	}
	of := digestOf(e.ClientID, e.DeviceID, e.Key)
	last := uint64(0)
	if value, found := m.get(keySequence(m.scratch.key[:0], tenant, of)); found {
		r := openRow(value)
		last = r.Uint()
		closeRow(&r)
	}
	if e.ClientSeq != last+1 {
		return refuse(command.Sequence, sequenceMessage(e.ClientSeq, last+1)), false
	}
	m.set(keySequence(m.scratch.key[:0], tenant, of),
		command.AppendUint(append(m.scratch.value[:0], rowVersion), e.ClientSeq))
	return command.Result{}, true
}
