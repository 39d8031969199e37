package duty

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

func leaseOf(fence uint64) command.LeaseID { return command.LeaseID{Attempt: 1, Fence: fence} }

// clockModel is a plain list of leases beside the clock.
type clockModel struct {
	clock  leaseClock
	now    time.Time
	fences uint64
	terms  map[uint64]*modelTerm
}

type modelTerm struct {
	ends, said time.Time
	holder     uint64
	lost       bool
}

const modelLeaseMS = 1000

func (m *clockModel) draw(t *rapid.T) uint64 {
	return rapid.Uint64Range(1, m.fences+1).Draw(t, "fence")
}

func (m *clockModel) grant(t *rapid.T) {
	m.fences++
	holder := rapid.Uint64Range(1, 2).Draw(t, "holder")
	ends := m.now.Add(time.Duration(rapid.IntRange(1, 2000).Draw(t, "ms")) * time.Millisecond)
	m.clock.grant(&fsm.Lease{ID: leaseOf(m.fences), Holder: fsm.Holder{Node: "n1", Session: holder}, LeaseMS: modelLeaseMS}, ends)
	m.terms[m.fences] = &modelTerm{ends: ends, holder: holder}
}

func (m *clockModel) renew(t *rapid.T) {
	fence, want := m.draw(t), uint32(0)
	if term := m.terms[fence]; term != nil && !term.lost {
		want = modelLeaseMS
		if ends := m.now.Add(modelLeaseMS * time.Millisecond); ends.After(term.ends) {
			term.ends = ends
		}
	}
	if got := m.clock.renew(leaseOf(fence), "", m.now); got != want {
		t.Fatalf("renewing %d gives %d ms, want %d", fence, got, want)
	}
}

func (m *clockModel) end(t *rapid.T) {
	fence := m.draw(t)
	m.clock.end(leaseOf(fence))
	delete(m.terms, fence)
}

func (m *clockModel) look(t *rapid.T) {
	m.now = m.now.Add(time.Duration(rapid.IntRange(0, 700).Draw(t, "ms")) * time.Millisecond)
	var want, got []uint64
	for fence, term := range m.terms {
		if term.ends.After(m.now) || term.lost && term.said.Add(expireAgain).After(m.now) {
			continue
		}
		term.lost, term.said = true, m.now
		want = append(want, fence)
	}
	for _, id := range m.clock.over(m.now) {
		got = append(got, id.Fence)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("over are %v, want %v", got, want)
	}
}

func (m *clockModel) audit(t *rapid.T) {
	for holder := uint64(1); holder <= 2; holder++ {
		want := 0
		for _, term := range m.terms {
			if term.holder == holder && !term.lost {
				want++
			}
		}
		held := m.clock.heldBy("n1", holder)
		for _, id := range held {
			if term := m.terms[id.Fence]; term == nil || term.lost || term.holder != holder {
				t.Fatalf("%d is not held by %d", id.Fence, holder)
			}
		}
		if len(held) != want || len(m.clock.heldBy("n2", holder)) > 0 {
			t.Fatalf("%d holds %d leases, want %d", holder, len(held), want)
		}
	}
}

// TestClockKeepsTerms: against a plain list of leases, at random: a lease is over
// at the end of its last term and not before, one that ended never is, what is
// over stays lost, and is said again while nothing ends it.
func TestClockKeepsTerms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &clockModel{clock: newLeaseClock(), now: time.UnixMilli(0), terms: make(map[uint64]*modelTerm)}
		t.Repeat(map[string]func(*rapid.T){"grant": m.grant, "renew": m.renew, "end": m.end, "look": m.look, "": m.audit})
	})
}

// TestClockNamesABatch: one look names as many leases as one Expire takes, the
// next ones the rest, the oldest first.
func TestClockNamesABatch(t *testing.T) {
	c, begin := newLeaseClock(), time.UnixMilli(0)
	leases := 2*expireBatch + 5
	for i := range leases {
		c.grant(&fsm.Lease{ID: leaseOf(uint64(leases - i)), LeaseMS: 1000}, begin.Add(-time.Duration(i)*time.Millisecond))
	}
	next := uint64(1)
	for _, want := range []int{expireBatch, expireBatch, 5, 0} {
		over := c.over(begin)
		if len(over) != want {
			t.Fatalf("%d leases are named, want %d", len(over), want)
		}
		for _, id := range over {
			if id.Fence != next {
				t.Fatalf("lease %d is named, want %d", id.Fence, next)
			}
			next++
		}
	}
}

// TestClockWantsTheWholeLease: a renewal that names the fence with other numbers
// is not of this lease.
func TestClockWantsTheWholeLease(t *testing.T) {
	c, now := newLeaseClock(), time.UnixMilli(0)
	c.grant(&fsm.Lease{ID: leaseOf(7), LeaseMS: 1000, Tenant: "acme"}, now.Add(time.Second))
	other := leaseOf(7)
	other.Attempt++
	if c.renew(other, "", now) != 0 {
		t.Error("another attempt's lease was renewed")
	}
	if c.renew(leaseOf(7), "other", now) != 0 {
		t.Error("another tenant's lease was renewed")
	}
	if c.renew(leaseOf(7), "acme", now) != 1000 {
		t.Error("the tenant's own was not")
	}
	if c.renew(leaseOf(7), "", now) != 1000 {
		t.Error("the lease in force was not")
	}
}
