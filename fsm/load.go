package fsm

import (
	"encoding/binary"

	"github.com/batonmq/baton/fsm/command"
)

// Reading back what Machine holds in memory. The order is that of Open: each
// step stands on the ones before.

func (m *Machine) loadGroups(from reader) error {
	prefix := []byte{kindGroup}
	return from.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		id, group := binary.BigEndian.Uint32(key[1:]), binary.BigEndian.Uint32(key[5:])
		ch := m.channels[id]
		if ch == nil {
			ch = &channel{id: id}
			m.channels[id] = ch
		}
		ch.turns = append(ch.turns, newTurns(id, group))
		return true, nil
	})
}

func (m *Machine) loadQueues(from reader) error {
	prefix := []byte{kindQueue}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		var row queueRow
		row.read(value)
		m.addQueue(binary.BigEndian.Uint32(key[1:]), row)
		return true, nil
	})
}

func (m *Machine) loadCursors(from reader) error {
	for _, q := range m.queues {
		for _, c := range q.cursors {
			value, found, err := from.Get(keyCursor(nil, c.turns.group, q.id))
			if err != nil {
				return err
			}
			if found {
				c.read(value)
			}
			c.complete = q.enqueued == c.consumed
			c.turns.clock = max(c.turns.clock, c.clock)
		}
	}
	return nil
}

func (m *Machine) loadVoids(from reader) error {
	prefix := []byte{kindVoid}
	return from.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		m.voids[readJobKey(key)] = struct{}{}
		return true, nil
	})
}

func (m *Machine) loadActive(from reader) error {
	prefix := []byte{kindActive}
	var keys []jobKey
	err := from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		j := &job{key: readJobKey(key)}
		j.read(value)
		m.active[j.key] = j
		keys = append(keys, j.key)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := m.loadJob(from, m.active[key]); err != nil {
			return err
		}
	}
	for _, q := range m.queues {
		for _, c := range q.cursors {
			c.turns.place(c)
		}
	}
	return nil
}

// loadJob finds a job's cursor and event. Rows come in key order, so ready
// positions are appended in order.
func (m *Machine) loadJob(from reader, j *job) error {
	j.cursor = m.cursorOf(j.key.queue, j.key.group)
	value, found, err := from.Get(keyEvent(nil, j.key.queue, j.key.position))
	if err != nil {
		return err
	}
	if j.cursor == nil || !found {
		must(errMissing(j.key))
	}
	q := j.cursor.queue
	j.event = readEvent(value, m.eventID(j.key.queue, j.key.position),
		m.names.text(nameChannel, q.channel), m.names.text(nameTenant, q.tenant)).bare()
	if j.state == jobReady {
		j.cursor.ready = append(j.cursor.ready, j.key.position)
	}
	return nil
}

func (m *Machine) loadTimers(from reader) error {
	prefix := []byte{kindTimer}
	return from.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		m.nextDueMS = int64(binary.BigEndian.Uint64(key[1:]))
		return false, nil
	})
}

// started is the state a new leader begins with.
func (m *Machine) started(node string) *Started {
	s := &Started{Node: node, Generation: m.counters.generation}
	for _, j := range m.active {
		if j.state == jobLeased {
			s.Leases = append(s.Leases, Lease{ID: j.leaseID(m), Holder: j.holder, LeaseMS: j.leaseMS})
		}
	}
	for _, ch := range m.channels {
		for _, t := range ch.turns {
			if backlog := m.backlogOf(t); len(backlog.Tenants) > 0 {
				s.Backlogs = append(s.Backlogs, backlog)
			}
		}
	}
	return s
}

func (j *job) leaseID(m *Machine) command.LeaseID {
	return command.LeaseID{
		Event: m.eventID(j.key.queue, j.key.position), Group: j.key.group,
		Attempt: j.attempt, Fence: j.fence,
	}
}
