package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// What the tests of lineages send: so many of them, so many leaves each.
const (
	lineageRoots  = 12
	lineageLeaves = 6
)

// endsOf collects what a client is told of ends, by correlation id.
type endsOf struct {
	mu   sync.Mutex
	ends map[string][]client.End
}

// hear listens for ends as a client. at is called with each, before it is noted.
func hear(t *testing.T, c *client.Client, at func(client.End)) *endsOf {
	t.Helper()
	e := &endsOf{ends: make(map[string][]client.End)}
	go func() {
		_ = c.Listen(t.Context(), client.ListenOptions{}, func(_ context.Context, n *client.Notification) error {
			var end client.End
			if err := n.Data.Decode(&end); err != nil {
				return err
			}
			if n.Name != "over" || n.CorrelationID != end.CorrelationID || n.EventID != end.EventID {
				t.Errorf("%s of %s, %s: %+v", n.Name, n.CorrelationID, n.EventID, end)
			}
			at(end)
			e.mu.Lock()
			defer e.mu.Unlock()
			e.ends[end.CorrelationID] = append(e.ends[end.CorrelationID], end)
			return nil
		})
	}()
	return e
}

// told wants each lineage's end to have been told, in one state.
func (e *endsOf) told(lineages map[string]string, state string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for correlation, event := range lineages {
		ends := e.ends[correlation]
		if len(ends) != 1 || ends[0].EventID != event || ends[0].State != state {
			return fmt.Errorf("the end of %s, begun by %s, was told as %+v", correlation, event, ends)
		}
	}
	return nil
}

