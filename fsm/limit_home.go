package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// A limit is the tenant's in the whole cluster, and a partition decides alone. So each of
// a limit's keys has a home, the partition of its hash, which decides for all: its bound,
// rates and pauses are kept there. Any other partition borrows a permit for each job in its
// line, by a row of its relay, and the home lends as it would give a place to a job of its
// own, in turn with them; what a job costs is lent with its permit. A permit is good for
// one job: its end gives it back, with what became of it, and so does a line that needs it
// no more.
//
// Invariant: at the home, what is in flight there and what is lent is not more than the
// bound; elsewhere, no more is in flight than is borrowed. Relays carry each row once, so
// no permit is lost, or made.

// holdMS is for how long a permit is held that nobody can use: a job that needs those of
// several homes waits for the others meanwhile.
const holdMS = 10_000

// maxBorrowed is for how many jobs of a line permits are asked for at a time.
const maxBorrowed = 16

// homeRow is what a limit's home knows of other partitions. It is in the row only where
// there is something.
type homeRow struct {
	borrowers []borrower
	// wants are the jobs for which permits were asked, those who asked first come first.
	wants []want
}

// borrower is a partition that holds permits.
type borrower struct {
	partition uint32
	lent      uint32
	// old are those that were lent before the limit's last pause.
	old uint32
}

// want is one job of another partition that waits for a permit.
type want struct {
	partition uint32
	use       command.Use
}

// awayRow is what a partition that is not a limit's home holds of it.
type awayRow struct {
	// lent are the permits it holds, those of jobs in flight among them, asked those that
	// it asked for.
	lent, asked uint32
	// stock is what was lent of each unit and is not spent.
	stock []command.UseCost
	// unusedMS is since when some of it is of no use, 0 for not.
	unusedMS int64
}

func (a *awayRow) holdsNothing() bool { return a.lent == 0 && a.asked == 0 && len(a.stock) == 0 }

// away is how many permits a home has lent.
func (h *homeRow) away() (count uint32) {
	for _, b := range h.borrowers {
		count += b.lent
	}
	return count
}

func (h *homeRow) append(dst []byte) []byte {
	dst = command.AppendUint(dst, uint64(len(h.borrowers)))
	for _, b := range h.borrowers {
		for _, v := range []uint32{b.partition, b.lent, b.old} {
			dst = command.AppendUint(dst, uint64(v))
		}
	}
	dst = command.AppendUint(dst, uint64(len(h.wants)))
	for i := range h.wants {
		dst = command.AppendUint(dst, uint64(h.wants[i].partition))
		dst = command.AppendUses(dst, []command.Use{h.wants[i].use})
	}
	return dst
}

// maxWants bounds a row's wants: each other partition asks for a few at a time.
const maxWants = command.Slots * maxBorrowed

func (h *homeRow) read(r *command.Reader) {
	for range r.Count(command.Slots) {
		h.borrowers = append(h.borrowers, borrower{partition: r.Uint32(), lent: r.Uint32(), old: r.Uint32()})
	}
	for range r.Count(maxWants) {
		w := want{partition: r.Uint32()}
		if uses := r.Uses(); len(uses) == 1 {
			w.use = uses[0]
		}
		h.wants = append(h.wants, w)
	}
}

func (a *awayRow) append(dst []byte) []byte {
	dst = command.AppendUint(command.AppendUint(dst, uint64(a.lent)), uint64(a.asked))
	return command.AppendInt(command.AppendCosts(dst, a.stock), a.unusedMS)
}

func (a *awayRow) read(r *command.Reader) {
	a.lent, a.asked, a.stock, a.unusedMS = r.Uint32(), r.Uint32(), r.Costs(), r.Int()
}

