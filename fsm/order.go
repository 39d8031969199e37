package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// keyLine names the events of one key in one group of a channel: of a channel
// with order by key, one of them at a time is in work, and the others stand in
// line behind it, in the order in which they were stored.
type keyLine struct {
	group, tenant uint32
	of            digest
}

// A key is busy from the first grant of an event until that has ended for good:
// while it is leased, parked, put off, or waits again. Then the first in line has
// it, from before its grant on. Busy keys are in memory, those in line in rows
// only: memory follows what is in work.
//
// What was granted before its channel was ordered holds no key. Where a channel
// is not ordered any more, what is in line still waits for whom it stands behind.

func lineOf(c *cursor, e *event) keyLine {
	return keyLine{group: c.turns.group, tenant: c.queue.tenant, of: digestOf(e.Key)}
}

// takeKey makes the job its key's holder, if the key is not another's. A key of
// a channel without order is everybody's.
func (m *Machine) takeKey(j *job) bool {
	ch := m.channels[j.cursor.turns.channel]
	if ch.settings.Order != command.OrderKey {
		return true
	}
	line := lineOf(j.cursor, j.event)
	if holder, busy := ch.busy[line]; busy {
		return holder == j.key.position
	}
	m.setHolder(ch, line, j.key.position)
	return true
}

// holdsKey tells whether others stand, or would stand, in line behind the job.
func (m *Machine) holdsKey(c *cursor, e *event) bool {
	ch := m.channels[c.turns.channel]
	return len(ch.busy) > 0 && ch.busy[lineOf(c, e)] == e.id.Position
}

func (m *Machine) setHolder(ch *channel, line keyLine, position uint64) {
	if ch.busy == nil {
		ch.busy = make(map[keyLine]uint64)
	}
	ch.busy[line] = position
	m.set(keyBusy(m.scratch.key[:0], ch.id, line), command.AppendUint(append(m.scratch.value[:0], rowVersion), position))
}

// block sets a job aside whose key is another's.
func (m *Machine) block(j *job) {
	if j.state == jobCalled {
		m.uncall(j) // Its channel was ordered since.
	}
	j.state = jobBlocked
	m.park(j)
	key := keyBlocked(m.scratch.key[:0], j.cursor.turns.channel, lineOf(j.cursor, j.event), j.key.position)
	m.set(key, appendU32(append(m.scratch.value[:0], rowVersion), j.key.queue))
}

// unblock takes a job out of its line, for good.
func (m *Machine) unblock(c *cursor, e *event) {
	m.remove(keyBlocked(m.scratch.key[:0], c.turns.channel, lineOf(c, e), e.id.Position))
}

// passKey is called when an event has ended for good in a group. If it held its
// key, the first in line holds it now, and waits for credit.
func (m *Machine) passKey(c *cursor, e *event) {
	ch := m.channels[c.turns.channel]
	if len(ch.busy) == 0 {
		return
	}
	line := lineOf(c, e)
	if ch.busy[line] != e.id.Position {
		return
	}
	queue, position := m.firstBlocked(ch, line)
	if position == 0 {
		delete(ch.busy, line)
		m.remove(keyBusy(m.scratch.key[:0], ch.id, line))
		return
	}
	m.remove(keyBlocked(m.scratch.key[:0], ch.id, line, position))
	m.setHolder(ch, line, position)
	j := m.readParked(jobKey{line.group, queue, position})
	if j == nil || j.state != jobBlocked {
		must(errMissing(jobKey{line.group, queue, position}))
	}
	m.remove(keyJob(m.scratch.key[:0], kindParked, j.key))
	m.requeue(j)
}

// firstBlocked is who is next in line, position 0 for nobody.
func (m *Machine) firstBlocked(ch *channel, line keyLine) (queue uint32, position uint64) {
	from := keyBlocked(nil, ch.id, line, 0)
	must(m.tx.Scan(from, after(from[:len(from)-8]), func(key, value []byte) (bool, error) {
		queue, position = u32At(openRest(value), 0), u64At(key, len(key)-8)
		return false, nil
	}))
	return queue, position
}

// readParked is a job of the parked rows with its event, or nil.
func (m *Machine) readParked(key jobKey) *job {
	value, found := m.get(keyJob(m.scratch.key[:0], kindParked, key))
	if !found {
		return nil
	}
	j := &job{key: key, cursor: m.cursorOf(key.queue, key.group)}
	j.read(value)
	j.event = m.loadEvent(key.queue, key.position)
	if j.cursor == nil || j.event == nil {
		return nil
	}
	return j
}

func (m *Machine) loadBusy(from reader) error {
	prefix := []byte{kindBusy}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		ch := m.channels[u32At(key, 5)]
		invariants.Check(ch != nil && len(key) == busyKeyBytes, "a busy key of %d bytes in a channel that is not known", len(key))
		if ch.busy == nil {
			ch.busy = make(map[keyLine]uint64)
		}
		line := keyLine{group: u32At(key, 1), tenant: u32At(key, 9), of: digest(key[13:])}
		r := openRow(value)
		ch.busy[line] = r.Uint()
		closeRow(&r)
		return true, nil
	})
}
