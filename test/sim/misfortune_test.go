package sim

import (
	"sync"
	"time"
)

// Faults that chance alone would bring together too rarely.

// loseHurry takes the power from all, or from two, while everybody publishes and
// the disks are slow: what was not synced is gone everywhere.
func (t *trouble) loseHurry() {
	t.paceDisks(t.upTo(10, 150))
	t.e.hurry.rouse()
	t.e.pause(t.upTo(1, 120))
	count := 2 + t.random.IntN(2)
	for _, i := range t.random.Perm(len(t.e.nodes))[:count] {
		n, seed := t.e.nodes[i], t.random.Uint64()
		t.away(n, t.upTo(1, 500), func() { n.crash(0, seed) })
	}
}

// changeMajority has a majority store what everybody publishes, and then another
// one go on: of the two that stored it, one loses its power and the other its
// links.
func (t *trouble) changeMajority() {
	order := t.random.Perm(len(t.e.nodes))
	one, other, rest := t.e.nodes[order[0]], t.e.nodes[order[1]], t.e.nodes[order[2]]
	t.e.tellf("  first without %s, then without %s; %s loses its power", rest.id, other.id, one.id)
	t.e.reach.divide(map[string]int{rest.id: 1})
	t.paceDisks(t.upTo(10, 150))
	for range 1 + t.random.IntN(3) {
		t.e.hurry.rouse()
		t.e.pause(t.upTo(1, 150))
	}
	seed := t.random.Uint64()
	t.e.reach.divide(map[string]int{other.id: 1})
	t.away(one, t.upTo(1, 200), func() { one.crash(0, seed) })
	t.e.pause(t.upTo(500, 5000))
	t.e.reach.heal()
}

// loseOften takes the power from a node several times in a row, in elections: the
// leader of most is isolated meanwhile.
func (t *trouble) loseOften() {
	leader := t.e.nodes[0]
	for _, n := range t.e.nodes {
		if l, best := n.current(), leader.current(); l != nil && (best == nil || l.cluster.Leading() > best.cluster.Leading()) {
			leader = n
		}
	}
	t.e.tellf("  %s is isolated", leader.id)
	t.e.reach.divide(map[string]int{leader.id: 1})
	n := t.node()
	t.e.pause(t.upTo(500, 1500))
	for range 3 + t.random.IntN(4) {
		seed := t.random.Uint64()
		t.away(n, t.upTo(0, 20), func() { n.crash(0, seed) })
		t.e.pause(t.upTo(5, 400))
	}
	t.e.reach.heal()
}

// upTo draws a time, in milliseconds.
func (t *trouble) upTo(least, most int) time.Duration {
	return time.Duration(least)*time.Millisecond + time.Duration(t.random.Int64N(int64(most-least)*int64(time.Millisecond)))
}

// rousing wakes everybody who waits.
type rousing struct {
	mu     sync.Mutex
	roused chan struct{}
}

func (r *rousing) channel() chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.roused == nil {
		r.roused = make(chan struct{})
	}
	return r.roused
}

func (r *rousing) rouse() {
	close(r.channel())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.roused = make(chan struct{})
}

// wait passes time, until it is over, everybody is roused, or ending is closed.
func (r *rousing) wait(d time.Duration, ending <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.channel():
	case <-ending:
	}
}