// borrowerOf is what a partition holds of a limit whose home is here.
func (h *homeRow) borrowerOf(partition uint32) *borrower {
	at := slices.IndexFunc(h.borrowers, func(b borrower) bool { return b.partition == partition })
	if at < 0 {
		at = len(h.borrowers)
		h.borrowers = append(h.borrowers, borrower{partition: partition})
	}
	return &h.borrowers[at]
}

// homeOf is the partition that is a limit's home, and whether that is another one.
func (m *Machine) homeOf(tenant uint32, name, key string) (target uint32, foreign bool) {
	return m.elsewhere(m.names.text(nameTenant, tenant), name+"/"+key)
}

// addCost and takeCost change an amount in a list that has no zeros.
func addCost(costs []command.UseCost, unit string, amount uint64) []command.UseCost {
	for i := range costs {
		if costs[i].Unit == unit {
			costs[i].Amount += amount
			return costs
		}
	}
	if amount == 0 || len(costs) >= command.MaxRates {
		return costs
	}
	return append(costs, command.UseCost{Unit: unit, Amount: amount})
}

func takeCost(costs []command.UseCost, unit string, amount uint64) []command.UseCost {
	for i := range costs {
		if costs[i].Unit == unit {
			costs[i].Amount -= min(amount, costs[i].Amount)
			if costs[i].Amount == 0 {
				return slices.Delete(costs, i, i+1)
			}
		}
	}
	return costs
}

// stocked is how much of a unit is lent and not spent.
func (a *awayRow) stocked(unit string) uint64 {
	for i := range a.stock {
		if a.stock[i].Unit == unit {
			return a.stock[i].Amount
		}
	}
	return 0
}

// roomAway is roomFirst for a limit whose home is elsewhere. What is missing there comes
// with the home's answer.
func (l *limitRow) roomAway(u *command.Use, nowMS int64) (why obstacle, untilMS int64) {
	if nowMS < l.pausedMS {
		return throttled, l.pausedMS
	}
	if l.inFlight >= l.lent {
		return allTaken, 0
	}
	for i := range u.Rates {
		if unit := u.Rates[i].Unit; l.stocked(unit) < costOf(unit, u.Costs) {
			return allTaken, 0
		}
	}
	return roomy, 0
}

// charge takes what a job costs out of the limit's buckets, or out of what was lent.
func (l *limitRow) charge(u *command.Use, nowMS int64) {
	for at := range u.Rates {
		rate := &u.Rates[at]
		cost := costOf(rate.Unit, u.Costs)
		if l.foreign {
			l.stock = takeCost(l.stock, rate.Unit, cost)
			continue
		}
		b := l.bucket(rate.Unit)
		b.charge(rate, cost, nowMS)
		l.setBucket(b)
	}
}

// lendNext lends a permit for the first that waits for one elsewhere; false where there is
// no room for it.
func (m *Machine) lendNext(l *limit) bool {
	w := &l.wants[0]
	switch why, untilMS := l.roomFirst(&w.use, m.counters.timeMS); why {
	case roomy:
	case throttled, outOfRate:
		m.setLimitTimer(l, untilMS)
		return false
	case allTaken, behindOthers:
		return false
	}
	m.dirtyLimit(l)
	l.borrowerOf(w.partition).lent++
	if l.ramp > 0 {
		l.round++
	}
	l.bounds = boundsOf(&w.use)
	l.charge(&w.use, m.counters.timeMS)
	p := m.permitsFor(l, w.partition)
	p.Count++
	for i := range w.use.Rates {
		unit := w.use.Rates[i].Unit
		p.Refund = addCost(p.Refund, unit, costOf(unit, w.use.Costs))
	}
	l.wants = slices.Delete(l.wants, 0, 1)
	return true
}

// permitsFor are those that the entry sends to a partition.
func (m *Machine) permitsFor(l *limit, partition uint32) *command.RelayedPermits {
	for i := range l.sends {
		if l.sends[i].partition == partition {
			return &l.sends[i].permits
		}
	}
	l.sends = append(l.sends, sentPermits{partition: partition})
	return &l.sends[len(l.sends)-1].permits
}

