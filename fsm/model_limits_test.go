package fsm

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// limitsOfModel are the limits that events of the model take part in.
var limitsOfModel = []command.Use{
	{Limit: "one", MaxInFlight: 1},
	{Limit: "few", Key: "k", MaxInFlight: 2, Adaptive: true},
	{Limit: "rate", Rates: []command.UseRate{{Unit: "calls", Count: 2, PerMS: 1000}}},
	{
		Limit: "tokens", MaxInFlight: 3, Rates: []command.UseRate{{Unit: "tokens", Count: 10, PerMS: 5000}},
		Costs: []command.UseCost{{Unit: "tokens", Amount: 12}},
	},
}

// drawUses are the limits of an event, mostly none.
func drawUses(t *rapid.T) (uses []command.Use) {
	if rapid.IntRange(0, 2).Draw(t, "has uses") > 0 {
		return nil
	}
	for _, u := range limitsOfModel {
		if rapid.IntRange(0, 2).Draw(t, "uses "+u.Limit) == 0 {
			uses = append(uses, u)
		}
	}
	return uses
}

// drawTenant gives a tenant settings.
func (m *model) drawTenant() *command.ConfigureTenant {
	c := &command.ConfigureTenant{Tenant: rapid.SampledFrom([]string{"t", "u", "v"}).Draw(m.t, "tenant")}
	c.Settings = command.TenantSettings{
		Version: m.quotas[c.Tenant].Version + 1, Weight: rapid.SampledFrom([]uint32{0, 50, 300}).Draw(m.t, "weight"),
		MaxInFlight: rapid.SampledFrom([]uint32{0, 1, 3}).Draw(m.t, "in flight"), Rate: rapid.SampledFrom([]uint32{0, 0, 2}).Draw(m.t, "rate"),
	}
	m.quotas[c.Tenant] = c.Settings
	return c
}

func (m *model) leasesOf(tenant string) (count uint32) {
	for _, e := range m.everywhere() {
		if e.state == leased && e.fields.Tenant == tenant {
			count++
		}
	}
	return count
}

// isHeld tells whether a tenant may wait though there is credit.
func (m *model) isHeld(tenant string) bool {
	s := m.quotas[tenant]
	return s.Rate != 0 || s.MaxInFlight != 0 && m.leasesOf(tenant) >= s.MaxInFlight
}

// checkPlaces wants a granted event to find a place in each of its limits, and of its
// tenant's leases.
func (m *model) checkPlaces(e *modelEvent) {
	if most := m.quotas[e.fields.Tenant].MaxInFlight; most != 0 {
		m.must(m.leasesOf(e.fields.Tenant) <= most, "more than %d of tenant %s are leased", most, e.fields.Tenant)
	}
	for i := range e.fields.Uses {
		u, count := &e.fields.Uses[i], uint32(0)
		for _, other := range m.everywhere() {
			if other.state == leased && other.fields.Tenant == e.fields.Tenant && other.uses(u) {
				count++
			}
		}
		m.must(u.MaxInFlight == 0 || count <= u.MaxInFlight, "%d jobs are in flight of limit %s", count, u.Limit)
	}
}

func (e *modelEvent) uses(u *command.Use) bool {
	return slices.ContainsFunc(e.fields.Uses, func(other command.Use) bool { return other.Limit == u.Limit && other.Key == u.Key })
}

// limitCount is what the rows of jobs say of one limit.
type limitCount struct {
	inFlight uint32
	waiting  uint64
	first    *command.Use
	position uint64
}

// checkLimits holds the rows of limits against those of jobs: who has a place, who stands
// in line, and that nobody stands in a line who could go on.
func checkLimits(t tester, view *storage.View) {
	t.Helper()
	l := limitRecount{t: t, view: view, counts: make(map[limitID]*limitCount)}
	l.counters = readCounters(t, view)
	for _, kind := range []byte{kindActive, kindParked} {
		check(t, view.Scan([]byte{kind}, after([]byte{kind}), func(key, value []byte) (bool, error) {
			j := &job{key: readJobKey(key)}
			j.read(value)
			l.count(j)
			return true, nil
		}))
	}
	l.checkRows()
}

type limitRecount struct {
	t        tester
	view     *storage.View
	counters counters
	counts   map[limitID]*limitCount
}

func readCounters(t tester, view *storage.View) (c counters) {
	t.Helper()
	value, _, err := view.Get(keyCounters(nil))
	check(t, err)
	c.read(value)
	return c
}

