package duty

import (
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// lentTo is a registration for a group of the channel work.
func lentTo(group, node string, subscription uint64, credit uint32) *Registration {
	r := lent(node, subscription, credit)
	r.Group = group
	return r
}

// group makes a group of the channel work.
func (w *world) group(name string, from command.GroupFrom) {
	w.tb.Helper()
	w.do(&command.CreateGroup{Channel: "work", Group: name, From: from})
}

// TestEventIsPushedInEachGroup: the entry that stores an event carries the credit
// of all groups of its channel, and leases it in each of them. The groups of other
// channels give none.
func TestEventIsPushedInEachGroup(t *testing.T) {
	w := newWorld(t)
	w.group("mail", command.FromNew)
	w.group("audit", command.FromNew)
	w.duty.Register(lent("n1", 1, 2))
	w.duty.Register(lentTo("mail", "n1", 2, 2))
	w.duty.Register(lentTo("audit", "n2", 3, 2))
	other := lentTo("mail", "n1", 4, 2)
	other.Channel = "play"
	w.duty.Register(other)
	w.pack(publish("work", "t", "a"))
	if offers := w.flying[0].packed.Offers; len(offers) != 3 {
		t.Errorf("the entry carries %+v", offers)
	}
	w.land()
	w.hears("n1/1 job a, fence 1", "n1/2 job a, fence 2", "n2/3 job a, fence 3")
	w.rest()
	w.hears()
	w.do(publish("work", "t", "b"), publish("work", "t", "c"))
	w.hears("n1/1 job b, fence 4", "n1/2 job b, fence 5", "n2/3 job b, fence 6", "n1/1 want", "n1/2 want", "n2/3 want")
}

// TestGroupsWaitForTheirOwnCredit: what one group lends moves no other's work,
// and a group that is made from the earliest has workers asked at once.
func TestGroupsWaitForTheirOwnCredit(t *testing.T) {
	w := newWorld(t)
	w.do(publish("work", "t", "a"))
	w.duty.Register(lentTo("audit", "n1", 1, 1)) // Before the partition has the group.
	w.rest()
	w.hears()
	w.group("audit", command.FromEarliest)
	w.hears("n1/1 job a, fence 1")
	w.duty.Register(lentTo("audit", "n1", 2, 0))
	w.do(publish("work", "t", "b"))
	w.hears("n1/1 want", "n1/2 want")
	w.duty.Register(lent("n1", 3, 2))
	w.rest()
	w.hears("n1/3 job a, fence 2", "n1/3 job b, fence 3")
	w.duty.Lend("n1", 2, 1)
	w.rest()
	w.hears("n1/2 job b, fence 4")
}

// TestNewLeaderLendsToGroups: a new leader is told the backlogs and leases of all
// groups, and pushes a job again only to a subscription of its group.
func TestNewLeaderLendsToGroups(t *testing.T) {
	w := newWorld(t)
	w.group("audit", command.FromNew)
	w.duty.Register(lentTo("audit", "n1", 1, 1))
	w.do(publish("work", "t", "a"), publish("work", "t", "b"))
	w.hears("n1/1 job a, fence 1", "n1/1 want")
	w.jobs = nil
	w.lead()
	w.duty.Register(lent("n1", 1, 0))
	w.hears("n1/1 want")
	w.duty.Register(lentTo("audit", "n1", 1, 1))
	w.hears("n1/1 job a, fence 1")
	w.rest()
	w.hears("n1/1 job b, fence 2")
}
