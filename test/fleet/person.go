package fleet

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/history"
)

// Lease is the lease of a Person's worker: short enough to be waited for.
const Lease = 2 * time.Second

// Person is one client of a test, and what became of what it published.
type Person struct {
	Name, Device string
	Fleet        *Fleet
	History      history.Log
}

// Connect connects the person to a node.
func (p *Person) Connect(t *testing.T, at int) *client.Client {
	t.Helper()
	c := Dial(t, client.Options{Nodes: p.Fleet.URLs(at), InOrder: true, ClientID: p.Name, DeviceID: p.Device})
	p.History.Add(history.Attached{Client: p.Name})
	return c
}

// Publish publishes a key to a channel.
func (p *Person) Publish(t *testing.T, c *client.Client, channel, key string) client.Receipt {
	t.Helper()
	receipt, err := c.Publish(t.Context(), client.Event{Channel: channel, IdempotencyKey: key, Data: key})
	if err != nil {
		t.Fatal(err)
	}
	p.History.Add(history.Published{Client: p.Name, Key: key, EventID: receipt.EventID, Duplicate: receipt.Duplicate})
	return receipt
}

// Listen takes so many notifications, and returns the keys in their order.
func (p *Person) Listen(t *testing.T, c *client.Client, most int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var keys []string
	options := client.ListenOptions{OnGap: func(g client.Gap) {
		p.History.Add(history.Gapped{Client: p.Name, From: g.From, To: g.To, Reason: g.Reason})
	}}
	err := c.Listen(ctx, options, func(_ context.Context, n *client.Notification) error {
		r := Notified(p.Name, n)
		p.History.Add(r)
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

// Missed takes what a connection has waiting, until the stream is live.
func (p *Person) Missed(t *testing.T, c *client.Client) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	var keys []string
	live := errors.New("the stream is live")
	ctx, synced := context.WithCancelCause(ctx)
	defer synced(nil)
	options := client.ListenOptions{OnSynced: func(uint64) { synced(live) }}
	err := c.Listen(ctx, options, func(_ context.Context, n *client.Notification) error {
		r := Notified(p.Name, n)
		p.History.Add(r)
		keys = append(keys, r.Key)
		return nil
	})
	if !errors.Is(context.Cause(ctx), live) {
		t.Fatalf("the stream does not become live: %v", err)
	}
	return keys
}

// Lastly publishes once more and takes the notification. Nothing may come
// before it: what a fault had caused would be in the stream by then.
func (p *Person) Lastly(t *testing.T, c *client.Client, channel string) {
	t.Helper()
	p.Publish(t, c, channel, "last")
	if keys := p.Listen(t, c, 1); keys[0] != "last" {
		t.Errorf("%s got %s after all that it was owed", p.Name, keys[0])
	}
	p.Check(t)
}

// Check holds all that the person saw to the promises.
func (p *Person) Check(t *testing.T) {
	t.Helper()
	Check(t, &p.History)
}

// Worker starts a worker of a channel, one job at a time, that answers with the
// data. It ends with the test, or when it is stopped.
func (p *Person) Worker(t *testing.T, at int, name, channel string) (stop func()) {
	t.Helper()
	options := client.WorkOptions{Channel: channel, Credit: 1, Lease: Lease, Report: Reporter(&p.History, name)}
	return p.Fleet.Work(t, at, name, options, func(_ context.Context, job *client.Job) error {
		p.History.Add(Granted(name, job))
		job.Notify("done", job.Data)
		return nil
	})
}

// AwaitGrant waits until a worker was given an event, and returns how.
func (p *Person) AwaitGrant(t *testing.T, worker, eventID string) history.Granted {
	t.Helper()
	var found history.Granted
	WaitFor(t, worker+" gets the job", func() error {
		for _, r := range p.History.Records() {
			if g, ok := r.(history.Granted); ok && g.Worker == worker && g.EventID == eventID {
				found = g
				return nil
			}
		}
		return fmt.Errorf("event %s was not granted to it", eventID)
	})
	return found
}

// Marks counts the marks of an event's lineage.
func Marks(t *testing.T, c *client.Client, eventID, mark string) int {
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
