package fsm

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TestPromises holds random lives of a partition against a model in plain maps.
// The model does not say who is granted what; it says what must hold of it:
//
//   - An event is leased to one worker at a time, never before its time, never
//     again once it is completed, dead or canceled, and fences only grow.
//   - What one worker could complete, nobody else can; a second complete answers
//     as the first did; one whose lease was lost is refused.
//   - Credit that is left over means that nothing waits for it.
//   - The first grants of a sub-queue, of one priority, come in the order of its
//     publishes.
//   - An idempotency key leads to one event, and each client's count has no holes.
//   - Streams are numbered from 1 without holes.
//   - Every event is waiting, delayed, leased, parked, completed, dead, canceled,
//     lapsed or discarded, as the model says: none is lost. One whose time to live is
//     over is not granted.
//   - The dead ones, and no others, are dead letters, however they are paged; one
//     that is redriven waits again, with its own data or what the redrive brought.
//   - A follower gets every event of its channel and tenant, in the order of
//     positions, in pieces of whatever size; a time leads to the first event that is
//     not older; a named follower's offset only grows.
//   - In a channel that is ordered by key, no two events of a key are in work at a
//     time, first grants come in the order of publishes, and nobody waits behind
//     a key that nobody holds.
//   - As many jobs of a limit are in flight as it allows, and nobody stands in a line
//     that does not go on by itself.
//   - A tenant has no more leases than it may.
//   - The events of a fan-out are none of the group default's.
//   - All of this holds of each group by itself, for the events that it has.
//   - What is open of each lineage and client is what the rows of all events say, and
//     a client has no more than it may. Who asked is told of a lineage's end once,
//     when nothing is open; one that was canceled does nothing new until it has ended.
func TestPromises(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		walk(t, newWorld(t, store, group))
	})
}

// TestEquivalence replays one log in other ways: its rows and its chain of
// changes are the same however entries are packed into transactions, wherever a
// replica is restarted or restored from a snapshot, and whether it leads.
func TestEquivalence(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, store, group)
		lives := rapid.SampledFrom([]func(*rapid.T, *world) [][]byte{walk, walkRuns}).Draw(t, "lives")
		entries := lives(t, w)
		replayOtherwise(t, newWorld(t, store, group), w, entries)
	})
}

// walk leads a partition through random entries, checks each against the model,
// and returns them.
func walk(t *rapid.T, w *world) (entries [][]byte) {
	m := newModel(t)
	first := entryOf(command.Header{TimeMS: m.nowMS}, firstLeader(), m.drawConfigure(), &command.ConfigureChannel{
		Channel: fanOut, Settings: command.ChannelSettings{Version: 1, FanOut: true},
	})
	m.expect = nil
	w.apply(true, first)
	m.generation = 1
	entries = append(entries, first)
	steps := rapid.IntRange(1, 25).Draw(t, "entries")
	for step := range steps {
		entry := m.drawEntry()
		entries = append(entries, entry)
		m.check(w.apply(true, entry)[0])
		w.read(func(view *storage.View) {
			open := recount(t, view)
			open.check(t, view)
			m.checkWishes(open)
			checkLimits(t, view)
		})
		checkLimitUse(t, w.machine)
		if rapid.IntRange(0, 5).Draw(t, "reopen") == 0 {
			w.reopen()
		}
		if step == steps-1 || step%8 == 7 {
			w.read(m.checkStates)
			w.read(func(view *storage.View) { m.checkFollowed(view, &m.directory) })
		}
	}
	return entries
}

// modelState is where the model sees an event; the words are those of a lineage.
type modelState string

const (
	waiting   modelState = "waiting"
	delayed   modelState = "delayed"
	leased    modelState = "leased"
	completed modelState = "completed"
	dead      modelState = "dead"
	canceled  modelState = "canceled"
	discarded modelState = "discarded"
	lapsed    modelState = "lapsed"
	parked    modelState = "parked"
	// absent is for the group default in a fan-out.
	absent modelState = "absent"
)

// fanOut is a channel on whose events nobody works as the group default.
const fanOut = "f"

