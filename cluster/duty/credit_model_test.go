package duty

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// account is what a gateway knows of the credit of one registration.
type account struct {
	registration Registration
	lent         uint32
	// back was returned after a recall, jobs came for it.
	back, jobs uint32
}

// creditModel drives a world at random and keeps the books of the gateways.
type creditModel struct {
	*world

	accounts map[loanKey]*account
	events   int
}

func (m *creditModel) open() {
	m.accounts = make(map[loanKey]*account)
	m.took = func(to loanKey) {
		if a := m.accounts[to]; a != nil {
			a.jobs++
		}
	}
	m.returned = func(to loanKey, credit uint32) {
		if a := m.accounts[to]; a != nil {
			a.back += credit
		} else if credit > 0 {
			m.tb.Fatalf("%v never lent, and was returned %d", to, credit)
		}
	}
}

func (m *creditModel) draw(t *rapid.T) loanKey {
	return loanKey{
		rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "node"),
		uint64(rapid.IntRange(1, 3).Draw(t, "subscription")),
	}
}

func (m *creditModel) register(t *rapid.T) {
	key := m.draw(t)
	r := Registration{
		Node: key.node, Subscription: key.subscription, LeaseMS: 1000,
		Group:   rapid.SampledFrom([]string{fsm.DefaultGroup, fsm.DefaultGroup, "g"}).Draw(t, "group"),
		Channel: rapid.SampledFrom([]string{"work", "work", "play"}).Draw(t, "channel"),
		Tenant:  rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "tenant"),
		Credit:  uint32(rapid.IntRange(0, 4).Draw(t, "credit")),
	}
	for _, d := range m.jobs {
		if d.to == key {
			r.Held = append(r.Held, d.job.Lease)
		}
	}
	delete(m.accounts, key) // What Register pushes again is not on the new account.
	m.duty.Register(&r)
	m.accounts[key] = &account{registration: r, lent: r.Credit}
}

func (m *creditModel) lend(t *rapid.T) {
	key, credit := m.draw(t), uint32(rapid.IntRange(1, 4).Draw(t, "credit"))
	if a := m.accounts[key]; a != nil {
		a.lent += credit
	}
	m.duty.Lend(key.node, key.subscription, credit)
}

func (m *creditModel) recall(t *rapid.T) {
	key := m.draw(t)
	m.duty.Recall(key.node, key.subscription, uint32(rapid.IntRange(1, 6).Draw(t, "credit")))
}

func (m *creditModel) unregister(t *rapid.T) {
	key := m.draw(t)
	delete(m.accounts, key)
	m.duty.Unregister(key.node, key.subscription)
}

func (m *creditModel) forget(t *rapid.T) {
	node := m.draw(t).node
	maps.DeleteFunc(m.accounts, func(key loanKey, _ *account) bool { return key.node == node })
	m.duty.Forget(node)
}

// packSome makes an entry of a few commands, some of which will be refused.
func (m *creditModel) packSome(t *rapid.T) {
	var commands []appender
	for range rapid.IntRange(0, 3).Draw(t, "events") {
		m.events++
		e := publish(rapid.SampledFrom([]string{"work", "play"}).Draw(t, "channel"),
			rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "tenant"), fmt.Sprint(m.events))
		if rapid.IntRange(0, 4).Draw(t, "refused") == 0 {
			e.Event.ClientSeq = 1_000_000
		}
		commands = append(commands, e)
	}
	if rapid.IntRange(0, 4).Draw(t, "group") == 0 {
		commands = append(commands, &command.CreateGroup{
			Channel: rapid.SampledFrom([]string{"work", "play"}).Draw(t, "channel"), Group: "g", From: command.FromEarliest,
		})
	}
	before := make(map[*topicBook]uint64)
	for _, topic := range m.duty.mu.credit.topics {
		before[topic] = topic.attached
	}
	m.pack(commands...)
	for _, topic := range m.duty.mu.credit.topics {
		if most := max(before[topic], topic.waiting+topic.fresh); topic.attached > most {
			t.Fatalf("%v: %d attached, with %d waiting and %d fresh", topic.topic, topic.attached, topic.waiting, topic.fresh)
		}
	}
}

func (m *creditModel) complete(t *rapid.T) {
	if len(m.jobs) > 0 {
		at := rapid.IntRange(0, len(m.jobs)-1).Draw(t, "job")
		m.pack(&command.Complete{Lease: m.jobs[at].job.Lease})
	}
}

