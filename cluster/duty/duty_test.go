package duty

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// TestJobIsPushedWithItsEvent: with credit, the entry that stores an event leases
// it, and the job goes out when the entry is applied.
func TestJobIsPushedWithItsEvent(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.pack(publish("work", "t", "a"), publish("work", "t", "b"))
	w.hears()
	w.land()
	w.hears("n1/1 job a, fence 1", "n1/1 want")
	w.rest()
	w.duty.Lend("n1", 1, 1)
	w.rest()
	w.hears("n1/1 job b, fence 2")
}

// TestWantIsSaidOnce: a subscription without credit is told once that work
// waits, again only after it has lent, and never for work that is not for it.
func TestWantIsSaidOnce(t *testing.T) {
	w := newWorld(t)
	for subscription, tenant := range []string{"", "t", "other"} {
		r := lent("n1", uint64(subscription), 0)
		r.Tenant = tenant
		w.duty.Register(r)
	}
	w.do(publish("work", "t", "a"))
	w.do(publish("work", "t", "b"))
	w.hears("n1/0 want", "n1/1 want")
	w.duty.Lend("n1", 1, 1)
	w.rest()
	w.hears("n1/1 job a, fence 1", "n1/1 want")
	w.deaf["n1"] = true
	w.duty.Register(lent("n1", 3, 0))
	clear(w.deaf)
	w.do(publish("work", "t", "c"))
	w.hears("n1/3 want")
}

// TestOthersCreditIsNoUse: work waits for credit of its own tenant, and gets it
// at once, however much other tenants have lent.
func TestOthersCreditIsNoUse(t *testing.T) {
	w := newWorld(t)
	for subscription, tenant := range []string{"a", "b", "c", "d"} {
		r := lent("n1", uint64(subscription), 5)
		r.Tenant = tenant
		w.duty.Register(r)
	}
	for i, tenant := range []string{"d", "c", "b", "a", "d"} {
		w.do(publish("work", tenant, tenant))
		w.hears(fmt.Sprintf("n1/%d job %s, fence %d", int(tenant[0]-'a'), tenant, i+1))
	}
}

// TestOthersCreditStays: an entry carries no credit for waiting work that cannot
// use it, only for events whose tenants are not known yet.
func TestOthersCreditStays(t *testing.T) {
	w := newWorld(t)
	r := lent("n1", 1, 5)
	r.Tenant = "a"
	w.duty.Register(r)
	w.do(publish("work", "b", "b"))
	w.pack()
	w.pack(publish("work", "a", "a"))
	if len(w.flying[0].packed.Offers) > 0 || len(w.flying[1].packed.Offers) == 0 {
		t.Errorf("an empty entry carries %v, one with an event %v", w.flying[0].packed.Offers, w.flying[1].packed.Offers)
	}
	w.rest()
	w.hears("n1/1 job a, fence 1")
}

// TestLeftoverIsUsed: credit that other tenants' credit kept out of an entry is
// used when that comes back, though the entry changed nothing else.
func TestLeftoverIsUsed(t *testing.T) {
	w := newWorld(t)
	w.do(publish("work", "x", "x"))
	other := lent("n1", 1, 2)
	other.Tenant = "y"
	w.duty.Register(other)
	refused := publish("work", "y", "y")
	refused.Event.ClientSeq = 9
	w.pack(refused)
	own := lent("n1", 2, 1)
	own.Tenant = "x"
	w.duty.Register(own)
	w.pack() // All that is wanted flies already.
	w.rest()
	w.hears("n1/2 job x, fence 1")
}

// TestRefusedEntryIsTriedAgain at the next tick, not at once.
func TestRefusedEntryIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.do(publish("work", "t", "a"))
	w.duty.Register(lent("n1", 1, 1))
	w.pack()
	w.lose()
	if w.woken {
		t.Error("the log was asked again at once")
	}
	w.rest()
	w.hears("n1/1 job a, fence 1")
}

// TestNobodyIsAskedForWhatIsOnItsWay: a subscription whose credit is in an entry
// is not told that work waits.
func TestNobodyIsAskedForWhatIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	w.do(publish("work", "t", "a"))
	w.pack(publish("work", "t", "b"))
	w.duty.Register(lent("n1", 1, 2))
	w.pack()
	w.land()
	w.hears()
	w.rest()
	w.hears("n1/1 job a, fence 1", "n1/1 job b, fence 2")
}

