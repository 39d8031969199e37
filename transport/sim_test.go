package transport

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestSimulatedCluster runs three nodes through minutes of faults in a bubble:
// what was answered is everywhere, once and in order.
func TestSimulatedCluster(t *testing.T) {
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { simulate(t, seed) })
		})
	}
}

func simulate(t *testing.T, seed uint64) {
	t.Helper()
	n := &memoryNetwork{Network: NewNetwork(seed)}
	n.SetDelay(100*time.Microsecond, 2*time.Millisecond)
	c := startCluster(t, n, 2)
	defer c.stop(t)
	ids := []NodeID{"a.1", "b.1", "c.1"}
	answered := make([][]string, 2)
	for round := range 30 {
		n.disturb(round, ids)
		for g := range answered {
			data := fmt.Sprintf("%d in round %d", g, round)
			for _, r := range c.groups[uint32(g)] {
				if r.raft.State() == raft.Leader && r.raft.Apply([]byte(data), time.Second).Error() == nil {
					answered[g] = append(answered[g], data)
				}
			}
		}
		time.Sleep(time.Second) // The bubble's time.
	}
	n.HealAll()
	n.SetFaults(Faults{})
	for g := range answered {
		c.commit(t, uint32(g), "last")
		last := func(r *replica) bool {
			r.machine.mu.Lock()
			defer r.machine.mu.Unlock()
			size := len(r.machine.mu.log)
			return size > 0 && string(r.machine.mu.log[size-1]) == "last"
		}
		for _, r := range c.groups[uint32(g)] {
			eventually(t, "every replica has the last entry", func() bool { return last(r) })
			r.check(t, answered[g])
		}
	}
	if len(answered[0])+len(answered[1]) < 10 {
		t.Errorf("only %d entries were answered", len(answered[0])+len(answered[1]))
	}
}

// disturb changes what is wrong with the network, differently each round.
func (m *memoryNetwork) disturb(round int, ids []NodeID) {
	victim, other := ids[round%3], ids[(round+1)%3]
	switch round % 5 {
	case 0:
		m.HealAll()
		m.SetFaults(Faults{})
	case 1:
		m.SetFaults(Faults{Drop: 0.05, Duplicate: 0.05, Reorder: 0.1, Late: 20 * time.Millisecond})
	case 2:
		m.Cut(victim, other)
	case 3:
		m.breakAll()
	case 4:
		for _, id := range ids {
			m.CutBoth(victim, id)
		}
	}
}

// check: the answered entries are in the replica's log, in order. Others may
// stand between them: an outcome can be unknown.
func (r *replica) check(t *testing.T, answered []string) {
	t.Helper()
	r.machine.mu.Lock()
	defer r.machine.mu.Unlock()
	next := 0
	for _, entry := range r.machine.mu.log {
		if next < len(answered) && string(entry) == answered[next] {
			next++
		}
	}
	if next < len(answered) {
		t.Errorf("%s lost %q or has it out of order", r.id, answered[next])
	}
}

// TestMemoryDelaysAndHoldsBack checks the network of the other tests.
func TestMemoryDelaysAndHoldsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memoryNetwork{Network: NewNetwork(1)}
		n.SetDelay(time.Second, time.Second)
		n.SetDelayBetween("b.1", "a.1", 0, 0)
		p := startPair(t, n)
		began := time.Now()
		must(t, p.a.Send("b.1", frameOf(1)))
		eventually(t, "the frame arrives", func() bool { return p.rb.received.Load() == 1 })
		if took := time.Since(began); took < time.Second || took > time.Second+10*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		n.Cut("a.1", "b.1")
		must(t, p.a.Send("b.1", frameOf(2)))
		time.Sleep(2 * time.Second) // The bubble's time.
		if p.rb.received.Load() != 1 {
			t.Error("a frame passed the cut")
		}
		n.Heal("a.1", "b.1")
		eventually(t, "the frame arrives after all", func() bool { return p.rb.received.Load() == 2 })
		must(t, p.a.Close())
		must(t, p.b.Close())
	})
}

// TestUnplug: a node without power says and hears nothing more; what it had sent
// arrives or is lost. It may join again at once.
func TestUnplug(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := &memoryNetwork{Network: NewNetwork(1)}
			p := startPair(t, n)
			n.SetDelay(time.Second, time.Second)
			must(t, p.a.Send("b.1", frameOf(1)))
			time.Sleep(time.Millisecond) // The bubble's time: it is written.
			p.a.(*Memory).Unplug(lost)
			_ = p.a.Send("b.1", frameOf(2)) // It goes nowhere.
			time.Sleep(10 * time.Second)    // The bubble's time.
			want := int64(1)
			if lost {
				want = 0
			}
			if got := p.rb.received.Load(); got != want {
				t.Errorf("with lost %t, %d frames arrived, want %d", lost, got, want)
			}
			must(t, p.a.Close())
			must(t, p.b.Close())
		})
	}
}
