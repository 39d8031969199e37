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
	var problems []error
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
	asked, answers := 0, 0
	for _, a := range r.askers {
		asked += len(a.asked)
		answers += len(a.received)
	}
	r.options.say("\n%d questions of %d clients, %d answers: each exactly once, every stream without a hole; "+
		"killed: worker %s, node %s", asked, len(r.askers), answers, r.victim, r.deadNode)
	return nil
}

// checkStream counts: one notification for each question, numbered from 1.
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
	count := make(map[string]int)
	for i := range got {
		if want := uint64(i) + 1; got[i].seq != want {
			problems = append(problems, fmt.Errorf("%s got notification %d where %d was due", name, got[i].seq, want))
		}
		if got[i].name != answerReady {
			problems = append(problems, fmt.Errorf("%s got a notification %q", name, got[i].name))
		}
		count[got[i].correlationID]++
	}
	for _, q := range questions {
		if n := count[q.correlationID]; n != 1 {
			problems = append(problems, fmt.Errorf("%s has %d answers to %q (%s)", name, n, q.Text, q.correlationID))
		}
		delete(count, q.correlationID)
	}
	for id, n := range count {
		problems = append(problems, fmt.Errorf("%s has %d answers to a question it never asked (%s)", name, n, id))
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
			if m.Channel == channelSplit && m.Attempt >= 2 && m.Worker != r.victim {
				again = true
			}
		case "dead", "failed":
			problems = append(problems, fmt.Errorf("%q: %s in %s: %s", q.Text, m.Mark, m.Channel, m.Message))
		}
	}
	for _, channel := range []string{channelAsked, channelSplit, channelFound} {
		if completed[channel] != 1 {
			problems = append(problems, fmt.Errorf("%q: %d events of %s were completed", q.Text, completed[channel], channel))
		}
	}
	if q == r.held && !again {
		problems = append(problems, fmt.Errorf("%q: the trace has no second attempt by another worker than %s", q.Text, r.victim))
	}
	return problems
}