func (l *limitRecount) of(id limitID) *limitCount {
	if l.counts[id] == nil {
		l.counts[id] = &limitCount{}
	}
	return l.counts[id]
}

func (l *limitRecount) count(j *job) {
	var q queueRow
	row, _, err := l.view.Get(keyQueue(nil, j.key.queue))
	check(l.t, err)
	q.read(row)
	value, found, err := l.view.Get(keyEvent(nil, j.key.queue, j.key.position))
	check(l.t, err)
	if !found {
		return
	}
	j.event = readEvent(slices.Clone(value), command.EventID{}, "", "")
	if j.state == jobLeased || j.state == jobCalled {
		for i := range j.event.Uses {
			l.of(limitOf(q.tenant, &j.event.Uses[i])).inFlight++
		}
	}
	if j.state == jobCalled {
		if !l.has(keyTimer(nil, j.dueMS, j.key)) {
			l.t.Fatalf("a called job keeps its places for ever")
		}
	}
	if j.state != jobLimited {
		return
	}
	id := limitOf(q.tenant, j.use())
	if !l.has(keyInLine(nil, id, j.key.position, j.key.group)) {
		l.t.Fatalf("position %d is not in the line in which it stands", j.key.position)
	}
	count := l.of(id)
	count.waiting++
	if count.first == nil || j.key.position < count.position {
		count.first, count.position = j.use(), j.key.position
	}
}

func (l *limitRecount) has(key []byte) bool {
	_, found, err := l.view.Get(key)
	check(l.t, err)
	return found
}

func (l *limitRecount) checkRows() {
	inLine, due, timers := uint64(0), 0, 0
	check(l.t, l.view.Scan([]byte{kindLimit}, after([]byte{kindLimit}), func(key, value []byte) (bool, error) {
		var row limitRow
		row.read(value)
		id := readLimitID(key, 1)
		count := *l.of(id)
		delete(l.counts, id)
		if row.inFlight != count.inFlight || row.waiting != count.waiting {
			l.t.Fatalf("of limit %s %+v is kept, and %+v is so", row.name, row, count)
		}
		if row.dueMS != 0 {
			due++
		}
		inLine += row.waiting
		if row.waiting > 0 {
			l.checkWaits(&row, &count)
		}
		return true, nil
	}))
	if len(l.counts) > 0 {
		l.t.Fatalf("limits without rows: %v", l.counts)
	}
	for _, kind := range []byte{kindInLine, kindLimitTimer} {
		check(l.t, l.view.Scan([]byte{kind}, after([]byte{kind}), func([]byte, []byte) (bool, error) {
			if kind == kindInLine {
				inLine--
			} else {
				timers++
			}
			return true, nil
		}))
	}
	if inLine != 0 || timers != due {
		l.t.Fatalf("%d in lines too few, %d timers for %d limits", inLine, timers, due)
	}
}

// checkWaits wants the first in a line to wait for what will come.
func (l *limitRecount) checkWaits(row *limitRow, count *limitCount) {
	if row.first > count.position {
		l.t.Fatalf("the line of %s begins at %d, position %d stands in it", row.name, row.first, count.position)
	}
	now := l.counters.timeMS
	if row.dueMS != 0 && row.dueMS <= now {
		return // The next entry goes on.
	}
	switch why, untilMS := row.roomFirst(count.first, now); why {
	case roomy:
		l.t.Fatalf("position %d waits for limit %s, which has room", count.position, row.name)
	case allTaken:
		if row.inFlight+row.away()+row.asked+row.lent == 0 {
			l.t.Fatalf("position %d waits for limit %s, which nobody has a place in: %+v", count.position, row.name, row)
		}
	case behindOthers, throttled, outOfRate:
		if row.dueMS == 0 || row.dueMS > untilMS {
			l.t.Fatalf("limit %s has room at %d, and %d is when somebody looks", row.name, untilMS, row.dueMS)
		}
	}
}

// checkLimitUse holds what is told of the use of limits against the limits in memory.
func checkLimitUse(t tester, m *Machine) {
	t.Helper()
	var sum LimitUse
	for _, l := range m.limits {
		sum.InFlight += uint64(l.inFlight)
		sum.Waiting += l.waiting
		if !l.foreign {
			sum.Keys++
		}
		if l.ramp > 0 {
			sum.Paused++
		}
	}
	if m.limitUse != sum {
		t.Fatalf("of limits %+v is told, and %+v is so", m.limitUse, sum)
	}
}
