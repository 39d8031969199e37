package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// Bounds of limits that jobs share.
const (
	// callMS is for how long a job keeps the places that it was called for out of a line,
	// while no credit has come for it. Then the next in line is called.
	callMS = 2000
	// maxCalls is how many jobs one entry calls out of lines at most: the others are
	// called by the next.
	maxCalls = 512
	// maxLimitTimers is how many limits' timers fire in one entry at most.
	maxLimitTimers = 512
)

// limitID names what jobs share: one key of one of a tenant's limits.
type limitID struct {
	tenant uint32
	of     digest
}

func limitOf(tenant uint32, u *command.Use) limitID {
	return limitID{tenant, digestOf(u.Limit, u.Key)}
}

// limit is what is in use of a limit's key, in memory. A job has a place in each of its
// event's limits while it is leased, and while it is called: from when it left a line
// until its grant. It takes all of them or none. While it is parked or put off it has
// none.
//
// Invariant: there is a limit, and its row, only while somebody has a place in it or
// stands in line for one, or while it must be remembered: it is paused, begins gently
// after a pause, or a rate of it is used up. One that has room for the first in its line
// calls it, or its timer will.
type limit struct {
	limitRow

	id limitID
	// dirty means that the row is to be written, opened that there may be room for the
	// first in line.
	dirty, opened bool
	// home is the partition that is its home, and sends what this entry sends to others.
	home  uint32
	sends []sentPermits
	// counted is its part in the machine's limitUse.
	counted LimitUse
}

// limitRow is the state of a limit's key in a partition.
type limitRow struct {
	homeRow
	awayRow
	// bounds are as the last job had them that took a place.
	bounds

	name, key string
	// inFlight counts the jobs that have a place, waiting those that stand in line; none
	// of them stands before the position first.
	inFlight uint32
	waiting  uint64
	first    uint64
	// window is how many places an adaptive limit has now, in parts of windowUnit; 0 for
	// all of them.
	window uint64
	// pausedMS is until when nobody takes a place, since a job was throttled; then ramp is
	// how many may have one that took it since, 0 for all, and round how many have.
	pausedMS    int64
	ramp, round uint32
	// dueMS is when its timer fires, 0 for none.
	dueMS   int64
	buckets []bucket
	// foreign means that the limit's home is another partition: awayRow is of such, and
	// homeRow of the others.
	foreign bool
}

func (l *limitRow) append(dst []byte) []byte {
	dst = command.AppendString(command.AppendString(append(dst, rowVersion), l.name), l.key)
	dst = command.AppendUint(dst, uint64(l.inFlight))
	dst = command.AppendUint(command.AppendUint(dst, l.waiting), l.first)
	dst = command.AppendBool(command.AppendUint(dst, uint64(l.most)), l.adaptive)
	dst = command.AppendUint(dst, uint64(l.least))
	dst = command.AppendInt(command.AppendUint(dst, l.window), l.pausedMS)
	dst = command.AppendUint(command.AppendUint(dst, uint64(l.ramp)), uint64(l.round))
	dst = command.AppendInt(dst, l.dueMS)
	dst = command.AppendUint(dst, uint64(len(l.buckets)))
	for i := range l.buckets {
		b := &l.buckets[i]
		dst = command.AppendInt(command.AppendString(dst, b.unit), b.fullNS)
		dst = command.AppendUint(command.AppendUint(dst, b.count), b.perMS)
	}
	dst = command.AppendBool(dst, l.foreign)
	switch {
	case l.foreign:
		return l.awayRow.append(dst)
	case len(l.borrowers)+len(l.wants) > 0:
		return l.homeRow.append(dst)
	}
	return dst
}

func (l *limitRow) read(value []byte) {
	r := openRow(value)
	l.name, l.key = r.String(), r.String()
	l.inFlight, l.waiting, l.first = r.Uint32(), r.Uint(), r.Uint()
	l.bounds = bounds{most: r.Uint32(), adaptive: r.Bool(), least: r.Uint32()}
	l.window, l.pausedMS = r.Uint(), r.Int()
	l.ramp, l.round = r.Uint32(), r.Uint32()
	l.dueMS = r.Int()
	for range r.Count(command.MaxRates) {
		l.buckets = append(l.buckets, bucket{unit: r.String(), fullNS: r.Int(), count: r.Uint(), perMS: r.Uint()})
	}
	if l.foreign = r.Bool(); l.foreign {
		l.awayRow.read(&r)
	} else {
		l.homeRow.read(&r)
	}
	closeRow(&r)
}

// obstacle is why a job finds no place in a limit.
type obstacle uint8

const (
	// roomy: it finds one.
	roomy obstacle = 0
	// behindOthers: it stands in line behind others.
	behindOthers obstacle = 1
	// allTaken: as many have a place as may.
	allTaken obstacle = 2
	// throttled: the limit is paused.
	throttled obstacle = 3
	// outOfRate: a rate of it is used up.
	outOfRate obstacle = 4
)