// modelStored is an event as the model knows it, in whatever group.
type modelStored struct {
	id     command.EventID
	fields command.Event
	// deliverMS is when it may be granted at first; late whether that lets later
	// events overtake it.
	deliverMS int64
	late      bool
	// endMS is when its time to live is over, 0 for never.
	endMS int64
}

// modelEvent is an event in one group.
type modelEvent struct {
	*modelStored

	group    string
	state    modelState
	dueMS    int64
	fence    uint64
	failures uint32
	// granted is whether it was ever leased, old whether it is older than its group.
	granted, old bool
	canceling    bool
	// holds is whether it was granted, and has not been dead since: it is in work
	// unless it has ended.
	holds bool
	// stoppedMS is when it was canceled for good.
	stoppedMS int64
	// edited is the data that a redrive brought, empty for none.
	edited string
}

// lease is a grant that was made once, and what became of it.
type modelLease struct {
	id    command.LeaseID
	event *modelEvent
	how   ending
	emits []command.EventID
}

type model struct {
	t          *rapid.T
	nowMS      int64
	generation uint64
	position   uint64
	fence      uint64
	// events are those of the group default by position, groups all others.
	events []*modelEvent
	groups []*modelGroup
	leases []*modelLease
	// dedupe is the first event of an idempotency key, sequences the counts of
	// clients, heads and acked the streams.
	dedupe    map[[3]string]*modelEvent
	stored    map[*modelEvent]int64
	sequences map[[3]string]uint64
	heads     map[modelClient]uint64
	acked     map[modelClient]uint64
	// once is when a request about a dead letter took effect.
	once map[onceKey]int64
	// canceled are the lineages that were canceled and are open, wishes the
	// publishes that want to be told of an end and were not.
	canceled map[modelLineage]bool
	wishes   []*modelEvent
	// orders are the channels' settings.
	orders map[string]*modelOrder
	// quotas are the tenants' settings.
	quotas map[string]command.TenantSettings
	// ended are the fences of leases that ended in the entry under way, offers
	// what it offers.
	ended  []uint64
	offers []command.Offer
	// names are how far the named followers are, touched the sub-queues that the
	// entry under way stores events in.
	names     map[followerKey]uint64
	directory Directory
	touched   map[Stored]bool
	// expect are the checks of the results of the entry under way.
	expect []func(r *command.Result)
}

func newModel(t *rapid.T) *model {
	return &model{
		t: t, nowMS: 1_000_000, dedupe: make(map[[3]string]*modelEvent), stored: make(map[*modelEvent]int64),
		sequences: make(map[[3]string]uint64), heads: make(map[modelClient]uint64), acked: make(map[modelClient]uint64),
		once: make(map[onceKey]int64), canceled: make(map[modelLineage]bool), names: make(map[followerKey]uint64),
		orders: make(map[string]*modelOrder), quotas: make(map[string]command.TenantSettings),
	}
}

// drawEntry makes an entry up, carries its commands out on the model, and keeps
// what their results must be.
func (m *model) drawEntry() []byte {
	m.nowMS += rapid.SampledFrom([]int64{0, 0, 1, 400, 3000, 130_000, 400_000}).Draw(m.t, "elapsed")
	m.ended, m.expect, m.touched = nil, nil, make(map[Stored]bool)
	header := command.Header{TimeMS: m.nowMS, Generation: m.generation}
	var commands []interface{ Append([]byte) []byte }
	for range rapid.SampledFrom([]int{0, 1, 1, 3, 8}).Draw(m.t, "commands") {
		commands = append(commands, m.drawCommand())
	}
	// At the end, where it is known what it finds.
	if len(m.events) > 0 && rapid.IntRange(0, 5).Draw(m.t, "cancel lineage") == 0 {
		commands = append(commands, m.drawCancelLineage())
	}
	m.offers = nil
	for i := range rapid.IntRange(0, 3).Draw(m.t, "offers") {
		m.offers = append(m.offers, command.Offer{
			Channel: rapid.SampledFrom([]string{"a", "a", "b", fanOut, "none"}).Draw(m.t, "channel"),
			Group:   rapid.SampledFrom([]string{DefaultGroup, DefaultGroup, "g", "h", "none"}).Draw(m.t, "group"),
			Tenant:  rapid.SampledFrom([]string{"", "", "t", "u", "nobody"}).Draw(m.t, "tenant"),
			Node:    "n1", Worker: "w", Session: uint64(i),
			Credit: uint32(rapid.IntRange(0, 4).Draw(m.t, "credit")),
		})
	}
	header.Offers = m.offers
	if rapid.IntRange(0, 9).Draw(m.t, "stale") == 0 {
		header.Generation--
	}
	if header.Generation != m.generation {
		m.offers = nil
	}
	m.passTime()
	m.closeLineages()
	return entryOf(header, commands...)
}

