package fsm

import (
	"cmp"
	"maps"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// Reading back what Machine holds in memory. The order is that of Open: each
// step stands on the ones before.

func (m *Machine) loadGroups(from reader) error {
	prefix := []byte{kindGroup}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		id, group := u32At(key, 1), u32At(key, 5)
		ch := m.channels[id]
		if ch == nil {
			ch = &channel{id: id}
			m.channels[id] = ch
		}
		t := newTurns(id, group)
		t.read(value)
		ch.add(t)
		return true, nil
	})
}

func (m *Machine) loadQueues(from reader) error {
	prefix := []byte{kindQueue}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		var row queueRow
		row.read(value)
		invariants.Check(m.channels[row.channel] != nil, "a sub-queue's channel %d has no group", row.channel)
		m.addQueue(u32At(key, 1), row)
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
			c.restore()
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
	return nil
}

// placeCursors puts those in turn that have work.
func (m *Machine) placeCursors(reader) error {
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
		m.names.text(nameChannel, q.channel), m.names.text(nameTenant, q.tenant))
	j.event.strip()
	if j.state == jobReady || j.state == jobCalled {
		j.cursor.ready = append(j.cursor.ready, j.key.position)
	}
	return nil
}

func (m *Machine) loadTimers(from reader) error {
	for _, prefix := range [][]byte{{kindTimer}, {kindRunTimer}} {
		err := from.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
			m.nextDueMS = min(m.nextDueMS, timerDue(key))
			return false, nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// started is the state a new leader begins with, leases in the order of their
// grants.
func (m *Machine) started(node string) *Started {
	s := &Started{Node: node, Generation: m.counters.generation, Epoch: m.counters.epoch, Relays: m.relays()}
	for _, j := range m.leasesByFence() {
		s.Leases = append(s.Leases, Lease{ID: j.leaseID(m), Holder: j.holder, Tenant: j.event.Tenant, LeaseMS: j.leaseMS})
	}
	for _, id := range slices.Sorted(maps.Keys(m.channels)) {
		for _, t := range m.channels[id].turns {
			if t.total > 0 {
				s.Backlogs = append(s.Backlogs, m.fullBacklog(t))
			}
		}
	}
	for of := range m.bound {
		s.Bound = append(s.Bound, BoundClient{Tenant: m.names.text(nameTenant, of.tenant), ClientID: of.client})
	}
	return s
}

// announceCanceling tells the workers again whose leases were being canceled:
// the former leader may not have come to it.
func (m *Machine) announceCanceling() {
	for _, j := range m.leasesByFence() {
		if j.canceling {
			m.out.Canceling = append(m.out.Canceling, Canceling{
				Lease: j.leaseID(m), Holder: j.holder, Reason: j.reason,
				GraceMS: uint64(max(j.dueMS-m.counters.timeMS, 0)),
			})
		}
	}
}

func (m *Machine) leasesByFence() []*job {
	var leased []*job
	for _, j := range m.active {
		if j.state == jobLeased {
			leased = append(leased, j)
		}
	}
	slices.SortFunc(leased, func(a, b *job) int { return cmp.Compare(a.fence, b.fence) })
	return leased
}

func (j *job) leaseID(m *Machine) command.LeaseID {
	return command.LeaseID{
		Event: m.eventID(j.key.queue, j.key.position), Group: j.key.group,
		Attempt: j.attempt, Fence: j.fence,
	}
}
