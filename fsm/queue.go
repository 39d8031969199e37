package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// DefaultGroup is the group that every channel has from its first event.
const DefaultGroup = "default"

// Bounds of the window of upcoming events that a cursor keeps in memory, and of
// the bytes that one refill reads.
const (
	upcomingLimit       = 256
	upcomingRefill      = 128
	upcomingRefillBytes = 256 << 10
)

// queueName is what makes a sub-queue.
type queueName struct{ channel, tenant, class uint32 }

// queue is a sub-queue in memory.
type queue struct {
	queueRow

	id       uint32
	retained retainRow
	// oldestMS is when the oldest event was stored that retention has not passed, 0
	// for not known.
	oldestMS int64
	cursors  []*cursor
	// dirty is whether enqueued changed in this entry: the first cursor's
	// write-back saves the row.
	dirty bool
}

// channel is a channel's groups, each with its fair turns.
type channel struct {
	id       uint32
	turns    []*turns
	settings command.ChannelSettings
	// busy are the holders of keys, by position: see keyLine.
	busy map[keyLine]uint64
}

// cursor is a group's place in a sub-queue, and the work it has waiting there.
type cursor struct {
	cursorRow

	turns *turns
	share *share
	queue *queue
	// ready are the positions below the frontier that wait again, ascending.
	ready []uint64
	// upcoming is a window of the events at the frontier; complete means that
	// nothing lies behind it.
	upcoming []*event
	complete bool
	dirty    bool
	// counted is the waiting work that the turns have counted, waits whether the
	// cursor is among those of its share that wait.
	counted uint64
	waits   bool
}

// waiting is how much work the cursor has for credit.
func (c *cursor) waiting() uint64 {
	return c.queue.enqueued - c.consumed + uint64(len(c.ready))
}

// touch marks the cursor to be written back, and puts it in or out of turn.
func (m *Machine) touch(c *cursor) {
	if !c.dirty {
		c.dirty = true
		m.dirty = append(m.dirty, c)
	}
	c.turns.settle(c)
}

func (m *Machine) saveCursor(c *cursor) {
	if c.queue.dirty {
		c.queue.dirty = false
		m.noteStored(c.queue)
		m.set(keyQueue(m.scratch.key[:0], c.queue.id), c.queue.append(m.scratch.value[:0]))
	}
	m.set(keyCursor(m.scratch.key[:0], c.turns.group, c.queue.id), c.append(m.scratch.value[:0]))
	m.noteBacklog(c)
}

// noteStored tells the leader that a sub-queue has new events.
func (m *Machine) noteStored(q *queue) {
	if m.out.effects {
		m.out.Stored = append(m.out.Stored, Stored{
			Channel: m.names.text(nameChannel, q.channel), Tenant: m.names.text(nameTenant, q.tenant),
		})
	}
}

// queueOf is the sub-queue of a channel, tenant and class, made when new.
func (m *Machine) queueOf(channelName, tenant string, class uint32) *queue {
	name := queueName{
		channel: m.intern(nameChannel, channelName, &m.counters.nextChannel),
		tenant:  m.intern(nameTenant, tenant, &m.counters.nextTenant),
		class:   class,
	}
	if q := m.byName[name]; q != nil {
		return q
	}
	q := m.addQueue(m.counters.nextQueue, queueRow{channel: name.channel, tenant: name.tenant, class: class})
	m.counters.nextQueue++
	q.dirty = true
	return q
}

// addQueue puts a sub-queue in memory, with a cursor for each group of its
// channel.
func (m *Machine) addQueue(id uint32, row queueRow) *queue {
	q := &queue{id: id, queueRow: row}
	m.queues[id] = q
	m.byName[queueName{row.channel, row.tenant, row.class}] = q
	for _, t := range m.channelOf(row.channel).turns {
		c := &cursor{turns: t, queue: q, complete: row.enqueued == 0}
		t.join(c)
		m.joinTenant(c)
		q.cursors = append(q.cursors, c)
	}
	return q
}

// channelOf is a channel in memory; a new one has the default group.
func (m *Machine) channelOf(id uint32) *channel {
	if ch := m.channels[id]; ch != nil {
		return ch
	}
	ch := &channel{id: id}
	m.channels[id] = ch
	group := m.intern(nameGroup, DefaultGroup, &m.counters.nextGroup)
	ch.add(newTurns(id, group))
	m.set(keyGroup(m.scratch.key[:0], id, group), append(m.scratch.value[:0], rowVersion))
	return ch
}