// publishRoots publishes events that want to know their end; returned are their ids
// by their correlation ids.
func publishRoots(t *testing.T, c *client.Client) map[string]string {
	t.Helper()
	roots := make(map[string]string)
	for i := range lineageRoots {
		event := client.Event{Channel: "root", Key: fmt.Sprintf("root-%d", i), OnEnd: "over"}
		if i%2 == 1 {
			event.CorrelationID = fmt.Sprintf("story-%d", i)
		}
		receipt, err := c.Publish(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		roots[receipt.CorrelationID] = receipt.EventID
	}
	return roots
}

// spread has a job of each root emit leaves to other keys.
func spread(_ context.Context, job *client.Job) error {
	for i := range lineageLeaves {
		job.Emit("leaf", job.CorrelationID, client.WithKey(fmt.Sprintf("%s.%d", job.Key, i)))
	}
	return nil
}

func startWork(t *testing.T, c *client.Client, channel string, handler client.Handler) {
	t.Helper()
	go func() { _ = c.Work(t.Context(), client.WorkOptions{Channel: channel, Credit: 256}, handler) }()
}

// ended is nil when a trace says that all has ended.
func ended(ctx context.Context, c *client.Client, correlation string) error {
	trace, err := c.Trace(ctx, correlation)
	if err != nil {
		return err
	}
	if !trace.Ended || trace.Open != 0 {
		return fmt.Errorf("of %s %d are open, ended %v", correlation, trace.Open, trace.Ended)
	}
	return nil
}

// TestEndIsToldOnce: jobs emit to other keys, in all partitions, and those to others
// again. The client of the event that began it is told once, when the last has ended
// and not before.
func TestEndIsToldOnce(t *testing.T) {
	nodes := startThree(t)
	var mu sync.Mutex
	twigs := make(map[string]int)
	listener := dial(t, nodes, "ana")
	heard := hear(t, listener, func(end client.End) {
		mu.Lock()
		defer mu.Unlock()
		if twigs[end.CorrelationID] != lineageLeaves {
			t.Errorf("the end of %s was told after %d of %d twigs", end.CorrelationID, twigs[end.CorrelationID], lineageLeaves)
		}
	})
	worker := dial(t, nodes, "")
	startWork(t, worker, "root", spread)
	startWork(t, worker, "leaf", func(_ context.Context, job *client.Job) error {
		job.Emit("twig", nil, client.WithKey("twig of "+job.Key))
		return nil
	})
	roots := publishRoots(t, listener)
	waitFor(t, "an open lineage says so", func() error {
		for root := range roots {
			trace, err := listener.Trace(t.Context(), root)
			if err != nil || trace.Ended || trace.Open == 0 {
				return fmt.Errorf("%+v, %w", trace, err)
			}
		}
		return nil
	})
	startWork(t, worker, "twig", func(_ context.Context, job *client.Job) error {
		mu.Lock()
		defer mu.Unlock()
		twigs[job.CorrelationID]++
		return nil
	})
	waitFor(t, "all ends are told", func() error { return heard.told(roots, "completed") })
	for root := range roots {
		if err := ended(t.Context(), listener, root); err != nil {
			t.Error(err)
		}
	}
	agreeAll(t, nodes...)
	if err := heard.told(roots, "completed"); err != nil {
		t.Error(err)
	}
}

// TestCancelReachesAll: a client cancels its lineages while their leaves are in work
// all over the cluster. Each worker is told to stop; what they emit nevertheless is
// worked on by nobody; and the ends are told.
func TestCancelReachesAll(t *testing.T) {
	nodes := startThree(t)
	listener := dial(t, nodes, "ana")
	heard := hear(t, listener, func(client.End) {})
	worker := dial(t, nodes, "")
	startWork(t, worker, "root", spread)
	begun := make(chan struct{}, lineageRoots*lineageLeaves)
	startWork(t, worker, "leaf", func(ctx context.Context, job *client.Job) error {
		begun <- struct{}{}
		<-ctx.Done()
		if stop, ok := errors.AsType[*client.CanceledError](context.Cause(ctx)); !ok || stop.Reason != "enough" {
			t.Errorf("a job ended by %v", context.Cause(ctx))
		}
		job.Emit("never", nil, client.WithKey("after "+job.Key))
		return nil
	})
	startWork(t, worker, "never", func(_ context.Context, job *client.Job) error {
		t.Errorf("%s was worked on, of a canceled lineage", job.EventID)
		return nil
	})
	roots := publishRoots(t, listener)
	for range lineageRoots * lineageLeaves {
		<-begun
	}
	stranger := dial(t, nodes, "bob")
	for root := range roots {
		if err := stranger.CancelLineage(t.Context(), root, "not mine"); !errors.Is(err, client.ErrNotFound) {
			t.Errorf("another client's cancel: %v", err)
		}
		if err := listener.CancelLineage(t.Context(), root, "enough"); err != nil {
			t.Error(err)
		}
	}
	waitFor(t, "all ends are told", func() error { return heard.told(roots, "canceled") })
	for root := range roots {
		if err := ended(t.Context(), listener, root); err != nil {
			t.Error(err)
		}
	}
	if err := listener.CancelLineage(t.Context(), "nothing of it", ""); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("a cancel of nothing: %v", err)
	}
	agreeAll(t, nodes...)
}

// TestTooManyUnfinished: a client over its limit is refused until something of its
// has ended; nobody else notices.
func TestTooManyUnfinished(t *testing.T) {
	n := startOne(t, func(c *node.Config) { c.MaxUnfinished = 3 })
	post := func(clientID string) (status int, body string) {
		response, err := http.Post(n.ClientURL()+"/v1/events", "application/json",
			strings.NewReader(fmt.Sprintf(`{"channel":"work","client_id":%q,"data":1}`, clientID)))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		if err = errors.Join(err, response.Body.Close()); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(text)
	}
	for i := range 4 {
		status, body := post("greedy")
		if refused := status == http.StatusTooManyRequests && strings.Contains(body, "too_many_unfinished"); refused != (i == 3) {
			t.Fatalf("publish %d: %d %s", i, status, body)
		}
		if status, body = post("modest"); i < 3 && status != http.StatusOK {
			t.Fatalf("another client's publish %d: %d %s", i, status, body)
		}
	}
	greedy := dial(t, []*node.Node{n}, "greedy")
	stored := make(chan error, 1)
	go func() {
		_, err := greedy.Publish(t.Context(), client.Event{Channel: "work"})
		stored <- err
	}()
	startWork(t, dial(t, []*node.Node{n}, ""), "work", func(context.Context, *client.Job) error { return nil })
	select {
	case err := <-stored:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("all of the client's work has ended, and it may not publish")
	}
}
