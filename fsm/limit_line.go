package fsm

import "github.com/batonmq/baton/internal/invariants"

// A job that finds no place in one of its limits stands in that limit's line, in rows
// only, and others go on. It stands in one line at a time, in the order in which events
// were stored. When there is room it is called: it has its places then, and waits for
// credit. Were the places not kept for it meanwhile, others that have credit
// would take them before it for ever; were they kept for longer than callMS, a channel without workers would hold
// up all others that share the limit.

// enterLine sets a job aside that finds no place.
func (m *Machine) enterLine(j *job) {
	l := m.limitOfLine(j)
	if l.waiting == 0 || j.key.position < l.first {
		l.first = j.key.position
	}
	l.waiting++
	j.state = jobLimited
	m.park(j)
	key := keyInLine(m.scratch.key[:0], l.id, j.key.position, j.key.group)
	m.set(key, appendU32(append(m.scratch.value[:0], rowVersion), j.key.queue))
	if end := j.event.endMS(); end != maxTime {
		m.setTimer(end, j.key, 0)
	}
	switch why, untilMS := l.roomFirst(j.use(), m.counters.timeMS); why {
	case roomy:
		m.openLimit(l)
	case throttled, outOfRate:
		m.setLimitTimer(l, untilMS)
	case allTaken, behindOthers:
	}
}

// leaveLine takes a job out of its line.
func (m *Machine) leaveLine(j *job) {
	l := m.limitOfLine(j)
	invariants.Check(l.waiting > 0, "more jobs left the line of limit %q than stood in it", l.name)
	l.waiting--
	m.remove(keyInLine(m.scratch.key[:0], l.id, j.key.position, j.key.group))
	j.line = 0
}

// callLimits calls those out of lines for whom there is room now.
func (m *Machine) callLimits() {
	for len(m.openLimits) > 0 {
		l := m.openLimits[0]
		m.openLimits = m.openLimits[1:]
		l.opened = false
		for m.callOne(l) {
		}
	}
	m.openLimits = m.openLimits[:0]
}

// callOne calls the first in a limit's line, and lends a permit to the first elsewhere:
// here and there in turn.
func (m *Machine) callOne(l *limit) bool {
	called := l.waiting > 0 && m.callNext(l)
	return len(l.wants) > 0 && m.lendNext(l) || called
}

// callNext calls the first in a limit's line, or sends it on to another line; false where
// it has to wait.
func (m *Machine) callNext(l *limit) bool {
	if m.calls == maxCalls {
		m.setLimitTimer(l, m.counters.timeMS)
		return false
	}
	m.calls++
	j := m.firstInLine(l)
	if state, reason := m.overBefore(j.cursor, j.event); state != 0 {
		m.leaveLine(j)
		m.bury(j, state, reason)
		return true
	}
	at, why, untilMS := m.findRoom(j, j.key.position, l)
	switch {
	case why == roomy:
		m.leaveLine(j)
		m.call(j)
		return true
	case m.limitFor(j, &j.event.Uses[at]) != l:
		m.leaveLine(j)
		j.line = uint32(at) + 1 //nolint:gosec // Below MaxUses.
		m.enterLine(j)
		return true
	case why == throttled || why == outOfRate:
		m.setLimitTimer(l, untilMS)
	}
	return false
}

// call gives a job its places, and puts it in turn for credit.
func (m *Machine) call(j *job) {
	m.remove(keyJob(m.scratch.key[:0], kindParked, j.key))
	m.take(j)
	j.dueMS = m.counters.timeMS + callMS
	m.setTimer(j.dueMS, j.key, 0)
	j.state = jobCalled
	m.saveActive(j)
	m.makeReady(j.cursor, j.key.position)
}

// stillCalled tells whether a called job may be granted: none of its limits was paused
// since.
func (m *Machine) stillCalled(j *job) bool {
	for i := range j.event.Uses {
		if l := m.limitFor(j, &j.event.Uses[i]); l.pausedMS > j.dueMS-callMS {
			return false
		}
	}
	return true
}

// uncall takes the places off a job that it was called for: it has cost nothing.
func (m *Machine) uncall(j *job) {
	m.remove(keyTimer(m.scratch.key[:0], j.dueMS, j.key))
	for i := range j.event.Uses {
		u := &j.event.Uses[i]
		l := m.touchLimit(j, u)
		for at := range u.Rates {
			if l.foreign {
				l.stock = addCost(l.stock, u.Rates[at].Unit, costOf(u.Rates[at].Unit, u.Costs))
				m.openLimit(l)
				continue
			}
			b := l.bucket(u.Rates[at].Unit)
			b.correct(&u.Rates[at], costOf(b.unit, u.Costs), 0, m.counters.timeMS)
			l.setBucket(b)
		}
	}
	m.leave(j, j.dueMS-callMS, endReleased)
	j.state = jobReady
}

// wakeCalled ends the time for which a called job keeps its places. It waits on without.
func (m *Machine) wakeCalled(j *job) {
	if j.state == jobCalled && j.dueMS <= m.counters.timeMS {
		m.uncall(j)
		m.saveActive(j)
	}
}

// lapseInLine ends a job that stands in line when its event's time to live is over.
func (m *Machine) lapseInLine(j *job) {
	if j.event.lapsed(m.counters.timeMS) {
		m.leaveLine(j)
		m.bury(j, jobLapsed, "")
	}
}

// limitOfLine is the limit in whose line a job stands, or is to stand.
func (m *Machine) limitOfLine(j *job) *limit { return m.touchLimit(j, j.use()) }

// firstInLine is the job that is next in a limit's line.
func (m *Machine) firstInLine(l *limit) *job {
	var key jobKey
	from := keyInLine(nil, l.id, l.first, 0)
	must(m.tx.Scan(from, after(keyLimitLine(nil, l.id)), func(at, value []byte) (bool, error) {
		key = jobKey{u32At(at, len(at)-4), u32At(openRest(value), 0), u64At(at, len(at)-12)}
		return false, nil
	}))
	l.first = key.position
	j := m.readParked(key)
	if j == nil || j.state != jobLimited || j.use() == nil {
		must(errMissing(key))
	}
	return j
}
