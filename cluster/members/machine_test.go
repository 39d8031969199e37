package members

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFoundsOneCluster is the plain case, and the one with more nodes than founders.
func TestFoundsOneCluster(t *testing.T) {
	for _, c := range []struct{ expect, nodes int }{{1, 1}, {2, 2}, {2, 3}, {3, 3}, {3, 5}, {5, 9}} {
		t.Run(fmt.Sprintf("expect %d of %d", c.expect, c.nodes), func(t *testing.T) {
			w := newWorld(t, c.expect, c.nodes)
			w.heal()
			w.verdict()
			for i, a := range w.actors {
				row := &a.machine.row
				if row.standing != formed || row.founding != (i < c.expect) || len(row.formation.LeaseKey) != 32 {
					t.Errorf("%s: %+v", a.member.ID, row)
				}
				if a.machine.announces() {
					t.Errorf("%s still announces", a.member.ID)
				}
			}
		})
	}
}

// TestCrashAtEveryWrite kills each node at each of its writes, before and after
// it is durable, in every pair of kills, and expects the same single cluster.
func TestCrashAtEveryWrite(t *testing.T) {
	const nodes, writes = 3, 4
	for first := range nodes * writes * 2 {
		for second := range nodes * writes * 2 {
			w := newWorld(t, nodes, nodes)
			for _, kill := range []int{first, second} {
				d := w.actors[kill%nodes].disk
				d.dieIn, d.keep = kill/nodes/2, kill/nodes%2 == 0
				w.run()
			}
			w.heal()
			w.verdict()
			for _, a := range w.actors {
				if a.machine.row.standing != formed || !a.machine.row.founding {
					t.Fatalf("kills %d, %d: %s is not a founder: %+v", first, second, a.member.ID, a.machine.row)
				}
			}
		}
	}
}

// run lets the living talk in turns, and restarts the dead half way.
func (w *world) run() {
	for turn := range 6 {
		for _, a := range w.actors {
			if a.machine == nil && turn >= 3 {
				w.start(a)
			}
			if a.machine == nil {
				continue
			}
			w.plan(a, true, func(*actor) bool { return true })
			for len(w.flights) > 0 {
				if w.deliver(w.flights[0]) {
					w.flights = w.flights[1:]
				}
			}
		}
	}
}

// TestAtMostOneCluster plays anything: any views, messages in any order, doubled
// or lost, crashes at any write, wiped nodes. There is never a second cluster
// while fewer than twice the expected nodes have ever been started, and a healed
// world is one cluster or says what it waits for.
func TestAtMostOneCluster(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		expect := rapid.IntRange(2, 3).Draw(rt, "expect")
		nodes := rapid.IntRange(expect, 2*expect-1).Draw(rt, "nodes")
		w := newWorld(rt, expect, nodes)
		for range rapid.IntRange(0, 60).Draw(rt, "steps") {
			w.step(rt, 2*expect-1)
		}
		w.heal()
		w.verdict()
	})
}

func (w *world) step(rt *rapid.T, most int) {
	a := rapid.SampledFrom(w.actors).Draw(rt, "node")
	what := rapid.SampledFrom([]string{"plan", "plan", "message", "message", "message", "message", "crash", "start", "wipe"})
	switch action := what.Draw(rt, "action"); {
	case action == "plan" && a.machine != nil:
		w.planSome(rt, a)
	case action == "message" && len(w.flights) > 0:
		w.move(rt)
	case action == "crash" && a.machine != nil:
		a.disk.dieIn, a.disk.keep = rapid.IntRange(0, 1).Draw(rt, "write"), rapid.Bool().Draw(rt, "keep")
	case action == "start" && a.machine == nil && w.latest(a):
		w.start(a)
	case action == "wipe" && w.latest(a) && len(w.actors) < most:
		a.machine = nil
		next := &actor{member: testMember(a.member.Name, len(w.actors)+1), disk: newDisk()}
		w.actors = append(w.actors, next)
		w.start(next)
	}
}

// planSome lets a node plan with any part of the others in sight.
func (w *world) planSome(rt *rapid.T, a *actor) {
	seen := rapid.Uint32().Draw(rt, "seen") | rapid.SampledFrom([]uint32{0, ^uint32(0)}).Draw(rt, "all")
	w.plan(a, rapid.IntRange(0, 3).Draw(rt, "settled") > 0, func(b *actor) bool {
		return seen>>slices.Index(w.actors, b)&1 == 1
	})
}

// move delivers, doubles or drops any message.
func (w *world) move(rt *rapid.T) {
	i := rapid.IntRange(0, len(w.flights)-1).Draw(rt, "flight")
	f := w.flights[i]
	fate := rapid.SampledFrom([]string{"arrives", "arrives", "arrives", "arrives twice", "is lost"}).Draw(rt, "fate")
	if fate == "arrives twice" && f.reply == nil {
		twin := *f // The question arrives again, later.
		w.flights = append(w.flights, &twin)
	}
	if fate == "is lost" || w.deliver(f) {
		w.flights = slices.Delete(w.flights, i, i+1)
	}
}

// TestVotesCountForOneAttempt: what was promised for a set that was given up, and
// what is heard about it later, counts for nothing.
func TestVotesCountForOneAttempt(t *testing.T) {
	w := newWorld(t, 3, 4)
	a, b, c, d := w.actors[0], w.actors[1], w.actors[2], w.actors[3]
	all := func(hidden *actor) func(*actor) bool {
		return func(x *actor) bool { return x != hidden }
	}
	w.plan(a, true, all(d))
	toB, toC := w.flights[0], w.flights[1]
	w.deliver(toB)
	twin := *toB
	w.deliver(toB) // a hears b.
	w.deliver(toC) // c has promised, but the answer is still on its way.
	w.flights = nil
	w.plan(a, true, all(c))
	if len(w.flights) != 2 || a.machine.row.promise.attempt != 2 || !hasMember(a.machine.row.promise.members, d.member.ID) {
		t.Fatalf("second attempt: %+v, %d questions", a.machine.row, len(w.flights))
	}
	w.deliver(&twin)
	w.deliver(toC)
	if len(a.machine.votes) != 0 {
		t.Errorf("votes %v before anyone was asked", a.machine.votes)
	}
	if b.machine.row.promise.attempt != 1 {
		t.Fatalf("b: %+v", b.machine.row)
	}
	w.heal()
	w.verdict()
	if c.machine.row.founding || !d.machine.row.founding {
		t.Errorf("founders: c %v, d %v", c.machine.row.founding, d.machine.row.founding)
	}
}