// sentPermits are what an entry sends to one partition about a limit.
type sentPermits struct {
	partition uint32
	permits   command.RelayedPermits
}

// settlePermits sends what the entry lent, gives back and asks for.
func (m *Machine) settlePermits(l *limit) {
	if l.foreign {
		m.returnUnused(l)
	}
	for i := range l.sends {
		s := &l.sends[i]
		kind := command.RelayLend
		if l.foreign {
			kind = command.RelayReturn
		}
		m.sendPermits(kind, l, s.partition, nil, &s.permits)
	}
	l.sends = nil
	if l.foreign {
		m.borrow(l)
	}
}

func (m *Machine) sendPermits(kind command.RelayKind, l *limit, to uint32, uses []command.Use, permits *command.RelayedPermits) {
	if uses == nil {
		uses = []command.Use{{Limit: l.name, Key: l.key}}
	}
	m.send(to, &command.RelayRow{
		Kind: kind, TimeMS: m.counters.timeMS, Permits: *permits,
		Event: command.Event{Tenant: m.names.text(nameTenant, l.id.tenant), Uses: uses},
	})
}

// returnUnused gives back what was of no use for a while: nobody is in line any more, or
// who is needs more than it is.
func (m *Machine) returnUnused(l *limit) {
	unused, now := l.lent-l.inFlight, m.counters.timeMS
	if unused == 0 && len(l.stock) == 0 {
		l.unusedMS = 0
		return
	}
	if l.unusedMS == 0 {
		l.unusedMS = max(now, 1)
	}
	if now < l.unusedMS+holdMS {
		m.setLimitTimer(l, l.unusedMS+holdMS)
		return
	}
	p := m.permitsFor(l, l.home)
	p.Count += unused
	for i := range l.stock {
		p.Refund = addCost(p.Refund, l.stock[i].Unit, l.stock[i].Amount)
	}
	l.lent, l.stock, l.unusedMS = l.inFlight, nil, 0
}

// giveBack returns the permit of a job that has left a place.
func (m *Machine) giveBack(l *limit, how ending) {
	l.lent--
	p := m.permitsFor(l, l.home)
	p.Count++
	if how == endCompleted {
		p.Completed++
	}
}

// reportUse tells the home what a job used beyond what it declared, or did not use.
func (m *Machine) reportUse(l *limit, unit string, declared, used uint64) {
	p := m.permitsFor(l, l.home)
	if used >= declared {
		p.Charge = addCost(p.Charge, unit, used-declared)
		return
	}
	p.Refund = addCost(p.Refund, unit, declared-used)
}

// isForeign tells whether the home of a limit of which nothing is known here is elsewhere.
func (m *Machine) isForeign(j *job, u *command.Use) bool {
	if m.counters.partitions < 2 {
		return false
	}
	_, foreign := m.homeOf(j.cursor.queue.tenant, u.Limit, u.Key)
	return foreign
}

// borrow asks the home for permits for the first in line, a few at a time.
func (m *Machine) borrow(l *limit) {
	if l.waiting == 0 || l.asked > 0 || l.lent > l.inFlight || m.counters.timeMS < l.pausedMS {
		return
	}
	uses := m.usesInLine(l)
	l.asked = uint32(len(uses)) //nolint:gosec // At most maxBorrowed.
	m.sendPermits(command.RelayBorrow, l, l.home, uses, &command.RelayedPermits{})
}

// usesInLine are the parts in a limit of the first in its line.
func (m *Machine) usesInLine(l *limit) (uses []command.Use) {
	var keys []jobKey
	must(m.tx.Scan(keyInLine(nil, l.id, l.first, 0), after(keyLimitLine(nil, l.id)), func(at, value []byte) (bool, error) {
		keys = append(keys, jobKey{u32At(at, len(at)-4), u32At(openRest(value), 0), u64At(at, len(at)-12)})
		return len(keys) < maxBorrowed, nil
	}))
	for _, key := range keys {
		j := m.readParked(key)
		if j == nil || j.use() == nil {
			must(errMissing(key))
		}
		uses = append(uses, *j.use())
	}
	return uses
}