// enqueue adds a stored event to its sub-queue, at the end of every group's
// work.
func (m *Machine) enqueue(q *queue, e *event) {
	q.enqueued++
	q.dirty = true
	for _, c := range q.cursors {
		if m.passesOver(c, e) {
			c.frontier, c.consumed = e.id.Position+1, q.enqueued
			m.touch(c)
			continue
		}
		if c.complete && len(c.upcoming) < upcomingLimit {
			c.upcoming = append(c.upcoming, e)
		} else {
			c.complete = false
		}
		m.touch(c)
	}
}

// passesOver tells whether an event that is stored now is none of the group's: the
// channel is a fan-out, nobody works on it as the group default, or it begins a run. What waited there
// before is still worked on, and what comes meanwhile with it.
func (m *Machine) passesOver(c *cursor, e *event) bool {
	settings := &m.channels[c.turns.channel].settings
	return (settings.FanOut || e.aside) && c.queue.enqueued == c.consumed+1 && c.turns.group == m.names.find(nameGroup, DefaultGroup)
}

// next is the event at the frontier, or nil when the sub-queue is through. It
// reads a window ahead from the rows when memory has none.
func (m *Machine) next(c *cursor) *event {
	if len(c.upcoming) == 0 && !c.complete {
		m.refill(c)
	}
	if len(c.upcoming) == 0 {
		return nil
	}
	return c.upcoming[0]
}

func (m *Machine) refill(c *cursor) {
	c.upcoming, c.complete = nil, true
	q := c.queue
	channelName := m.names.text(nameChannel, q.channel)
	tenant := m.names.text(nameTenant, q.tenant)
	from := keyEvent(nil, q.id, c.frontier)
	size := 0
	must(m.tx.Scan(from, after(keyQueueEvents(q.id)), func(key, value []byte) (bool, error) {
		if len(c.upcoming) == upcomingRefill || size > upcomingRefillBytes {
			c.complete = false
			return false, nil
		}
		size += len(value)
		e := readEvent(value, m.eventID(q.id, u64At(key, 5)), channelName, tenant)
		if m.out.effects {
			e.own()
			m.fresh = append(m.fresh, e)
		} else {
			e.strip()
		}
		c.upcoming = append(c.upcoming, e)
		return true, nil
	}))
}

// advance moves the frontier behind the event that next returned.
func (m *Machine) advance(c *cursor) {
	e := c.upcoming[0]
	c.upcoming[0] = nil
	c.upcoming = c.upcoming[1:]
	c.frontier = e.id.Position + 1
	c.consumed++
	m.touch(c)
}

// makeReady puts a position below the frontier back in line.
func (m *Machine) makeReady(c *cursor, position uint64) {
	at, found := slices.BinarySearch(c.ready, position)
	if !found {
		c.ready = slices.Insert(c.ready, at, position)
	}
	m.touch(c)
}

// unready takes a position out of line again.
func (m *Machine) unready(c *cursor, position uint64) {
	if at, found := slices.BinarySearch(c.ready, position); found {
		c.ready = slices.Delete(c.ready, at, at+1)
	}
	m.touch(c)
}

// cursorOf is the cursor of a group in a sub-queue, or nil.
func (m *Machine) cursorOf(queueID, group uint32) *cursor {
	if q := m.queues[queueID]; q != nil {
		for _, c := range q.cursors {
			if c.turns.group == group {
				return c
			}
		}
	}
	return nil
}

// readStored reads an event's row, or returns nil. The event's bytes are valid
// until the next look-up: see readEvent.
func (m *Machine) readStored(queueID uint32, position uint64) *event {
	q := m.queues[queueID]
	if q == nil {
		return nil
	}
	value, found := m.get(keyEvent(m.scratch.key[:0], queueID, position))
	if !found {
		return nil
	}
	return readEvent(value, m.eventID(queueID, position),
		m.names.text(nameChannel, q.channel), m.names.text(nameTenant, q.tenant))
}

// loadEvent reads an event to keep: bare.
func (m *Machine) loadEvent(queueID uint32, position uint64) *event {
	e := m.readStored(queueID, position)
	if e != nil {
		e.strip()
	}
	return e
}

func (m *Machine) eventID(queueID uint32, position uint64) command.EventID {
	return command.EventID{
		Epoch: m.counters.epoch, Partition: m.counters.number(),
		Queue: queueID, Position: position,
	}
}

func keyQueueEvents(queueID uint32) []byte { return appendU32([]byte{kindEvent}, queueID) }
