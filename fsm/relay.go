package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Bounds of a relay: what waits here for one other partition.
const (
	// MaxRelayRows is how many events and notifications may wait for one other
	// partition; a complete that adds to them is refused with 503 overloaded until
	// some have arrived. What is said of lineages (their end, their cancel) is added
	// beyond it: nobody could be refused for it.
	MaxRelayRows = 65_536
	// MaxRelayBytes is how large they may be together. The complete that reaches
	// either limit is still taken, whole.
	MaxRelayBytes = 64 << 20
	// MaxRelayRowBytes is how large one of them may be: it travels in a frame of
	// its own.
	MaxRelayRowBytes = 8 << 20
	// relayRetryMS is when to try again what a full relay refused.
	relayRetryMS = 200
)

// outboxRow is what is known of a relay as a whole.
type outboxRow struct {
	// first is the oldest row that is kept, next the one to be written: numbers
	// begin with 1 and never go back.
	first, next uint64
	// written and trimmed count the bytes of all rows that ever were, and of those
	// before first.
	written, trimmed uint64
}

func (o *outboxRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	for _, v := range []uint64{o.first, o.next, o.written, o.trimmed} {
		dst = command.AppendUint(dst, v)
	}
	return dst
}

func (o *outboxRow) read(value []byte) {
	r := openRow(value)
	for _, v := range []*uint64{&o.first, &o.next, &o.written, &o.trimmed} {
		*v = r.Uint()
	}
	closeRow(&r)
}

// outbox is this partition's relay to one target.
type outbox struct {
	outboxRow

	target uint32
	dirty  bool
}

func (o *outbox) full() bool {
	return o.next-o.first >= MaxRelayRows || o.written-o.trimmed >= MaxRelayBytes
}

func (o *outbox) state() RelayState {
	return RelayState{Target: o.target, First: o.first, Last: o.next - 1, Bytes: o.written - o.trimmed}
}

// elsewhere is the other partition that holds a tenant's key, if another does.
func (m *Machine) elsewhere(tenant, key string) (target uint32, foreign bool) {
	slot := command.SlotOf(tenant, key)
	return command.PartitionOf(slot, m.counters.partitions), !m.owns(slot)
}

// eventRow is an emitted event on its way to another partition. A delay counts
// from now, however long the way is.
func (m *Machine) eventRow(j *job, e *command.Event) command.RelayRow {
	row := command.RelayRow{
		Kind: command.RelayEvent, Event: *e, Parent: j.event.id, TimeMS: m.counters.timeMS, Group: m.groupOf(j),
	}
	row.Event.DelayMS, row.Event.DeliverAtMS = 0, uint64(dueOf(e, m.counters.timeMS)) //nolint:gosec // Due times are not negative.
	return row
}

// notificationRow is a notification on its way to another partition.
func (m *Machine) notificationRow(parent *event, n *command.Notify) command.RelayRow {
	return command.RelayRow{
		Kind: command.RelayNotification, Parent: parent.id, TimeMS: m.counters.timeMS, Name: n.Name,
		Event: command.Event{
			Channel: parent.Channel, Tenant: parent.Tenant, ClientID: clientOf(n, parent),
			CorrelationID: parent.correlationID(), Payload: n.Payload,
		},
	}
}

// refuseRelay is the refusal of a row that its relay cannot take now, or never.
func (m *Machine) refuseRelay(target uint32, row *command.RelayRow) (command.Result, bool) {
	if size := len(m.encodeRow(row)); size > MaxRelayRowBytes {
		return refuse(command.TooLarge, fmt.Sprintf(
			"%d bytes are for another partition in one piece, %d are allowed", size, MaxRelayRowBytes,
		)), true
	}
	if o := m.outboxes[target]; o != nil && o.full() {
		r := refuse(command.Overloaded, fmt.Sprintf("too much is on its way to partition %d already", target))
		r.RetryAfterMS = relayRetryMS
		return r, true
	}
	return command.Result{}, false
}