// room tells whether there is a place for a job that stands at a position and, where
// time will make one, when. Of a limit without a row everything is free.
func (l *limitRow) room(u *command.Use, position uint64, nowMS int64) (why obstacle, untilMS int64) {
	if l.waiting > 0 && position >= l.first {
		return behindOthers, 0
	}
	return l.roomFirst(u, nowMS)
}

// roomFirst is room for the first in line.
func (l *limitRow) roomFirst(u *command.Use, nowMS int64) (why obstacle, untilMS int64) {
	switch {
	case l.foreign:
		return l.roomAway(u, nowMS)
	case nowMS < l.pausedMS:
		return throttled, l.pausedMS
	case l.inFlight+l.away() >= l.bound(boundsOf(u)), l.ramp > 0 && l.round >= l.ramp:
		return allTaken, 0
	}
	for i := range u.Rates {
		b := l.bucket(u.Rates[i].Unit)
		untilMS = max(untilMS, b.grantable(&u.Rates[i], u.Costs, nowMS))
	}
	if untilMS > nowMS {
		return outOfRate, untilMS
	}
	return roomy, 0
}

// bucket is what the limit knows of a unit.
func (l *limitRow) bucket(unit string) bucket {
	for i := range l.buckets {
		if l.buckets[i].unit == unit {
			return l.buckets[i]
		}
	}
	return bucket{unit: unit}
}

func (l *limitRow) setBucket(b bucket) {
	for i := range l.buckets {
		if l.buckets[i].unit == b.unit {
			l.buckets[i] = b
			return
		}
	}
	if len(l.buckets) < command.MaxRates {
		l.buckets = append(l.buckets, b)
	}
}

// restMS is from when nothing of a limit is to be remembered that nobody has a place in
// or waits for.
func (l *limitRow) restMS() int64 {
	rest := l.pausedMS
	if l.ramp > 0 || l.window > 0 {
		rest += rememberMS
	}
	for i := range l.buckets {
		rest = max(rest, ceilMS(l.buckets[i].fullNS))
	}
	return rest
}

// limitFor is a limit in memory, nil where nothing is known of it.
func (m *Machine) limitFor(j *job, u *command.Use) *limit {
	return m.limits[limitOf(j.cursor.queue.tenant, u)]
}

// touchLimit is a limit that is about to change.
func (m *Machine) touchLimit(j *job, u *command.Use) *limit {
	return m.limitNamed(j.cursor.queue.tenant, u)
}

func (m *Machine) limitNamed(tenant uint32, u *command.Use) *limit {
	id := limitOf(tenant, u)
	l := m.limits[id]
	if l == nil {
		l = m.newLimit(tenant, u)
	}
	m.dirtyLimit(l)
	return l
}

func (m *Machine) newLimit(tenant uint32, u *command.Use) *limit {
	l := &limit{id: limitOf(tenant, u), limitRow: limitRow{name: u.Limit, key: u.Key}}
	l.home, l.foreign = m.homeOf(tenant, u.Limit, u.Key)
	m.limits[l.id] = l
	return l
}

func (m *Machine) dirtyLimit(l *limit) {
	if !l.dirty {
		l.dirty = true
		m.changedLimits = append(m.changedLimits, l)
	}
}

// openLimit takes note that a limit may have room for the first in its line, here or
// elsewhere: see callLimits.
func (m *Machine) openLimit(l *limit) {
	if l.waiting+uint64(len(l.wants)) > 0 && !l.opened {
		l.opened = true
		m.openLimits = append(m.openLimits, l)
	}
}

// takePlaces gives a job that is about to be granted its places, unless it has them
// since it was called. It returns false where it finds none: then the job's line says in
// which limit.
func (m *Machine) takePlaces(j *job) bool {
	if len(j.event.Uses) == 0 {
		return true
	}
	if j.state == jobCalled {
		if m.stillCalled(j) {
			m.remove(keyTimer(m.scratch.key[:0], j.dueMS, j.key))
			return true
		}
		m.uncall(j)
	}
	if at, why, _ := m.findRoom(j, j.key.position, nil); why != roomy {
		j.line = uint32(at) + 1 //nolint:gosec // Below MaxUses.
		return false
	}
	m.take(j)
	return true
}