// TestRecall takes back what no entry carries, and says how much it was.
func TestRecall(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 5))
	w.pack(publish("work", "t", "a"), publish("work", "t", "b"))
	w.duty.Recall("n1", 1, 2)
	w.duty.Recall("n1", 1, 2)
	w.duty.Recall("n1", 1, 2)
	w.duty.Recall("n1", 9, 2)
	w.hears("n1/1 returned 2", "n1/1 returned 1", "n1/1 returned 0", "n1/9 returned 0")
}

// TestRecallOfWhatWorkWaitsFor: credit that is taken back before an entry could
// use it is asked for again, or the work would wait for ever; not at once, or it
// would go round between two partitions that both want it.
func TestRecallOfWhatWorkWaitsFor(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 0))
	w.do(publish("work", "t", "a"))
	w.hears("n1/1 want")
	w.duty.Lend("n1", 1, 1)
	w.duty.Recall("n1", 1, 1)
	w.hears("n1/1 returned 1")
	w.duty.Tick(w.now)
	w.hears("n1/1 want")
	w.duty.Lend("n1", 1, 1)
	w.do()
	w.hears("n1/1 job a, fence 1")
}

// TestJobThatCannotBePushedGoesBack: it is released and goes to another worker,
// uncounted; the credit that it took is used again after a tick, not before.
func TestJobThatCannotBePushedGoesBack(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.deaf["n1"] = true
	w.pack(publish("work", "t", "a"))
	w.land()
	if len(w.proposed) != 1 || w.woken {
		t.Fatalf("%d proposals, woken: %t; want the release alone", len(w.proposed), w.woken)
	}
	clear(w.deaf)
	w.pack()
	w.land()
	w.hears()
	w.rest()
	w.hears("n1/1 job a, fence 2")
	if got := w.jobs[0].job.Lease.Attempt; got != 1 {
		t.Errorf("it is attempt %d, want the first", got)
	}
}

// TestJobOfAFormerRegistrationGoesBack: what an entry granted to credit of an
// earlier registration is no job of this one, whose credit is counted anew.
func TestJobOfAFormerRegistrationGoesBack(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.pack(publish("work", "t", "a"))
	w.duty.Register(lent("n1", 1, 0))
	w.rest()
	w.hears("n1/1 want")
	w.duty.Lend("n1", 1, 1)
	w.rest()
	w.hears("n1/1 job a, fence 2")
}

// TestRegisterPushesAgain: jobs that the state leases to a subscription and its
// gateway does not know of are pushed again, those that it knows are not, nor
// those whose end is already proposed.
func TestRegisterPushesAgain(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 3))
	w.duty.Register(lent("n1", 2, 0))
	w.do(publish("work", "t", "a"), publish("work", "t", "b"))
	w.hears("n1/1 job a, fence 1", "n1/1 job b, fence 2")
	knows := lent("n1", 1, 0)
	knows.Held = []command.LeaseID{w.jobs[0].job.Lease}
	w.duty.Register(knows)
	w.hears("n1/1 job b, fence 2")
	w.duty.Register(lent("n1", 2, 0))
	w.hears()
	w.now = w.now.Add(time.Second)
	w.duty.Tick(w.now)
	w.duty.Register(lent("n1", 1, 0))
	w.hears()
}

// TestPushAgainThatFails gives the job back.
func TestPushAgainThatFails(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.do(publish("work", "t", "a"))
	w.deaf["n1"] = true
	w.duty.Register(lent("n1", 1, 0))
	clear(w.deaf)
	w.duty.Register(lent("n2", 1, 1))
	w.heard = nil
	w.rest()
	w.hears("n1/1 want", "n2/1 job a, fence 2")
}

// TestExpiry: a lease that is not renewed ends with its term, the worker is told,
// and the job goes on to the next.
func TestExpiry(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.do(publish("work", "t", "a"))
	w.duty.Register(lent("n2", 2, 1))
	w.heard = nil
	lease := w.jobs[0].job.Lease
	w.pass(600 * time.Millisecond)
	if terms, ok := w.duty.Renew([]command.LeaseID{lease, leaseOf(99)}, ""); !ok || !slices.Equal(terms, []uint32{1000, 0}) {
		t.Fatalf("renewed for %v, leading: %t", terms, ok)
	}
	w.pass(999 * time.Millisecond)
	w.hears()
	w.pass(time.Millisecond)
	w.hears("n1/1 cancel fence 1, expired, grace 0", "n1/1 want", "n2/2 job a, fence 2")
	if terms, _ := w.duty.Renew([]command.LeaseID{lease}, ""); !slices.Equal(terms, []uint32{0}) {
		t.Errorf("an expired lease is renewed for %v", terms)
	}
}

