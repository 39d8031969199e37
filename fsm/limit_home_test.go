package fsm

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TestLimitsOfTheCluster: of several partitions that share limits over a way that loses,
// repeats and delays, never more jobs together are in flight than a limit allows, and never
// more of a rate is let through in a time than it has; in the end every event was worked on,
// and no permit is lost or left.
func TestLimitsOfTheCluster(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(t *rapid.T) {
		n := &limitNet{relayNet: newRelayNet(t, store, group), ended: make(map[command.EventID]bool)}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n.step()
			n.check()
		}
		n.finish()
		n.replay(store, group)
	})
}

// replay wants each partition's log to give the same, read back otherwise.
func (n *limitNet) replay(store *storage.Store, group *uint32) {
	for _, p := range n.partitions {
		other := newWorld(n.t, store, group)
		for left := p.entries; len(left) > 0; {
			batch := rapid.IntRange(1, len(left)).Draw(n.t, "batch")
			other.apply(rapid.Bool().Draw(n.t, "leads"), left[:batch]...)
			left = left[batch:]
			other.reopen()
		}
		digest, chain := p.digest()
		if d, c := other.digest(); d != digest || c != chain {
			n.t.Fatalf("partition %d: rows %x, chain %x; replayed otherwise %x, %x", p.id, digest, chain, d, c)
		}
	}
}

// sharedUses are the limits of the test. With two of them, permits of both are needed.
var sharedUses = []command.Use{
	{Limit: "l", Key: "a", MaxInFlight: 2},
	{Limit: "l", Key: "b", MaxInFlight: 1, Adaptive: true},
	{
		Limit: "rate", MaxInFlight: 3, Rates: []command.UseRate{{Unit: "tokens", Count: 10, PerMS: 10_000}},
		Costs: []command.UseCost{{Unit: "tokens", Amount: 4}},
	},
}

type limitNet struct {
	*relayNet

	published int
	ended     map[command.EventID]bool
	// grants are when events were granted that use the rate.
	grants []int64
	nowMS  int64
}

// entry applies commands in a partition, with credit.
func (n *limitNet) entry(at *relayEnd, credit uint32, commands ...interface{ Append([]byte) []byte }) {
	at.timeMS = n.nowMS
	out := at.put(credit, commands...)
	for i := range out.Grants {
		for _, u := range out.Grants[i].Job.Event.Uses {
			if u.Limit == "rate" {
				n.grants = append(n.grants, n.nowMS)
			}
		}
	}
}

func (n *limitNet) step() {
	at := n.any("at")
	n.nowMS += rapid.SampledFrom([]int64{0, 0, 10, 500, 3000}).Draw(n.t, "elapsed")
	for _, p := range n.partitions {
		p.timeMS = n.nowMS
	}
	switch rapid.SampledFrom([]string{"publish", "publish", "end", "end", "carry", "carry", "carry", "old", "time", "reopen", "restore"}).Draw(n.t, "step") {
	case "publish":
		n.entry(at, 3, n.publish(at))
	case "end":
		n.endOne(at)
	case "carry":
		n.carry(at, n.any("to"))
	case "old":
		if len(n.old) > 0 {
			n.arrive(n.old[rapid.IntRange(0, len(n.old)-1).Draw(n.t, "batch")])
		}
	case "time":
		n.entry(at, 3)
	case "reopen":
		at.reopen()
	case "restore":
		at.reinstall()
	}
}

func (n *limitNet) any(what string) *relayEnd {
	return n.partitions[rapid.IntRange(0, len(n.partitions)-1).Draw(n.t, what)]
}

// standing is what every partition knows of its limits, for who looks at a fault.
func (n *limitNet) standing() (text string) {
	for _, p := range n.partitions {
		for _, l := range p.machine.limits {
			text += fmt.Sprintf("partition %d at %d: %+v\n", p.id, p.machine.counters.timeMS, l.limitRow)
		}
		for _, j := range p.machine.active {
			text += fmt.Sprintf("partition %d: position %d is %d\n", p.id, j.key.position, j.state)
		}
	}
	return text
}

