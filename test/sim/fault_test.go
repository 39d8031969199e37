package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/batonmq/baton/transport"
)

// disturbance is one kind of fault.
type disturbance struct {
	name string
	// weight is how often it comes, in comparison with the others.
	weight int
	do     func(*trouble)
}

var disturbances = []disturbance{
	{"cut one way", 6, func(t *trouble) { a, b := t.pair(); t.e.reach.setCut(a.id, b.id, true) }},
	{"cut both ways", 4, func(t *trouble) {
		a, b := t.pair()
		t.e.reach.setCut(a.id, b.id, true)
		t.e.reach.setCut(b.id, a.id, true)
	}},
	{"node isolated", 6, func(t *trouble) { t.e.reach.divide(map[string]int{t.node().id: 1}) }},
	{"all apart", 2, (*trouble).scatter},
	{"links healed", 10, func(t *trouble) { t.e.reach.heal() }},
	{"links broken", 6, (*trouble).breakLinks},
	{"links slow", 4, func(t *trouble) {
		t.e.network.SetDelay(time.Millisecond, time.Duration(5+t.random.IntN(60))*time.Millisecond)
	}},
	{"one link slow", 4, (*trouble).slowLink},
	{"links fast", 4, (*trouble).fast},
	{"frames lost", 4, (*trouble).loseFrames},
	{"power lost", 12, func(t *trouble) { t.crash(1) }},
	{"power lost by two", 4, func(t *trouble) { t.crash(2) }},
	{"power lost by all", 5, func(t *trouble) { t.crash(len(t.e.nodes)) }},
	{"stopped and started", 4, (*trouble).restart},
	{"clock jumps", 4, (*trouble).jump},
	{"disks slow", 6, (*trouble).slowDisks},
	{"disks fast", 3, func(t *trouble) { t.paceDisks(0) }},
	{"power lost in a hurry", 8, (*trouble).loseHurry},
	{"majority changes", 8, (*trouble).changeMajority},
	{"power lost again and again", 4, (*trouble).loseOften},
}

// trouble makes an episode's faults.
type trouble struct {
	e      *episode
	random *rand.Rand
	coming sync.WaitGroup // the nodes that come back
	busy   map[*node]*sync.Mutex
}

// disturb makes the faults of the plan, and then an end of all.
func (e *episode) disturb() {
	t := &trouble{e: e, random: e.random(actorFaults), busy: make(map[*node]*sync.Mutex)}
	for _, n := range e.nodes {
		t.busy[n] = &sync.Mutex{}
	}
	for range e.plan.faults {
		e.pause(time.Duration(t.random.Int64N(int64(e.plan.lull))))
		d := t.choose()
		e.tally.fault(d.name)
		e.tellf("%s", d.name)
		d.do(t)
	}
	e.pause(time.Duration(t.random.Int64N(int64(e.plan.lull))))
	t.coming.Wait()
	t.fast()
	e.network.SetFaults(transport.Faults{})
	e.reach.heal()
	t.paceDisks(0)
	for _, n := range e.nodes {
		n.skew.Store(0)
	}
	e.tellf("all is healed")
	e.calm.Store(true)
}

func (t *trouble) choose() *disturbance {
	all := 0
	for i := range disturbances {
		all += disturbances[i].weight
	}
	at := t.random.IntN(all)
	for i := range disturbances {
		if at -= disturbances[i].weight; at < 0 {
			return &disturbances[i]
		}
	}
	return nil
}

func (t *trouble) node() *node { return t.e.nodes[t.random.IntN(len(t.e.nodes))] }

func (t *trouble) pair() (a, b *node) {
	order := t.random.Perm(len(t.e.nodes))
	a, b = t.e.nodes[order[0]], t.e.nodes[order[1]]
	t.e.tellf("  between %s and %s", a.id, b.id)
	return a, b
}

func (t *trouble) scatter() {
	sides := make(map[string]int)
	for i, n := range t.e.nodes {
		sides[n.id] = i
	}
	t.e.reach.divide(sides)
}

func (t *trouble) breakLinks() {
	a, b := t.pair()
	for range 1 + t.random.IntN(4) {
		t.e.network.Break(transport.NodeID(a.id), transport.NodeID(b.id))
		t.e.pause(time.Duration(t.random.IntN(300)) * time.Millisecond)
	}
}

func (t *trouble) slowLink() {
	a, b := t.pair()
	longest := time.Duration(20+t.random.IntN(400)) * time.Millisecond
	t.e.network.SetDelayBetween(transport.NodeID(a.id), transport.NodeID(b.id), longest/4, longest)
}

func (t *trouble) fast() {
	t.e.network.SetDelay(100*time.Microsecond, 2*time.Millisecond)
	for _, a := range t.e.nodes {
		for _, b := range t.e.nodes {
			if a != b {
				t.e.network.SetDelayBetween(transport.NodeID(a.id), transport.NodeID(b.id), 100*time.Microsecond, 2*time.Millisecond)
			}
		}
	}
}

func (t *trouble) loseFrames() {
	var f transport.Faults
	if t.random.IntN(3) > 0 {
		f = transport.Faults{
			Drop: t.random.Float64() / 10, Duplicate: t.random.Float64() / 5, Reorder: t.random.Float64() / 5,
			Late: time.Duration(1+t.random.IntN(300)) * time.Millisecond,
		}
	}
	t.e.network.SetFaults(f)
}

// crash takes the power from some nodes at one moment. They come back one by one.
func (t *trouble) crash(count int) {
	for _, i := range t.random.Perm(len(t.e.nodes))[:count] {
		n, keep, seed := t.e.nodes[i], []int{0, 30, 70, 100}[t.random.IntN(4)], t.random.Uint64()
		away := time.Duration(t.random.Int64N(int64(2 * t.e.plan.lull)))
		t.e.tellf("  %s keeps %d%%, and is away for %v", n.id, keep, away)
		t.e.tally.count(fmt.Sprintf("disks that kept %d%%", keep), 1)
		t.away(n, away, func() { n.crash(keep, seed) })
	}
}

func (t *trouble) restart() {
	n := t.node()
	away := time.Duration(t.random.Int64N(int64(t.e.plan.lull)))
	t.e.tellf("  %s is away for %v", n.id, away)
	t.away(n, away, n.stop)
}

// away has a node end and begin again. A second fault finds it away.
func (t *trouble) away(n *node, d time.Duration, end func()) {
	busy := t.busy[n]
	if !busy.TryLock() {
		return
	}
	t.coming.Go(func() {
		defer busy.Unlock()
		end()
		t.e.pause(d)
		n.start()
	})
}

func (t *trouble) slowDisks() { t.paceDisks(time.Duration(1+t.random.IntN(60)) * time.Millisecond) }

// paceDisks is at once for nodes that run, and for the others when they start.
func (t *trouble) paceDisks(longest time.Duration) {
	for _, n := range t.e.nodes {
		n.longestSync.Store(int64(longest))
		if n.current() != nil {
			n.slowDown()
		}
	}
}

func (t *trouble) jump() {
	n := t.node()
	by := time.Duration(t.random.IntN(60_000)-30_000) * time.Millisecond
	t.e.tellf("  %s is %v ahead", n.id, by)
	n.skew.Store(int64(by))
}
