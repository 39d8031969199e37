package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/batonmq/baton/client"
)

// check verifies what the demo promises, and prints answers and traces.
func (r *onceRun) check(ctx context.Context) error {
	// A second answer would come from a lease that expires although its job was
	// completed: give every lease the time to do so.
	select {
	case <-time.After(r.options.lease + time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, a := range r.askers {
		for _, q := range a.asked {
			if err := q.awaitQuiet(ctx); err != nil {
				return err
			}
		}
	}
	problems := r.checkLedger()
	for _, a := range r.askers {
		problems = append(problems, a.checkStream()...)
		if err := r.checkReplay(ctx, a); err != nil {
			problems = append(problems, err)
		}
		for _, q := range a.asked {
			problems = append(problems, r.checkTrace(ctx, q)...)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	asked, succeeded := r.count()
	r.options.say("\n%d questions of %d clients, %d answers and %d undone: each exactly once, every stream without a hole; "+
		"killed: worker %s, node %s", asked, len(r.askers), succeeded, asked-succeeded, r.victim, r.deadNode)
	return nil
}

// awaitQuiet waits until nothing is open any more of what a question led to: the client
// hears of its end before the event that tells of it is worked on.
func (q *asked) awaitQuiet(ctx context.Context) error {
	for {
		trace, err := q.by.client.Trace(ctx, q.correlationID)
		if err == nil && trace.Ended {
			return nil
		}
		select {
		case <-time.After(readyInterval):
		case <-ctx.Done():
			return fmt.Errorf("%q has not come to rest: %w", q.Text, errors.Join(err, ctx.Err()))
		}
	}
}

// count is how many questions there were, and how many of them are to have succeeded.
func (r *onceRun) count() (questions, succeeded int) {
	for _, a := range r.askers {
		questions += len(a.asked)
		for _, q := range a.asked {
			if q.status() == statusSucceeded {
				succeeded++
			}
		}
	}
	return questions, succeeded
}

// checkLedger holds what the steps did outside to what became of their runs: what was
// undone is not there, and what succeeded is there once.
func (r *onceRun) checkLedger() (problems []error) {
	questions, succeeded := r.count()
	l := ledgerIn(r.fleet.passages())
	for page, want := range map[string]int{pageCharged: succeeded, pagePublished: succeeded, pageEnded: questions} {
		if got := l.count(page); got != want {
			problems = append(problems, fmt.Errorf("the ledger has %d %s, not %d", got, page, want))
		}
	}
	return problems
}

// checkStream counts: what each question leads to, numbered from 1.
func (a *asker) checkStream() (problems []error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.gaps {
		problems = append(problems, fmt.Errorf("%s was told of a gap from %d to %d", a.name, g.From, g.To))
	}
	return append(problems, countAnswers(a.name, a.asked, a.received)...)
}

// countAnswers is what is wrong with a stream.
func countAnswers(name string, questions []*asked, got []received) (problems []error) {
	count := make(map[string]map[string]int)
	for i := range got {
		if want := uint64(i) + 1; got[i].seq != want {
			problems = append(problems, fmt.Errorf("%s got notification %d where %d was due", name, got[i].seq, want))
		}
		id := got[i].correlationID
		if count[id] == nil {
			count[id] = make(map[string]int)
		}
		count[id][got[i].name]++
	}
	for _, q := range questions {
		for _, problem := range q.countNotified(count[q.correlationID]) {
			problems = append(problems, fmt.Errorf("%s, %q (%s): %w", name, q.Text, q.correlationID, problem))
		}
		delete(count, q.correlationID)
	}
	for id := range count {
		problems = append(problems, fmt.Errorf("%s was told of a question it never asked (%s)", name, id))
	}
	return problems
}

// countNotified is what is wrong with how often a client was notified of what.
func (q *asked) countNotified(count map[string]int) (problems []error) {
	answers, reviews := 1, 0
	if q.status() != statusSucceeded {
		answers = 0
	}
	if q.Review {
		reviews = 1
	} else if count[reviewAsked] == 1 {
		reviews = 1 // The answer was not sure.
	}
	wanted := map[string]int{answerReady: answers, reviewAsked: reviews, questionEnded: 1}
	for name, n := range count {
		if _, known := wanted[name]; !known {
			problems = append(problems, fmt.Errorf("%d notifications %s", n, name))
		}
	}
	for name, n := range wanted {
		if count[name] != n {
			problems = append(problems, fmt.Errorf("%d notifications %s, not %d", count[name], name, n))
		}
	}
	return problems
}

// checkReplay reads the whole stream again, as another device and from another
// node: it must be the same.
func (r *onceRun) checkReplay(ctx context.Context, a *asker) error {
	nodes := r.fleet.urls
	for i, p := range r.fleet.nodes {
		if p.name != a.client.Node() && p.name != r.deadNode {
			nodes = r.fleet.urlsFrom(i)
			break
		}
	}
	c, err := client.Dial(ctx, client.Options{Nodes: nodes, InOrder: true, ClientID: a.name, DeviceID: "audit"})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	var seqs []uint64
	listening, stop := context.WithCancel(ctx)
	defer stop()
	options := client.ListenOptions{OnSynced: func(uint64) { stop() }}
	err = c.Listen(listening, options, func(_ context.Context, n *client.Notification) error {
		seqs = append(seqs, n.Seq)
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) || ctx.Err() != nil {
		return fmt.Errorf("reading the stream of %s again: %w", a.name, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.EqualFunc(seqs, a.received, func(seq uint64, got received) bool { return seq == got.seq }) {
		return fmt.Errorf("the stream of %s, read again by another device, has numbers %v", a.name, seqs)
	}
	return nil
}

// mayFail tells whether a failure in a channel is what was asked for: of the step that
// fails, and of the run, which is seen in the channel that it began in.
func (q *asked) mayFail(channel string) bool {
	return q.Fail && channel == channelPublish || q.status() == statusCompensated && channel == channelAsked
}

// checkTrace prints a question's answer and trace, and checks its steps.
func (r *onceRun) checkTrace(ctx context.Context, q *asked) (problems []error) {
	trace, err := q.by.client.Trace(ctx, q.correlationID)
	if err != nil {
		return []error{fmt.Errorf("the trace of %q: %w", q.Text, err)}
	}
	r.printQuestion(q, trace)
	completed := make(map[string]int)
	again := false
	for i := range trace.Marks {
		m := &trace.Marks[i]
		switch m.Mark {
		case "completed":
			completed[m.Channel]++
			if m.Channel == channelSearch && m.Attempt >= 2 && m.Worker != r.victim {
				again = true
			}
		case "dead", "failed":
			if !q.mayFail(m.Channel) {
				problems = append(problems, fmt.Errorf("%q: %s in %s: %s", q.Text, m.Mark, m.Channel, m.Message))
			}
		}
	}
	published, refunded := 1, 0
	if q.status() != statusSucceeded {
		published, refunded = 0, 1
	}
	for channel, want := range map[string]int{
		channelSplit: 1, channelSearch: shareCount, channelAnswer: 1, channelCharge: 1,
		channelPublish: published, channelRefund: refunded, channelEnded: 1,
	} {
		if completed[channel] != want {
			problems = append(problems, fmt.Errorf("%q: %d jobs of %s were completed, not %d", q.Text, completed[channel], channel, want))
		}
	}
	if q == r.held && !again {
		problems = append(problems, fmt.Errorf("%q: the trace has no second attempt by another worker than %s", q.Text, r.victim))
	}
	return problems
}
