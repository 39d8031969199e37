package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/batonmq/baton/client"
)

// asker is a client that asks, decides reviews and keeps every notification it gets.
type asker struct {
	name   string
	client *client.Client
	http   *client.HTTP
	stop   context.CancelFunc
	done   chan struct{}

	mu       sync.Mutex // guards the rest
	asked    []*asked
	received []received
	gaps     []client.Gap
	failure  error
	changed  chan struct{} // closed and made anew with every notification
}

// asked is a question that was acknowledged.
type asked struct {
	question

	by            *asker
	correlationID string
	at            time.Time
	// rejected is of a question whose answer is rejected in its review.
	rejected bool
}

// status is how its run is to end.
func (q *asked) status() string {
	if q.Fail || q.rejected {
		return statusCompensated
	}
	return statusSucceeded
}

// received is a notification as it came.
type received struct {
	seq           uint64
	correlationID string
	name          string
	at            time.Time
	answer        answer // of answerReady
	ended         ended  // of questionEnded
}

func newAsker(ctx context.Context, name string, nodes []string) (*asker, error) {
	// Nothing is acknowledged before the end, so that another device can read the
	// whole stream again.
	a := &asker{name: name, done: make(chan struct{}), changed: make(chan struct{})}
	var err error
	if a.client, err = client.Dial(ctx, client.Options{Nodes: nodes, InOrder: true, ClientID: name, Name: name}); err != nil {
		return nil, err
	}
	if a.http, err = client.NewHTTP(client.Options{Nodes: nodes}); err != nil {
		return nil, errors.Join(err, a.client.Close())
	}
	listening, stop := context.WithCancel(ctx)
	a.stop = stop
	go func() {
		defer close(a.done)
		err := a.client.Listen(listening, client.ListenOptions{ManualAck: true, OnGap: a.gap}, a.receive)
		a.note(func() {
			if !errors.Is(err, context.Canceled) {
				a.failure = err
			}
		})
	}()
	return a, nil
}

func (a *asker) close() {
	a.stop()
	<-a.done
	_ = a.client.Close()
}

func (a *asker) note(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *asker) gap(g client.Gap) { a.note(func() { a.gaps = append(a.gaps, g) }) }

func (a *asker) receive(ctx context.Context, n *client.Notification) (err error) {
	got := received{seq: n.Seq, correlationID: n.CorrelationID, name: n.Name, at: time.Now()}
	switch n.Name {
	case answerReady:
		err = n.Data.Decode(&got.answer)
	case questionEnded:
		err = n.Data.Decode(&got.ended)
	case reviewAsked:
		var r review
		if err = n.Data.Decode(&r); err == nil {
			err = a.decide(ctx, &r)
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", n.Name, err)
	}
	a.note(func() { a.received = append(a.received, got) })
	return nil
}

// decide answers a review, while nodes die too.
func (a *asker) decide(ctx context.Context, r *review) error {
	const again = 200 * time.Millisecond
	for {
		err := decide(ctx, a.http, r.Run, r.Answer.Question != onceRejected)
		if refused, ok := errors.AsType[*client.Error](err); err == nil || ok && !refused.Retryable {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(again):
		}
	}
}

func (a *asker) ask(ctx context.Context, q question) (*asked, error) {
	at := time.Now()
	receipt, err := a.client.Publish(ctx, client.Event{Channel: channelAsked, Data: q})
	if err != nil {
		return nil, err
	}
	entry := &asked{question: q, by: a, correlationID: receipt.CorrelationID, at: at, rejected: q.Text == onceRejected}
	a.note(func() { a.asked = append(a.asked, entry) })
	return entry, nil
}

// awaitAll waits until each question's run has ended.
func (a *asker) awaitAll(ctx context.Context) error {
	for {
		a.mu.Lock()
		missing, failure, changed := a.missing(), a.failure, a.changed
		a.mu.Unlock()
		switch {
		case failure != nil:
			return fmt.Errorf("%s listening: %w", a.name, failure)
		case missing == nil:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%s was not told the end of %q (%s): %w", a.name, missing.Text, missing.correlationID, ctx.Err())
		}
	}
}

// missing is a question without an end. The caller holds a.mu.
func (a *asker) missing() *asked {
	over := make(map[string]bool, len(a.received))
	for i := range a.received {
		if a.received[i].name == questionEnded {
			over[a.received[i].correlationID] = true
		}
	}
	for _, q := range a.asked {
		if !over[q.correlationID] {
			return q
		}
	}
	return nil
}
