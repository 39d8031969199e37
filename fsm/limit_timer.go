package fsm

import "github.com/batonmq/baton/internal/invariants"

// setLimitTimer has a limit looked at again, at a time or before.
func (m *Machine) setLimitTimer(l *limit, dueMS int64) {
	if l.dueMS != 0 && l.dueMS <= dueMS {
		return
	}
	if l.dueMS != 0 {
		m.remove(keyLimitTimer(m.scratch.key[:0], l.dueMS, l.id))
	}
	l.dueMS = dueMS
	m.dirtyLimit(l)
	m.set(keyLimitTimer(m.scratch.key[:0], dueMS, l.id), append(m.scratch.value[:0], rowVersion))
	m.nextLimitMS = min(m.nextLimitMS, dueMS)
}

// fireLimits fires the timers of limits that the entry's time has reached. As with
// those of jobs, nextLimitMS may be early, and is never late.
func (m *Machine) fireLimits() {
	if m.counters.timeMS < m.nextLimitMS {
		return
	}
	var due []limitID
	m.nextLimitMS = maxTime
	prefix := []byte{kindLimitTimer}
	must(m.tx.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		if at := timerDue(key); at > m.counters.timeMS || len(due) == maxLimitTimers {
			m.nextLimitMS = at
			return false, nil
		}
		due = append(due, readLimitID(key, 9))
		return true, nil
	}))
	for _, id := range due {
		l := m.limits[id]
		invariants.Check(l != nil && l.dueMS <= m.counters.timeMS, "a limit's timer fires that is not its own")
		m.remove(keyLimitTimer(m.scratch.key[:0], l.dueMS, id))
		l.dueMS = 0
		m.dirtyLimit(l)
		m.openLimit(l)
	}
}

func (m *Machine) loadLimits(from reader) error {
	prefix := []byte{kindLimit}
	err := from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		l := &limit{id: readLimitID(key, 1)}
		l.read(value)
		l.home, _ = m.homeOf(l.id.tenant, l.name, l.key)
		m.limits[l.id] = l
		m.recountUse(l, l.use())
		return true, nil
	})
	if err != nil {
		return err
	}
	prefix = []byte{kindLimitTimer}
	return from.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		m.nextLimitMS = timerDue(key)
		return false, nil
	})
}

// readLimitID reads a limit's name in a key.
func readLimitID(key []byte, at int) limitID {
	id := limitID{tenant: u32At(key, at)}
	invariants.Check(copy(id.of[:], key[at+4:]) == len(id.of), "a limit's key of %d bytes", len(key))
	return id
}

// nextDue is the earliest of all timers.
func (m *Machine) nextDue() int64 { return min(m.nextDueMS, m.nextLimitMS, m.nextTenantMS) }