// audit compares the leader's book with the gateways' accounts and with the
// entries on their way.
func (m *creditModel) audit(t *rapid.T) {
	book := &m.duty.mu.credit
	if len(book.loans) != len(m.accounts) {
		t.Fatalf("%d loans, %d are registered", len(book.loans), len(m.accounts))
	}
	offered := make(map[string]uint32)
	for _, f := range m.flying {
		for i := range f.packed.Offers {
			o := &f.packed.Offers[i]
			offered[fmt.Sprint(o.Node, o.Session, o.Subscription)] += o.Credit
		}
	}
	free, attached := make(map[*topicBook]uint64), make(map[*topicBook]uint64)
	for key, a := range m.accounts {
		l := book.loans[key]
		if here := l.free + l.attached + l.owed; here+a.back+a.jobs != a.lent {
			t.Fatalf("%v lent %d, of which %d came back and %d went into jobs; here are %d free, %d attached, %d owed",
				key, a.lent, a.back, a.jobs, l.free, l.attached, l.owed)
		}
		if flies := offered[fmt.Sprint(key.node, key.subscription, l.ordinal)]; flies != l.attached {
			t.Fatalf("%v: %d attached, %d fly", key, l.attached, flies)
		}
		free[l.topic] += uint64(l.free)
		attached[l.topic] += uint64(l.attached)
	}
	fresh := make(map[topic]uint64)
	for _, f := range slices.Concat(m.flying, m.landed) {
		for _, events := range f.packed.fresh {
			fresh[events.topic] += events.events
		}
	}
	for _, topic := range book.topics {
		if topic.free != free[topic] || topic.attached != attached[topic] || topic.fresh != fresh[topic.topic] {
			t.Fatalf("%v sums to %d free, %d attached, %d fresh; its parts to %d, %d, %d",
				topic.topic, topic.free, topic.attached, topic.fresh, free[topic], attached[topic], fresh[topic.topic])
		}
	}
}

// settled wants that nothing waits while there is credit for it, and that nothing
// is remembered that nobody needs.
func (m *creditModel) settled(t *rapid.T) {
	known := 0
	for _, in := range m.duty.mu.credit.channels {
		known += len(in)
	}
	if known != len(m.duty.mu.credit.topics) {
		t.Fatalf("%d topics are known by channel, of %d", known, len(m.duty.mu.credit.topics))
	}
	for _, topic := range m.duty.mu.credit.topics {
		if len(topic.loans.all) == 0 && topic.waiting == 0 {
			t.Fatalf("%v is remembered for nothing", topic.topic)
		}
		for _, l := range topic.loans.all {
			if topic.useful(l) && l.free > 0 {
				t.Fatalf("%v waits for %v, which has %d free", topic.backlog, l.key, l.free)
			}
		}
	}
}

// TestCreditIsNeverInventedOrLost: whatever gateways lend, recall and forget, and
// however entries end, each credit is free here, attached to an entry on its way,
// owed after a push that failed, a job at the gateway, or back there; and when all
// has come to rest, no work waits for which credit is there.
func TestCreditIsNeverInventedOrLost(t *testing.T) {
	store, group := openStore(t), uint32(0)
	rapid.Check(t, func(t *rapid.T) {
		group++
		m := &creditModel{world: openWorld(t, store, group)}
		m.open()
		m.lead()
		actions := map[string]func(*rapid.T){
			"register": m.register, "lend": m.lend, "recall": m.recall, "unregister": m.unregister, "forget": m.forget,
			"pack": m.packSome, "pack more": m.packSome, "complete": m.complete,
			"land": func(*rapid.T) {
				if len(m.flying) > 0 {
					m.land()
				}
			},
			"answer": func(*rapid.T) {
				if len(m.landed) > 0 {
					m.answer()
				}
			},
			"lose": func(*rapid.T) {
				if len(m.flying) > 0 {
					m.lose()
				}
			},
			"tick":   func(*rapid.T) { m.duty.Tick(m.now) },
			"deafen": func(t *rapid.T) { m.deaf[m.draw(t).node] = true },
			"hear":   func(*rapid.T) { clear(m.deaf) },
			"":       m.audit,
		}
		t.Repeat(actions)
		clear(m.deaf)
		m.rest()
		m.audit(t)
		m.settled(t)
	})
}

// TestPackMeetsDemand: an entry carries as much credit as its own events and the
// backlog can use, from each lender in turn, and no more.
func TestPackMeetsDemand(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n2", 1, 10)) // Neither is near.
	w.duty.Register(lent("n3", 2, 10))
	for _, c := range []struct{ events, want int }{{0, 0}, {1, 1}, {4, 4}, {15, 15}, {3, 0}} {
		var commands []appender
		for range c.events {
			commands = append(commands, publish("work", "t", "x"))
		}
		w.pack(commands...)
		carried := 0
		for _, o := range w.flying[len(w.flying)-1].packed.Offers {
			carried += int(o.Credit)
		}
		if carried != c.want {
			t.Errorf("an entry of %d events carries %d credits, want %d", c.events, carried, c.want)
		}
	}
	for i := range w.flying {
		for _, o := range w.flying[i].packed.Offers {
			if len(w.flying[i].packed.Offers) == 1 && o.Credit > 1 {
				t.Errorf("entry %d takes %d from one lender", i, o.Credit)
			}
		}
	}
	w.rest()
	if got := strings.Count(strings.Join(w.heard, "\n"), " job "); got != 20 {
		t.Errorf("%d jobs for 20 credits", got)
	}
}