func (m *Machine) encodeRow(row *command.RelayRow) []byte {
	m.scratch.row = command.AppendRelayRow(m.scratch.row[:0], row)
	return m.scratch.row
}

// send puts a row into the relay to its target.
func (m *Machine) send(target uint32, row *command.RelayRow) {
	o := m.outboxes[target]
	if o == nil {
		o = &outbox{target: target, outboxRow: outboxRow{first: 1, next: 1}}
		m.outboxes[target] = o
	}
	encoded := m.encodeRow(row)
	o.written += uint64(len(encoded))
	value := command.AppendUint(append(m.scratch.value[:0], rowVersion), o.written)
	m.set(keyRelay(m.scratch.key[:0], target, o.next), append(value, encoded...))
	o.next++
	m.touchOutbox(o)
}

func (m *Machine) touchOutbox(o *outbox) {
	if !o.dirty {
		o.dirty = true
		m.sent = append(m.sent, o)
	}
}

// relayTrim deletes rows that their target has applied, if the leader that says
// so is still the leader.
func (m *Machine) relayTrim(c *command.RelayTrim) command.Result {
	if c.Generation != m.counters.generation {
		return refuse(command.NoLeader, "a former leader's trim")
	}
	o := m.outboxes[c.Target]
	if o == nil || c.Through >= o.next {
		return refuse(command.BadRequest, "the relay has no such row yet")
	}
	if c.Through < o.first {
		return command.Result{}
	}
	value, found := m.get(keyRelay(m.scratch.key[:0], c.Target, c.Through))
	invariants.Check(found, "row %d of the relay to partition %d is not there", c.Through, c.Target)
	r := openRow(value)
	o.trimmed = r.Uint()
	closeRow(&r)
	if c.Through-o.first < maxMarksPerAck {
		for number := o.first; number <= c.Through; number++ {
			m.remove(keyRelay(m.scratch.key[:0], c.Target, number))
		}
	} else {
		must(m.tx.DeleteRange(keyRelay(nil, c.Target, o.first), keyRelay(nil, c.Target, c.Through+1)))
	}
	o.first = c.Through + 1
	m.touchOutbox(o)
	return command.Result{}
}

// saveOutboxes writes the relays that the entry changed, and tells of them.
func (m *Machine) saveOutboxes() {
	for _, o := range m.sent {
		o.dirty = false
		m.set(keyOutbox(m.scratch.key[:0], o.target), o.append(m.scratch.value[:0]))
		if m.out.effects {
			m.out.Relays = append(m.out.Relays, o.state())
		}
	}
	m.sent = m.sent[:0]
}

func (m *Machine) loadOutboxes(from reader) error {
	prefix := []byte{kindOutbox}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		o := &outbox{target: u32At(key, 1)}
		o.read(value)
		m.outboxes[o.target] = o
		return true, nil
	})
}

// relays are all relays there are, by target.
func (m *Machine) relays() []RelayState {
	states := make([]RelayState, 0, len(m.outboxes))
	for o := range maps.Values(m.outboxes) {
		states = append(states, o.state())
	}
	slices.SortFunc(states, func(a, b RelayState) int { return cmp.Compare(a.Target, b.Target) })
	return states
}

// ReadRelay reads the encoded rows of the relay to a target from the number from
// on: as many as one command.Relay carries, and one at least where there is one.
func ReadRelay(view *storage.View, target uint32, from uint64) (rows [][]byte, err error) {
	defer invariants.Recover(&err)
	size := 0
	end := after(appendU32([]byte{kindRelay}, target))
	err = view.Scan(keyRelay(nil, target, from), end, func(_, value []byte) (bool, error) {
		r := openRow(value)
		r.Uint()
		closeRow(&r)
		size += len(r.Rest())
		if len(rows) > 0 && size > command.MaxRelayBatchBytes {
			return false, nil
		}
		rows = append(rows, slices.Clone(r.Rest()))
		return len(rows) < command.MaxRelayBatch, nil
	})
	return rows, err
}
