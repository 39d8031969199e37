package process

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

// watcher is a follower of the load's first channel, and how often it got each event.
type watcher struct {
	name  string
	named bool

	mu  sync.Mutex
	got map[string]int
}

// watch follows until ctx ends. A named one takes some events at a time, each time
// through another node, and comes back behind its commits.
func (w *watcher) watch(ctx context.Context, f *fleet.Fleet, c *client.Client) error {
	options := client.FollowOptions{Channel: channel(1), From: client.FromEarliest}
	if w.named {
		options.Name = w.name
	}
	for turn := 1; ; turn++ {
		left := 40
		err := c.Follow(ctx, options, func(_ context.Context, e *client.FollowedEvent) error {
			w.mu.Lock()
			w.got[e.EventID]++
			w.mu.Unlock()
			if left--; w.named && left == 0 {
				return client.ErrStop
			}
			return nil
		})
		if err != nil || !w.named {
			return err
		}
		_ = c.Close()
		if c, err = client.Dial(ctx, client.Options{Nodes: f.URLs(turn % fleet.NodeCount), InOrder: true}); err != nil {
			return err
		}
		defer func() { _ = c.Close() }()
	}
}

// missing is nil when everything that was acknowledged was got.
func (w *watcher) missing(l *load) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range l.receipts() {
		if w.got[p.EventID] == 0 {
			return fmt.Errorf("%s lacks %s of %s", w.name, p.EventID, p.Client)
		}
	}
	return nil
}

// TestFollowersThroughKills: nodes are killed, the one that leads most and then all,
// while a channel is followed from its first event on. What was acknowledged comes:
// to one socket once, and to a named follower that comes and goes at least once.
func TestFollowersThroughKills(t *testing.T) {
	needProcesses(t)
	f := fleet.Start(t, binary)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	var watchers []*watcher
	for i, named := range []bool{false, false, true} {
		w := &watcher{name: fmt.Sprintf("watcher-%d", i+1), named: named, got: make(map[string]int)}
		watchers = append(watchers, w)
		c := fleet.Dial(t, client.Options{Nodes: f.URLs(i), InOrder: true})
		running.Go(func() {
			if err := w.watch(ctx, f, c); ctx.Err() == nil || !errors.Is(err, context.Canceled) {
				fleet.Report(t, w.name, err)
			}
		})
	}
	l := startLoad(t, f)
	l.awaitNotified(t, underWay)
	nodes, _ := f.ByLeadership(t)
	nodes[0].Process.Kill()
	l.awaitResumed(t, time.Now())
	f.Start(t, nodes[0])
	f.AwaitReady(t)
	l.awaitResumed(t, time.Now())
	f.KillAll()
	f.Start(t, f.Nodes...)
	f.AwaitReady(t)
	l.awaitResumed(t, time.Now())
	l.finish(t)
	for _, w := range watchers {
		fleet.WaitFor(t, "everything is followed", func() error { return w.missing(l) })
	}
	for _, w := range watchers[:2] {
		w.mu.Lock()
		for id, times := range w.got {
			if times != 1 {
				t.Errorf("%s got %s %d times", w.name, id, times)
			}
		}
		w.mu.Unlock()
	}
	f.AwaitAgreement(t)
}