func (m *model) drawCommand() interface{ Append([]byte) []byte } {
	kinds := []string{"publish", "publish", "publish", "ack", "rare", "rare", "rare"}
	if len(m.leases) > 0 {
		kinds = append(kinds, "complete", "complete", "complete", "fail", "fail", "release", "expire", "checkpoint", "park")
	}
	if len(m.events) > 0 {
		kinds = append(kinds, "cancel")
	}
	if len(m.everywhere()) > 0 {
		kinds = append(kinds, "redrive", "discard")
	}
	if rapid.IntRange(0, 3).Draw(m.t, "configures") == 0 {
		kinds = append(kinds, "configure")
	}
	switch kind := rapid.SampledFrom(kinds).Draw(m.t, "command"); kind {
	case "publish":
		return m.drawPublish()
	case "cancel":
		return m.drawCancel()
	case "redrive":
		return m.drawRedrive()
	case "discard":
		return m.drawDiscard()
	case "ack":
		return m.drawAck()
	case "rare":
		return m.drawRare()
	case "configure":
		m.accept()
		if rapid.Bool().Draw(m.t, "a tenant") {
			return m.drawTenant()
		}
		return m.drawConfigure()
	default:
		return m.drawEnd(kind)
	}
}

func (m *model) accept() {
	m.expect = append(m.expect, func(r *command.Result) { m.must(r.Reason == command.Done, "accepted: %+v", r) })
}

func (m *model) expectLease(holds bool) {
	m.expect = append(m.expect, func(r *command.Result) {
		m.must((r.Reason == command.Done) == holds && (holds || r.Reason == command.LeaseLost), "lease held %v: %+v", holds, r)
	})
}

func (m *model) must(condition bool, format string, args ...any) { //nolint:revive // It is an assertion.
	m.t.Helper()
	if !condition {
		m.t.Fatalf(format, args...)
	}
}

func (m *model) drawCancel() *command.Cancel {
	e := rapid.SampledFrom(m.events).Draw(m.t, "event")
	c := &command.Cancel{Tenant: e.fields.Tenant, Event: e.id, GraceMS: rapid.SampledFrom([]uint64{0, 300}).Draw(m.t, "grace")}
	if e.id.Queue == 0 { // Stored by this entry: nobody knows its id yet.
		m.expect = append(m.expect, func(r *command.Result) { m.must(r.Reason == command.NotFound, "unknown: %+v", r) })
		return c
	}
	m.accept()
	m.cancel(e, c.GraceMS)
	return c
}

// cancel stops an event in all its groups.
func (m *model) cancel(e *modelEvent, graceMS uint64) {
	for _, e := range m.inGroups(e) {
		switch e.state {
		case waiting, delayed:
			if !e.over(m.nowMS) {
				m.stop(e)
			}
		case parked:
			m.stop(e)
		case leased:
			if !e.canceling {
				e.canceling, e.dueMS = true, m.nowMS+int64(graceMS)
			}
		case completed, dead, canceled, discarded, lapsed, absent:
		}
	}
}