// findRoom looks for places in all limits of a job that stands at a position. Without
// them it tells the first one that has none, and why. In the line whose first it is, the
// job need not stand behind others.
func (m *Machine) findRoom(j *job, position uint64, line *limit) (at int, why obstacle, untilMS int64) {
	for at := range j.event.Uses {
		u := &j.event.Uses[at]
		l := m.limitFor(j, u)
		switch l {
		case nil:
			if m.isForeign(j, u) {
				why = allTaken
			}
		case line:
			why, untilMS = l.roomFirst(u, m.counters.timeMS)
		default:
			why, untilMS = l.room(u, position, m.counters.timeMS)
		}
		if why != roomy {
			return at, why, untilMS
		}
	}
	return 0, roomy, 0
}

// take gives a job a place in each of its limits, and charges what it costs.
func (m *Machine) take(j *job) {
	for i := range j.event.Uses {
		u := &j.event.Uses[i]
		l := m.touchLimit(j, u)
		l.inFlight++
		if l.ramp > 0 {
			l.round++
		}
		l.bounds = boundsOf(u)
		l.charge(u, m.counters.timeMS)
	}
}

// leave takes a job's places off it that it has since takenMS.
func (m *Machine) leave(j *job, takenMS int64, how ending) {
	for i := range j.event.Uses {
		l := m.touchLimit(j, &j.event.Uses[i])
		invariants.Check(l.inFlight > 0, "more jobs left limit %q than took a place in it", l.name)
		l.inFlight--
		if l.foreign {
			m.giveBack(l, how)
			continue
		}
		l.ended(takenMS, how == endCompleted)
		m.openLimit(l)
	}
}

// endPlaces is called when a lease ends, with what its worker reported.
func (m *Machine) endPlaces(j *job, row *attemptRow) {
	if len(j.event.Uses) == 0 {
		return
	}
	if row.how == endCompleted {
		m.correct(j, row.usage)
	}
	m.leave(j, j.grantedMS, row.how)
}

// correct charges what a job used beyond what its event declared, or gives back what it
// did not use.
func (m *Machine) correct(j *job, usage []byte) {
	reported := readUsage(usage)
	if len(reported) == 0 {
		return
	}
	m.chargeTurns(j, reported)
	for i := range j.event.Uses {
		u := &j.event.Uses[i]
		for at := range u.Rates {
			rate := &u.Rates[at]
			used, said := reported[rate.Unit]
			if !said || rate.Unit == unitCalls {
				continue
			}
			l := m.touchLimit(j, u)
			if l.foreign {
				m.reportUse(l, rate.Unit, costOf(rate.Unit, u.Costs), used)
				continue
			}
			b := l.bucket(rate.Unit)
			b.correct(rate, costOf(rate.Unit, u.Costs), used, m.counters.timeMS)
			l.setBucket(b)
		}
	}
}

// saveLimits writes the limits that the entry changed, and forgets those of which there
// is nothing to remember.
func (m *Machine) saveLimits() {
	for _, l := range m.changedLimits {
		m.settlePermits(l)
		m.recountUse(l, l.use())
		if l.idle() {
			rest := l.restMS()
			if rest <= m.counters.timeMS {
				m.forgetLimit(l)
				continue
			}
			m.setLimitTimer(l, rest)
		}
		l.dirty = false
		m.set(keyLimit(m.scratch.key[:0], l.id), l.append(m.scratch.value[:0]))
	}
	clear(m.changedLimits)
	m.changedLimits = m.changedLimits[:0]
}

// idle tells whether nobody has a place in a limit, or waits for one.
func (l *limitRow) idle() bool {
	return l.inFlight == 0 && l.waiting == 0 && l.holdsNothing() && len(l.borrowers)+len(l.wants) == 0
}

// use is what is in use of a limit.
func (l *limitRow) use() LimitUse {
	u := LimitUse{InFlight: uint64(l.inFlight), Waiting: l.waiting}
	if !l.foreign {
		u.Keys = 1
	}
	if l.ramp > 0 {
		u.Paused = 1 // Never where the limit is foreign.
	}
	return u
}

// recountUse takes note of what is in use of a limit now.
func (m *Machine) recountUse(l *limit, now LimitUse) {
	sum, before := &m.limitUse, &l.counted
	sum.Keys += now.Keys - before.Keys
	sum.Paused += now.Paused - before.Paused
	sum.InFlight += now.InFlight - before.InFlight
	sum.Waiting += now.Waiting - before.Waiting
	l.counted = now
}

func (m *Machine) forgetLimit(l *limit) {
	m.recountUse(l, LimitUse{})
	delete(m.limits, l.id)
	m.remove(keyLimit(m.scratch.key[:0], l.id))
	if l.dueMS != 0 {
		m.remove(keyLimitTimer(m.scratch.key[:0], l.dueMS, l.id))
	}
}

// costOf is what an event declares to cost of a unit: a call is one where it says nothing.
func costOf(unit string, costs []command.UseCost) uint64 {
	for i := range costs {
		if costs[i].Unit == unit {
			return costs[i].Amount
		}
	}
	if unit == unitCalls {
		return 1
	}
	return 0
}
