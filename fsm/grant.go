package fsm

import (
	"cmp"

	"github.com/batonmq/baton/fsm/command"
)

// maxGrantSteps bounds how many events one entry looks at for its offers,
// granted or set aside (delayed, voided): what is left waits for the next entry.
const maxGrantSteps = 4096

// lot is the offers of one entry for one group of one channel.
type lot struct {
	turns *turns
	// general may take any tenant's work, special only their own tenant's; each
	// is taken from in turn.
	general []*command.Offer
	special []specialOffer
}

// specialOffer is credit for one tenant's work.
type specialOffer struct {
	*command.Offer

	share *share
}

// grantOffers gives waiting events to the credit that the entry carries, as
// the fair turns say; the groups take turns too, one step each. Offers of an
// older generation are void: their leader can no longer push what they would be
// granted.
func (m *Machine) grantOffers() {
	if len(m.entry.Offers) == 0 || m.entry.Generation != m.counters.generation {
		return
	}
	lots := m.lots()
	for steps, busy := 0, true; busy && steps < maxGrantSteps; {
		busy = false
		for _, l := range lots {
			if c := l.pick(); c != nil {
				m.serve(l, c)
				steps++
				busy = true
			}
		}
	}
	for _, l := range lots {
		l.turns.lot = nil
	}
}

// keepLeftover puts the credit that nothing used into the outcome.
func (m *Machine) keepLeftover() {
	if !m.out.effects {
		return
	}
	for i := range m.entry.Offers {
		if m.entry.Offers[i].Credit > 0 {
			m.out.Leftover = append(m.out.Leftover, m.entry.Offers[i])
		}
	}
}

// lots sorts the entry's offers by group, in the order in which groups come up.
func (m *Machine) lots() []*lot {
	var lots []*lot
	for i := range m.entry.Offers {
		offer := &m.entry.Offers[i]
		t := m.turnsOf(offer.Channel, offer.Group)
		if t == nil || offer.Credit == 0 {
			continue
		}
		if t.lot == nil {
			t.lot = &lot{turns: t}
			lots = append(lots, t.lot)
		}
		if offer.Tenant == "" {
			t.lot.general = append(t.lot.general, offer)
		} else if s := t.shares[m.names.find(nameTenant, offer.Tenant)]; s != nil {
			t.lot.special = append(t.lot.special, specialOffer{offer, s})
		}
	}
	return lots
}

// turnsOf is a group's turns, or nil for a channel that has no event yet.
func (m *Machine) turnsOf(channelName, groupName string) *turns {
	ch := m.channels[m.names.find(nameChannel, channelName)]
	group := m.names.find(nameGroup, groupName)
	if ch == nil || group == 0 {
		return nil
	}
	for _, t := range ch.turns {
		if t.group == group {
			return t
		}
	}
	return nil
}

// pick is the cursor whose turn it is among those somebody offers credit for.
func (l *lot) pick() *cursor {
	if len(l.turns.waiting) == 0 {
		return nil
	}
	if len(l.general) > 0 {
		return l.turns.waiting[0].next()
	}
	var best *share
	for _, offer := range l.special {
		if s := offer.share; s.heapAt >= 0 && (best == nil || s.before(best)) {
			best = s
		}
	}
	if best == nil {
		return nil
	}
	return best.next()
}

// serve grants the cursor's next work, or sets it aside when it cannot be
// granted now.
func (m *Machine) serve(l *lot, c *cursor) {
	if len(c.ready) > 0 {
		m.serveReady(l, c)
	} else {
		m.serveNext(l, c)
	}
	if len(m.openLimits) > 0 {
		m.callLimits()
	}
}

// serveReady is serve for what waits again.
func (m *Machine) serveReady(l *lot, c *cursor) {
	j := m.active[jobKey{c.turns.group, c.queue.id, c.ready[0]}]
	switch state, reason := m.overBefore(c, j.event); {
	case state != 0:
		m.payReady(c, skipCost)
		m.bury(j, state, reason)
	case m.held(c, j.event):
		m.payReady(c, skipCost)
		m.hold(j)
	case !m.takeKey(j):
		m.payReady(c, skipCost)
		m.block(j)
	case !m.takePlaces(j):
		m.payReady(c, skipCost)
		m.enterLine(j)
	default:
		m.payReady(c, turnCost(j.event))
		m.grant(l, c, j)
	}
}

// payReady takes the first position out of line for its turn.
func (m *Machine) payReady(c *cursor, cost uint64) {
	c.turns.pay(c, cost)
	c.ready = c.ready[1:]
	m.touch(c)
}

