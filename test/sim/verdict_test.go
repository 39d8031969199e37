package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/test/history"
)

// Bounds of cluster time: how soon all must be well once everything is healed.
const (
	// readyWithin: each node reaches every leader. A link that was given up may
	// take four seconds to be noticed, and an election several tries.
	readyWithin = 30 * time.Second
	// doneWithin: every publish is answered, and every event has come back. Leases
	// run out meanwhile, and failed jobs wait.
	doneWithin = 90 * time.Second
)

// await waits until done returns nil; it is a fault when it does not in time.
func (e *episode) await(what string, done func() error) {
	e.awaitWithin(what, readyWithin, done)
}

func (e *episode) awaitWithin(what string, within time.Duration, done func() error) bool {
	deadline := time.Now().Add(within)
	for {
		err := done()
		if err == nil {
			return true
		}
		if time.Now().After(deadline) {
			e.faultf("within %v not: %s: %v", within, what, err)
			return false
		}
		e.pause(20 * time.Millisecond)
	}
}

// ready is nil when every node reaches every leader.
func (e *episode) ready() error {
	for _, n := range e.nodes {
		l := n.current()
		if l == nil {
			return fmt.Errorf("%s does not run", n.id)
		}
		if err := l.cluster.Ready(context.Background()); err != nil {
			return fmt.Errorf("%s: %w", n.id, err)
		}
	}
	return nil
}

// settle waits until all is well again.
func (e *episode) settle() {
	healed := time.Now()
	e.await("every node reaches every leader", e.ready)
	answered := make(chan struct{})
	e.others.Go(func() {
		e.publishers.Wait()
		close(answered)
	})
	if !e.awaitWithin("every publish is answered", doneWithin, func() error {
		select {
		case <-answered:
			return nil
		default:
			return fmt.Errorf("%d are", e.published())
		}
	}) {
		return
	}
	e.awaitWithin("every event comes back", doneWithin, e.nothingLost)
	e.awaitWithin("the replicas are equal", readyWithin, e.converged)
	e.tally.serving = time.Since(healed)
	e.tally.events = e.published()
}

func (e *episode) published() (count int) {
	for _, c := range e.clients {
		c.mu.Lock()
		count += len(c.mu.published)
		c.mu.Unlock()
	}
	return count
}

// nothingLost is nil when every event came back, or something else is wrong: that
// is for judge to say.
func (e *episode) nothingLost() error {
	faults := history.Check(e.history.Records())
	lost := 0
	for _, f := range faults {
		if f.Rule != history.Lost {
			return nil
		}
		lost++
	}
	if lost > 0 {
		return fmt.Errorf("%d did not, for one: %s", lost, faults[0])
	}
	return nil
}

// converged is nil when all replicas of each group are equal.
func (e *episode) converged() error {
	for group := range e.plan.partitions + 1 {
		var seen []string
		for _, n := range e.nodes {
			l := n.current()
			if l == nil {
				return fmt.Errorf("%s does not run", n.id)
			}
			index, chain, digest, err := l.cluster.Digest(group)
			if err != nil {
				return fmt.Errorf("%s: group %d: %w", n.id, group, err)
			}
			seen = append(seen, fmt.Sprintf("%d %016x %016x", index, chain, digest))
		}
		if len(slices.Compact(slices.Clone(seen))) > 1 {
			return fmt.Errorf("group %d (index, chain, digest): %v", group, seen)
		}
	}
	return nil
}

// judge holds the whole history to the promises.
func (e *episode) judge() {
	random := rand.New(rand.NewPCG(e.seed, actorJudge))
	for _, c := range e.clients {
		e.askAgain(c, random)
	}
	records := e.history.Records()
	for _, fault := range history.Check(records) {
		e.faultf("%s", fault)
	}
	for _, r := range records {
		switch r := r.(type) {
		case history.Granted:
			e.tally.count("jobs granted", 1)
			if r.Attempt > 1 {
				e.tally.count("jobs granted again", 1)
			}
		case history.Notified:
			e.tally.count("notifications", 1)
		case history.Gapped:
			e.tally.count("gaps", 1)
		}
	}
}

// askAgain publishes everything once more: each key must be remembered, with the
// event it led to.
func (e *episode) askAgain(c *client, random *rand.Rand) {
	c.mu.Lock()
	published := slices.Clone(c.mu.published)
	c.mu.Unlock()
	l := e.connect(random)
	if l == nil || len(published) == 0 {
		return
	}
	answers := newAnswers(l, len(published))
	for i := range published {
		submit(l, &published[i].event, answers, uint64(i))
	}
	timer := time.NewTimer(readyWithin)
	defer timer.Stop()
	select {
	case <-answers.all:
	case <-timer.C:
		e.faultf("%s: not everything that is published again is answered", c.name)
	}
	for i, result := range answers.close() {
		if result == nil {
			continue
		}
		if result.Reason != command.Done || !result.Duplicate || result.Event != published[i].id {
			e.faultf("%s: %s published again is answered with event %s, duplicate %v, %v; it was event %s", c.name,
				published[i].event.IdempotencyKey, result.Event, result.Duplicate, result.Reason, published[i].id)
		}
	}
}