// TestEndedLeaseIsForgotten: a completed job's lease never expires.
func TestEndedLeaseIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.do(publish("work", "t", "a"))
	w.do(&command.Complete{Lease: w.jobs[0].job.Lease})
	w.now = w.now.Add(time.Hour)
	if w.duty.Tick(w.now); len(w.proposed) > 0 {
		t.Errorf("%d commands are proposed", len(w.proposed))
	}
	w.hears("n1/1 job a, fence 1")
}

// TestExpiryThatFindsNoRoom is proposed again, and the lease is lost from the
// first time on.
func TestExpiryThatFindsNoRoom(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 2))
	w.do(publish("work", "t", "a"))
	w.heard = nil
	w.now = w.now.Add(time.Second)
	w.duty.Tick(w.now)
	w.proposed = nil // The batcher's queue was full.
	if terms, _ := w.duty.Renew([]command.LeaseID{w.jobs[0].job.Lease}, ""); terms[0] != 0 {
		t.Error("a lease whose expiry may be in the log was renewed")
	}
	w.pass(expireAgain)
	w.hears("n1/1 cancel fence 1, expired, grace 0", "n1/1 job a, fence 2")
}

// pass lets time go by, and what follows from it happen.
func (w *world) pass(d time.Duration) {
	w.tb.Helper()
	w.now = w.now.Add(d)
	w.rest()
}

// TestTimersWake: the batcher is asked for an entry when a timer is due, not
// before, and once a second until one says when the next is due.
func TestTimersWake(t *testing.T) {
	w := newWorld(t)
	later := publish("work", "t", "later")
	later.Event.DelayMS = 5000
	w.duty.Register(lent("n1", 1, 1))
	w.do(later)
	w.pass(4999 * time.Millisecond)
	w.hears()
	w.now = w.now.Add(time.Millisecond)
	for i, want := range []bool{true, false} {
		w.woken = false
		if w.duty.Tick(w.now); w.woken != want {
			t.Fatalf("look %d woke: %t", i, w.woken)
		}
	}
	w.now = w.now.Add(time.Second)
	if w.duty.Tick(w.now); !w.woken {
		t.Error("an entry that never came was not asked for again")
	}
	w.rest()
	w.hears("n1/1 job later, fence 1")
}

// TestCancelIsPassedOn with the time that the worker has.
func TestCancelIsPassedOn(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 1))
	w.do(publish("work", "t", "a"))
	w.heard = nil
	w.do(&command.Cancel{Tenant: "t", Event: w.jobs[0].job.Lease.Event, Reason: "enough", GraceMS: 70})
	w.hears("n1/1 cancel fence 1, enough, grace 70")
}

// TestOnlyALeaderActs: before Lead and after Resign nothing is pushed, proposed,
// attached, renewed or carried.
func TestOnlyALeaderActs(t *testing.T) {
	never := openWorld(t, openStore(t), 1)
	resigned := newWorld(t)
	resigned.duty.Register(lent("n1", 1, 3))
	resigned.duty.Attach(socket(7, FromCursor, 0))
	resigned.do(publish("work", "t", "a"))
	lease := resigned.jobs[0].job.Lease
	resigned.duty.Resign()
	for name, w := range map[string]*world{"never": never, "resigned": resigned} {
		w.heard, w.woken = nil, false
		w.now = w.now.Add(time.Hour)
		w.duty.Tick(w.now)
		w.duty.Register(lent("n1", 1, 3))
		w.duty.Lend("n1", 1, 3)
		w.duty.Ready("n1", 7)
		w.duty.Acked("n1", 7, 1)
		if w.duty.Recall("n1", 1, 3); !slices.Equal(w.heard, []string{"n1/1 returned 0"}) {
			t.Errorf("%s: a recall is answered with %q", name, w.heard)
		}
		w.heard = nil
		if _, leads := w.duty.Renew([]command.LeaseID{lease}, ""); leads || w.duty.Attach(socket(7, FromCursor, 0)) {
			t.Errorf("%s: a lease was renewed, or a stream attached", name)
		}
		w.pack(publish("work", "t", "b"))
		if len(w.flying[0].packed.Offers) > 0 || w.duty.Generation() != 0 {
			t.Errorf("%s: an entry carries %v of generation %d", name, w.flying[0].packed.Offers, w.duty.Generation())
		}
		if name == "resigned" {
			w.land()
			w.answer()
		}
		if w.hears(); w.woken || len(w.proposed) > 0 {
			t.Errorf("%s: woken: %t, %d proposals", name, w.woken, len(w.proposed))
		}
	}
}