func (n *limitNet) publish(at *relayEnd) *command.Publish {
	n.published++
	c := &command.Publish{
		Route: command.Route{Slot: command.SlotOf("t", at.key)},
		Event: command.Event{Channel: "work", Tenant: "t", Key: at.key, ClientID: "c"},
	}
	for _, u := range sharedUses {
		if rapid.IntRange(0, 1).Draw(n.t, "uses "+u.Limit) == 0 {
			c.Event.Uses = append(c.Event.Uses, u)
		}
	}
	return c
}

// endOne ends a lease, in whatever way.
func (n *limitNet) endOne(at *relayEnd) {
	if len(at.leases) == 0 {
		return
	}
	id := at.leases[0]
	at.leases = at.leases[1:]
	switch rapid.SampledFrom([]string{"complete", "complete", "throttled", "release", "fail"}).Draw(n.t, "end") {
	case "complete":
		n.ended[id.Event] = true
		n.entry(at, 2, &command.Complete{Lease: id, Usage: []byte(`{"tokens":4}`)})
	case "throttled":
		n.entry(at, 2, &command.Fail{Lease: id, Throttled: true, RetryAfterMS: 300})
	case "release":
		n.entry(at, 2, &command.Release{Leases: []command.LeaseID{id}})
	case "fail":
		n.ended[id.Event] = true
		n.entry(at, 2, &command.Fail{Lease: id, Final: true})
	}
}

// check counts what is in flight of each limit in all partitions together, and holds each
// partition's rows against each other.
func (n *limitNet) check() {
	inFlight := make(map[string]uint32)
	for _, p := range n.partitions {
		for _, j := range p.machine.active {
			for _, u := range j.event.Uses {
				if j.state == jobLeased {
					inFlight[u.Limit+"/"+u.Key]++
				}
			}
		}
		p.read(func(view *storage.View) { checkLimits(n.t, view) })
		checkLimitUse(n.t, p.machine)
	}
	for _, u := range sharedUses {
		if count := inFlight[u.Limit+"/"+u.Key]; count > u.MaxInFlight {
			n.t.Fatalf("%d jobs are in flight of limit %s/%s", count, u.Limit, u.Key)
		}
	}
	n.checkRate()
}

// checkRate wants no more grants in any time than the rate has for it: its bucket, and what
// flows in meanwhile; and what is granted later than it was lent, for up to holdMS and callMS.
func (n *limitNet) checkRate() {
	for i := range n.grants {
		for j := i; j < len(n.grants); j++ {
			elapsed := n.grants[j] - n.grants[i] + holdMS + callMS
			if tokens := int64(j-i+1) * 4; tokens > 10+3*4+elapsed*10/10_000 {
				n.t.Fatalf("%d tokens in %d ms", tokens, n.grants[j]-n.grants[i])
			}
		}
	}
}

// finish lets everything arrive and end, and wants nothing to be left of the limits.
func (n *limitNet) finish() {
	for round := 0; len(n.ended) < n.published; round++ {
		if round > 100*(n.published+1) {
			n.t.Fatalf("%d of %d events ended:\n%s", len(n.ended), n.published, n.standing())
		}
		n.settle(100 + int64(round%7)*130)
		for _, p := range n.partitions {
			leases := p.leases
			p.leases = nil
			for _, id := range leases {
				n.ended[id.Event] = true
				n.entry(p, 4, &command.Complete{Lease: id, Usage: []byte(`{"tokens":4}`)})
			}
		}
		n.check()
	}
	for range 8 {
		n.settle(rememberMS)
	}
	for _, p := range n.partitions {
		for id, l := range p.machine.limits {
			n.t.Fatalf("of limit %v there is still %+v", id, l.limitRow)
		}
	}
}

// settle lets time pass, and all arrive that is on its way.
func (n *limitNet) settle(elapsed int64) {
	n.nowMS += elapsed
	for i, from := range n.partitions {
		n.entry(n.partitions[(i+int(n.nowMS))%len(n.partitions)], 4)
		for _, to := range n.partitions {
			n.carryAll(from, to)
		}
	}
}