// wrongPermits says what is wrong with a row about permits.
func (m *Machine) wrongPermits(row *command.RelayRow) string {
	e := &row.Event
	if e.Tenant == "" || len(e.Tenant) > MaxNameBytes || len(e.Uses) == 0 {
		return "it lacks a tenant or limit"
	}
	if row.Kind != command.RelayLend && !m.owns(command.SlotOf(e.Tenant, e.Uses[0].Limit+"/"+e.Uses[0].Key)) {
		return "its limit's home is not in this partition"
	}
	return ""
}

// arrivePermits carries out a row about permits.
func (m *Machine) arrivePermits(row *command.RelayRow, source relaySource) {
	u := &row.Event.Uses[0]
	l := m.limitNamed(m.intern(nameTenant, row.Event.Tenant, &m.counters.nextTenant), u)
	switch row.Kind { //nolint:exhaustive // The others are not about permits.
	case command.RelayBorrow:
		for _, use := range row.Event.Uses {
			l.wants = append(l.wants, want{source.partition, use})
		}
	case command.RelayLend:
		m.lent(l, &row.Permits)
	case command.RelayReturn:
		m.returned(l, source.partition, &row.Permits)
	}
	m.openLimit(l)
}

// lent takes what the home lends.
func (m *Machine) lent(l *limit, p *command.RelayedPermits) {
	l.lent += p.Count
	l.asked -= min(p.Count, l.asked)
	for i := range p.Refund {
		l.stock = addCost(l.stock, p.Refund[i].Unit, p.Refund[i].Amount)
	}
	l.pausedMS = max(l.pausedMS, p.PausedMS)
}

// returned takes back what a partition was lent, and learns what became of it.
func (m *Machine) returned(l *limit, partition uint32, p *command.RelayedPermits) {
	b := l.borrowerOf(partition)
	count := min(p.Count, b.lent)
	b.lent -= count
	old := min(count, b.old)
	b.old -= old
	for i := range count - old {
		if l.ramp > 0 && l.round == 0 {
			break
		}
		l.ended(l.pausedMS, i < p.Completed)
	}
	if b.lent == 0 {
		l.borrowers = slices.DeleteFunc(l.borrowers, func(b borrower) bool { return b.lent == 0 })
	}
	for i := range p.Refund {
		l.settleRate(p.Refund[i], 0, m.counters.timeMS)
	}
	for i := range p.Charge {
		l.settleRate(command.UseCost{Unit: p.Charge[i].Unit}, p.Charge[i].Amount, m.counters.timeMS)
	}
	if p.PausedMS > m.counters.timeMS {
		m.pauseAll(l, p.PausedMS, old < count)
	}
}

// settleRate gives an amount of a unit back, or charges more of it.
func (l *limitRow) settleRate(back command.UseCost, more uint64, nowMS int64) {
	b := l.bucket(back.Unit)
	rate := command.UseRate{Unit: back.Unit, Count: b.count, PerMS: b.perMS}
	b.correct(&rate, back.Amount, more, nowMS)
	l.setBucket(b)
}

// pauseAll pauses a limit at its home, and tells those that hold permits.
func (m *Machine) pauseAll(l *limit, untilMS int64, learned bool) { //nolint:revive // Whether it is news is what it depends on.
	takenMS := l.pausedMS
	if !learned {
		takenMS--
	}
	l.pause(takenMS, untilMS)
	for i := range l.borrowers {
		b := &l.borrowers[i]
		b.old = b.lent
		if p := m.permitsFor(l, b.partition); p.PausedMS < l.pausedMS {
			p.PausedMS = l.pausedMS
		}
	}
}