func (m *model) drawAck() *command.Ack {
	tenant := rapid.SampledFrom([]string{"t", "u"}).Draw(m.t, "tenant")
	seq := uint64(rapid.IntRange(1, 6).Draw(m.t, "seq"))
	of := modelClient{tenant, rapid.SampledFrom([]string{"c", "d"}).Draw(m.t, "client")}
	head := m.heads[of]
	m.expect = append(m.expect, func(r *command.Result) {
		m.must((r.Reason == command.Done) == (seq <= head), "ack %d of %d: %+v", seq, head, r)
	})
	if seq <= head {
		m.acked[of] = max(m.acked[of], seq)
	}
	return &command.Ack{Tenant: tenant, ClientID: of.id, Seq: seq}
}

// passTime fires what the entry's time has reached, after its commands.
func (m *model) passTime() {
	for _, e := range m.everywhere() {
		if e.state == parked && e.dueMS <= m.nowMS {
			e.state = waiting
		}
		switch {
		case (e.state == delayed || e.state == waiting) && e.over(m.nowMS):
			e.state = lapsed
		case e.state == delayed && e.dueMS <= m.nowMS:
			e.state = waiting
		case e.state == leased && e.canceling && e.dueMS <= m.nowMS:
			m.stop(e)
			m.ended = append(m.ended, e.fence)
		}
	}
	m.inheritCancels()
}

// check holds an entry's outcome against the model.
func (m *model) check(out *Outcome) {
	m.must(len(out.Results) == len(m.expect), "%d results of %d commands", len(out.Results), len(m.expect))
	for i, expect := range m.expect {
		expect(&out.Results[i])
	}
	var ended []uint64
	for _, e := range out.Ended {
		ended = append(ended, e.Lease.Fence)
	}
	slices.Sort(ended)
	slices.Sort(m.ended)
	m.must(slices.Equal(ended, m.ended), "leases %v ended, not %v", ended, m.ended)
	for i := range out.Grants {
		m.checkGrant(&out.Grants[i])
	}
	m.checkLeftover(out)
	m.checkEnds(out)
	m.checkStored(out)
}

func (m *model) checkGrant(g *Grant) {
	id := g.Job.Lease
	m.must(id.Fence > m.fence, "fence %d after %d", id.Fence, m.fence)
	m.fence = id.Fence
	e := m.inGroup(m.events[id.Event.Position-1], g.Job.Group)
	m.must(e != nil, "granted %v in %s, which does not have it", id.Event, g.Job.Group)
	m.must(e.id == id.Event, "granted %v, which is %v", id.Event, e.id)
	m.must(e.state == waiting, "granted %v, which is %s", e.id, e.state)
	m.must(string(g.Job.Event.Payload.Bytes) == e.data(), "the data of %v", e.id)
	m.checkOrder(e)
	defer m.checkPlaces(e)
	e.state, e.fence, e.granted, e.holds, e.canceling = leased, id.Fence, true, true, false
	m.leases = append(m.leases, &modelLease{id: id, event: e})
	offer := &m.offers[g.Holder.Session]
	m.must(offer.Channel == e.fields.Channel && offer.Group == e.group && (offer.Tenant == "" || offer.Tenant == e.fields.Tenant),
		"%v in %s went to an offer for %s/%s of %s", e.id, e.group, offer.Channel, offer.Group, offer.Tenant)
	m.must(offer.Credit > 0, "more was granted than offered")
	offer.Credit--
}

// checkLeftover wants credit left over only where nothing waits for it.
func (m *model) checkLeftover(out *Outcome) {
	left := make(map[uint64]uint32)
	for i := range out.Leftover {
		left[out.Leftover[i].Session] = out.Leftover[i].Credit
	}
	for i := range m.offers {
		offer := &m.offers[i]
		m.must(left[uint64(i)] == offer.Credit, "%d left over, not %d", left[uint64(i)], offer.Credit)
		for _, e := range m.everywhere() {
			m.must(offer.Credit == 0 || e.state != waiting || m.isBlocked(e) || e.fields.Channel != offer.Channel || e.group != offer.Group ||
				(offer.Tenant != "" && offer.Tenant != e.fields.Tenant), "credit is left over while %v waits", e.id)
		}
	}
}
