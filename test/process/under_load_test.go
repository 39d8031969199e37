package process

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/history"
)

// TestUnderLoad: what goes wrong outside of the nodes, while they have others to
// serve.
func TestUnderLoad(t *testing.T) {
	needProcesses(t)
	f := startFleet(t)
	l := startLoad(t, f)
	l.awaitNotified(t, underWay)
	t.Run("a worker is killed", func(t *testing.T) { workerIsKilled(t, f) })
	t.Run("a worker is paused", func(t *testing.T) { workerIsPaused(t, f) })
	t.Run("a complete comes late", func(t *testing.T) { completeComesLate(t, f) })
	t.Run("a key is sent a hundred times", func(t *testing.T) { keyIsSentOften(t, f) })
	t.Run("a client goes away", func(t *testing.T) { clientGoesAway(t, f) })
	l.finish(t)
	f.awaitAgreement(t)
}

// person is one client of a subtest, and what became of what it published.
type person struct {
	name    string
	fleet   *fleet
	history history.Log
}

// connect connects the person to a node.
func (p *person) connect(t *testing.T, at int) *client.Client {
	t.Helper()
	c := dial(t, client.Options{Nodes: p.fleet.urls(at), InOrder: true, ClientID: p.name})
	p.history.Add(history.Attached{Client: p.name})
	return c
}

// publish publishes a key to a channel.
func (p *person) publish(t *testing.T, c *client.Client, channel, key string) client.Receipt {
	t.Helper()
	receipt, err := c.Publish(t.Context(), client.Event{Channel: channel, IdempotencyKey: key, Data: key})
	if err != nil {
		t.Fatal(err)
	}
	p.history.Add(history.Published{Client: p.name, Key: key, EventID: receipt.EventID, Duplicate: receipt.Duplicate})
	return receipt
}

// listen takes so many notifications, and returns the keys in their order.
func (p *person) listen(t *testing.T, c *client.Client, most int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var keys []string
	options := client.ListenOptions{OnGap: func(g client.Gap) {
		p.history.Add(history.Gapped{Client: p.name, From: g.From, To: g.To, Reason: g.Reason})
	}}
	err := c.Listen(ctx, options, func(_ context.Context, n *client.Notification) error {
		r := notified(p.name, n)
		p.history.Add(r)
		if keys = append(keys, r.Key); len(keys) == most {
			return client.ErrStop
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%d of %d notifications came: %v", len(keys), most, err)
	}
	return keys
}

// missed takes what a connection has waiting, until the stream is live.
func (p *person) missed(t *testing.T, c *client.Client) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var keys []string
	live := errors.New("the stream is live")
	ctx, synced := context.WithCancelCause(ctx)
	defer synced(nil)
	options := client.ListenOptions{OnSynced: func(uint64) { synced(live) }}
	err := c.Listen(ctx, options, func(_ context.Context, n *client.Notification) error {
		r := notified(p.name, n)
		p.history.Add(r)
		keys = append(keys, r.Key)
		return nil
	})
	if !errors.Is(context.Cause(ctx), live) {
		t.Fatalf("the stream does not become live: %v", err)
	}
	return keys
}

// lastly publishes once more and takes the notification. Nothing may come
// before it: what a fault had caused would be in the stream by then.
func (p *person) lastly(t *testing.T, c *client.Client, channel string) {
	t.Helper()
	p.publish(t, c, channel, "last")
	if keys := p.listen(t, c, 1); keys[0] != "last" {
		t.Errorf("%s got %s after all that it was owed", p.name, keys[0])
	}
	check(t, &p.history)
}

// worker starts a worker of a channel, one job at a time, that answers with the
// data. It ends with the test.
func (p *person) worker(t *testing.T, at int, name, channel string) {
	t.Helper()
	c := dial(t, client.Options{Nodes: p.fleet.urls(at), InOrder: true, Name: name})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	go func() {
		defer close(done)
		options := client.WorkOptions{Channel: channel, Credit: 1, Lease: lease, Report: reporter(&p.history, name)}
		report(t, name, c.Work(ctx, options, func(_ context.Context, job *client.Job) error {
			p.history.Add(granted(name, job))
			job.Notify("done", job.Data)
			return nil
		}))
	}()
}

// awaitGrant waits until a worker was given an event, and returns how.
func (p *person) awaitGrant(t *testing.T, worker, eventID string) history.Granted {
	t.Helper()
	var found history.Granted
	waitFor(t, worker+" gets the job", func() error {
		for _, r := range p.history.Records() {
			if g, ok := r.(history.Granted); ok && g.Worker == worker && g.EventID == eventID {
				found = g
				return nil
			}
		}
		return fmt.Errorf("event %s was not granted to it", eventID)
	})
	return found
}

// marks counts the marks of an event's lineage.
func marks(t *testing.T, c *client.Client, eventID, mark string) int {
	t.Helper()
	trace, err := c.Trace(t.Context(), eventID)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i := range trace.Marks {
		if trace.Marks[i].Mark == mark {
			n++
		}
	}
	return n
}