// TestLeadTakesOver: a new leader knows the leases in force and what waits. It
// gives every lease a full term anew, and does not end them all at once.
func TestLeadTakesOver(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 10))
	for i := range 11 {
		w.do(publish("work", "t", fmt.Sprint(i)))
	}
	w.now = w.now.Add(999 * time.Millisecond)
	w.duty.Resign()
	w.lead()
	if got := w.duty.Generation(); got != 2 {
		t.Fatalf("generation %d is led, want 2", got)
	}
	w.heard = nil
	w.pass(999 * time.Millisecond)
	w.hears()
	for i := range 10 {
		w.pass(time.Millisecond)
		if want := fmt.Sprintf("n1/1 cancel fence %d, expired, grace 0", i+1); !slices.Equal(w.heard, []string{want}) {
			t.Fatalf("heard %q, want %s", w.heard, want)
		}
		w.heard = nil
		w.pass(9 * time.Millisecond)
	}
	w.duty.Register(lent("n2", 2, 11))
	w.rest()
	if len(w.heard) != 11 {
		t.Errorf("of 11 waiting events came %q", w.heard)
	}
}

// TestLeadBeginsAnew: what waits is known from the start, what was lent before is
// not, even if no Resign came between.
func TestLeadBeginsAnew(t *testing.T) {
	w := newWorld(t)
	w.do(publish("work", "t", "a"))
	w.duty.Resign()
	w.lead()
	w.duty.Register(lent("n1", 1, 3))
	w.rest()
	w.hears("n1/1 job a, fence 1")
	w.duty.Attach(socket(7, FromCursor, 0))
	w.heard = nil
	w.lead()
	w.do(publish("work", "t", "b"))
	w.notify(1)
	w.hears()
}

// TestFormerGenerationIsFenced: entries of an earlier leadership change nothing
// in the books of this one, whether they were applied or not, though the same
// subscription lends again.
func TestFormerGenerationIsFenced(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 4))
	w.pack(publish("work", "t", "a"), publish("work", "t", "b"))
	w.pack(publish("work", "t", "c"))
	w.duty.Resign()
	w.lead()
	w.duty.Register(lent("n1", 1, 4))
	w.pack(publish("work", "t", "d"), publish("work", "t", "e"))
	former, current := w.flying[:2], w.flying[2]
	l := w.duty.mu.credit.loans[loanKey{"n1", 1}]
	books := func() [4]uint64 {
		return [4]uint64{uint64(l.free), uint64(l.attached), l.topic.fresh, l.topic.attached}
	}
	want := [4]uint64{2, 2, 2, 2}
	w.duty.Done(&former[0].packed, true)
	w.duty.Done(&former[1].packed, false)
	if got := books(); got != want {
		t.Fatalf("free, attached, fresh, attached are %v, want %v", got, want)
	}
	// Raft may put an entry of the former leadership behind the LeaderStart of
	// this one: its offers are void, and come back as leftover.
	w.duty.Applied(w.apply(former[1].data))
	if got := books(); got != want {
		t.Fatalf("after a late entry they are %v, want %v", got, want)
	}
	w.flying = []flight{current}
	w.heard = nil
	w.rest()
	w.hears("n1/1 job c, fence 1", "n1/1 job d, fence 2", "n1/1 job e, fence 3")
}

// TestForgetDropsANode: a lost link takes what its node lent, and no other's.
func TestForgetDropsANode(t *testing.T) {
	w := newWorld(t)
	w.duty.Register(lent("n1", 1, 4))
	w.duty.Register(lent("n2", 1, 1))
	w.duty.Forget("n1")
	w.do(publish("work", "t", "a"), publish("work", "t", "b"))
	w.hears("n2/1 job a, fence 1", "n2/1 want")
	w.duty.Unregister("n2", 1)
	w.duty.Unregister("n2", 1)
	w.do(publish("work", "t", "c"))
	w.hears()
}