// serveNext is serve for the event at the frontier.
func (m *Machine) serveNext(l *lot, c *cursor) {
	e := m.next(c)
	if e == nil {
		must(errMissing(jobKey{c.turns.group, c.queue.id, c.frontier}))
	}
	j := &job{key: jobKey{c.turns.group, c.queue.id, e.id.Position}, cursor: c, event: e}
	switch state, reason := m.overBefore(c, e); {
	case m.unvoid(j.key), m.canceledBefore(c, e):
		c.turns.pay(c, skipCost)
		m.advance(c)
	case state != 0:
		m.endWaiting(c, e, state, reason)
		c.turns.pay(c, skipCost)
		m.advance(c)
	case e.deliverMS > m.counters.timeMS:
		j.state, j.dueMS = jobDelayed, e.deliverMS
		m.set(keyJob(m.scratch.key[:0], kindParked, j.key), j.append(m.scratch.value[:0]))
		m.setTimer(j.dueMS, j.key, 0)
		c.turns.pay(c, skipCost)
		m.advance(c)
	case m.held(c, e):
		c.turns.pay(c, skipCost)
		m.advance(c)
		m.hold(j)
	case !m.takeKey(j):
		c.turns.pay(c, skipCost)
		m.advance(c)
		m.block(j)
	case !m.takePlaces(j):
		c.turns.pay(c, skipCost)
		m.advance(c)
		m.enterLine(j)
	default:
		c.turns.pay(c, turnCost(e))
		m.advance(c)
		m.grant(l, c, j)
	}
}

// overBefore is how an event has ended that is about to be granted, 0 where it
// has not: its time to live is over, or its lineage is canceled.
func (m *Machine) overBefore(c *cursor, e *event) (state jobState, reason string) {
	if e.lapsed(m.counters.timeMS) {
		return jobLapsed, ""
	}
	if cancel := m.canceledLineage(c.queue.tenant, e); cancel != nil && !e.Task.Compensates && m.counts(c, e.id.Position) {
		return jobCanceled, cancel.reason
	}
	return 0, ""
}

// endWaiting parks an event for good that no grant has reached in a group.
func (m *Machine) endWaiting(c *cursor, e *event, state jobState, reason string) {
	key := jobKey{c.turns.group, c.queue.id, e.id.Position}
	row := jobRow{state: state, reason: reason, dueMS: m.counters.timeMS}
	m.set(keyJob(m.scratch.key[:0], kindParked, key), row.append(m.scratch.value[:0]))
	m.finished(c, e, state)
	m.jobBuried(c, e, state, state.String(), reason)
}

// unvoid tells whether an event was canceled before its grant, and forgets the
// mark: the frontier passes it now.
func (m *Machine) unvoid(key jobKey) bool {
	if _, void := m.voids[key]; !void {
		return false
	}
	delete(m.voids, key)
	m.remove(keyJob(m.scratch.key[:0], kindVoid, key))
	return true
}

// grant leases the job to the next offer that may have it.
func (m *Machine) grant(l *lot, c *cursor, j *job) {
	offer := l.take(c)
	m.touch(c)
	j.state = jobLeased
	j.attempt++
	j.fence = m.counters.nextFence
	m.counters.nextFence++
	j.holder = Holder{Node: offer.Node, Session: offer.Session, Subscription: offer.Subscription, Worker: offer.Worker}
	j.grantedMS, j.leaseMS = m.counters.timeMS, leaseTerm(cmp.Or(offer.LeaseMS, m.policyOf(j).leaseMS))
	if m.out.effects {
		m.out.Grants = append(m.out.Grants, Grant{Holder: j.holder, Job: m.jobOf(j)})
	}
	m.saveActive(j)
	m.leasedOne(c)
	m.jobGranted(j)
}

func leaseTerm(askedMS uint32) uint32 {
	if askedMS == 0 {
		return DefaultLeaseMS
	}
	return min(max(askedMS, MinLeaseMS), MaxLeaseMS)
}

// take uses one credit: of a special offer first, so that the general ones
// stay free for everybody; the offers of a kind take turns.
func (l *lot) take(c *cursor) *command.Offer {
	for i, special := range l.special {
		if special.share == c.share {
			l.special = useOne(l.special, i, special.Offer)
			return special.Offer
		}
	}
	offer := l.general[0]
	l.general = useOne(l.general, 0, offer)
	return offer
}

// useOne takes one credit from the offer at i, and moves it to the end while it
// has more.
func useOne[T any](offers []T, i int, offer *command.Offer) []T {
	moved := offers[i]
	offer.Credit--
	offers = append(offers[:i], offers[i+1:]...)
	if offer.Credit > 0 {
		offers = append(offers, moved)
	}
	return offers
}

// jobOf is the job as the worker gets it, with the event's data: from memory
// for one that this entry stored or read, else from its row.
func (m *Machine) jobOf(j *job) command.Job {
	e := j.event
	if !e.whole {
		if stored := m.readStored(j.key.queue, j.key.position); stored != nil {
			stored.own()
			e = stored
		}
	}
	if j.edited {
		e = m.revised(j.key, e)
	}
	return command.Job{
		Lease: j.leaseID(m), LeaseMS: j.leaseMS, Group: m.names.text(nameGroup, j.key.group),
		CorrelationID: e.correlationID(), CausationID: e.causationID(),
		Checkpoint: j.checkpoint, Event: e.Event,
		LostWithSocket: m.settingsOf(j).OnDisconnect == command.LostRequeue,
	}
}