// TestOfferNames: an offer says who lends, for whom, and on what terms.
func TestOfferNames(t *testing.T) {
	w := newWorld(t)
	r := lent("n7", 9, 3)
	r.Tenant = "acme"
	w.duty.Register(r)
	w.pack(publish("work", "acme", "x"))
	want := command.Offer{
		Channel: "work", Group: "default", Tenant: "acme", Node: "n7", Worker: "w", Session: 9, Subscription: 1, LeaseMS: 1000, Credit: 1,
	}
	if offers := w.flying[0].packed.Offers; len(offers) != 1 || offers[0] != want {
		t.Errorf("offers are %+v, want %+v", offers, want)
	}
}

// TestPartialBacklog: a partial backlog changes the tenants that it names, a
// whole one replaces all.
func TestPartialBacklog(t *testing.T) {
	b := newCreditBook("n1", 0)
	backlog := func(partial bool, tenants ...fsm.TenantBacklog) fsm.Backlog {
		return fsm.Backlog{Channel: "work", Group: fsm.DefaultGroup, Total: 9, Tenants: tenants, Partial: partial}
	}
	for _, c := range []struct {
		backlog fsm.Backlog
		want    map[string]uint64
	}{
		{backlog(true, fsm.TenantBacklog{Tenant: "a", Waiting: 1}), map[string]uint64{"a": 1}},
		{backlog(false, fsm.TenantBacklog{Tenant: "b", Waiting: 2}, fsm.TenantBacklog{Tenant: "c", Waiting: 3}), map[string]uint64{"b": 2, "c": 3}},
		{backlog(true, fsm.TenantBacklog{Tenant: "d", Waiting: 4}, fsm.TenantBacklog{Tenant: "b"}), map[string]uint64{"c": 3, "d": 4}},
	} {
		b.setBacklog(c.backlog)
		if got := b.topics[topic{"work", fsm.DefaultGroup}].backlog; !maps.Equal(got, c.want) {
			t.Errorf("waiting are %v, want %v", got, c.want)
		}
	}
}

// TestNearCreditComesFirst lends the same from this node and two others: jobs go
// to this node's own gateway, but not when it has less than half as much free.
func TestNearCreditComesFirst(t *testing.T) {
	b := newCreditBook("here", 0)
	for i, node := range []string{"there", "here", "yonder"} {
		b.register(&Registration{Node: node, Subscription: uint64(i), Channel: "work", Group: fsm.DefaultGroup, Credit: 8})
	}
	book := b.topicOf(topic{"work", fsm.DefaultGroup})
	taken := map[string]uint32{}
	for round := range 12 {
		book.fresh++
		for _, offer := range book.meet(nil) {
			taken[offer.Node] += offer.Credit
		}
		if round == 3 && taken["here"] != 4 {
			t.Errorf("the first jobs went to %v", taken)
		}
	}
	if taken["here"] < 4 || taken["there"] == 0 || taken["yonder"] == 0 {
		t.Errorf("12 jobs went to %v", taken)
	}
	b.unregister(loanKey{"here", 1})
	if len(book.near.all) != 0 || len(book.loans.all) != 2 {
		t.Error("a loan that is over is still there")
	}
}

// TestARegistrationIsAnsweredLast: a gateway that is told that its subscription is
// registered has been told of the jobs that it had not got before.
func TestARegistrationIsAnsweredLast(t *testing.T) {
	w := newWorld(t)
	jobs := -1
	w.registered = func(to loanKey) {
		if to == (loanKey{"n2", 1}) {
			jobs = len(w.jobs)
		}
	}
	w.duty.Register(lent("n2", 1, 2))
	w.do(publish("work", "t", "x"), publish("work", "t", "y"))
	if jobs != 0 || len(w.jobs) != 2 {
		t.Fatalf("the registration was answered behind %d jobs, then there were %d", jobs, len(w.jobs))
	}
	w.jobs = nil
	w.lead()
	w.duty.Register(lent("n2", 1, 0))
	if jobs != 2 {
		t.Errorf("a registration is answered behind %d of 2 jobs that are pushed again", jobs)
	}
}
