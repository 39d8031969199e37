package node_test

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// What TestRelays sends: so many events in each of so many rounds, so many
// leaves of each, and a notification of each leaf, and of the event itself, to
// one of so many listeners.
const (
	relayRounds    = 3
	relayEvents    = 24
	relayLeaves    = 6
	relayListeners = 5
)

// ledger is what took effect, by name, with the ids it took effect under.
type ledger struct {
	mu     sync.Mutex
	leaves map[string]map[string]bool
	heard  map[string]map[uint64]string
}

func (l *ledger) leaf(name, event string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leaves[name] == nil {
		l.leaves[name] = make(map[string]bool)
	}
	l.leaves[name][event] = true
}

func (l *ledger) hear(listener string, seq uint64, what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, again := l.heard[listener][seq]; again && before != what {
		return fmt.Errorf("%s: seq %d is %s and %s", listener, seq, before, what)
	}
	l.heard[listener][seq] = what
	return nil
}

// missing says how much has not arrived yet.
func (l *ledger) missing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	heard := 0
	for _, of := range l.heard {
		heard += len(of)
	}
	events := relayRounds * relayEvents
	if leaves, want := len(l.leaves), events*relayLeaves; leaves < want || heard < want+events {
		return fmt.Errorf("%d of %d leaves, %d of %d notifications", leaves, want, heard, want+events)
	}
	return nil
}

// check wants each leaf to be one event, and each notification to be there once.
func (l *ledger) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, ids := range l.leaves {
		if len(ids) != 1 {
			t.Errorf("leaf %s is the events %v", name, slices.Sorted(maps.Keys(ids)))
		}
	}
	times := make(map[string]int)
	for _, of := range l.heard {
		for _, what := range of {
			times[what]++
		}
	}
	for what, count := range times {
		if count != 1 {
			t.Errorf("%s was notified %d times", what, count)
		}
	}
}

func listenerOf(n int) string { return fmt.Sprintf("listener-%d", n%relayListeners) }

// addressOf is where a node listens for clients: it comes back there, or those
// that know only former addresses would be lost.
func addressOf(t *testing.T, n *node.Node) string {
	t.Helper()
	at, err := url.Parse(n.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	return at.Host
}

func dial(t *testing.T, nodes []*node.Node, clientID string) *client.Client {
	t.Helper()
	options := client.Options{ClientID: clientID}
	for _, n := range nodes {
		options.Nodes = append(options.Nodes, n.ClientURL())
	}
	c, err := client.Dial(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// relayWork emits the leaves of each event to other keys and notifies a listener;
// each leaf notifies another one.
func relayWork(t *testing.T, c *client.Client, l *ledger) {
	t.Helper()
	for channel, handler := range map[string]client.Handler{
		"root": func(_ context.Context, job *client.Job) error {
			for i := range relayLeaves {
				name := fmt.Sprintf("%s.%d", job.Key, i)
				job.Emit("leaf", i, client.WithKey(name), client.WithHeader("name", name))
			}
			job.NotifyClient(listenerOf(len(job.Key)), "root", job.Key)
			return nil
		},
		"leaf": func(_ context.Context, job *client.Job) error {
			l.leaf(job.Headers["name"], job.EventID)
			job.NotifyClient(listenerOf(job.Attempt+int(job.Key[len(job.Key)-1])), "leaf", job.Key)
			return nil
		},
	} {
		go func() {
			_ = c.Work(t.Context(), client.WorkOptions{Channel: channel, Credit: 32, Lease: 2 * time.Second}, handler)
		}()
	}
}

// TestRelays: jobs emit to other keys and notify other clients, in all
// partitions, while one node after the other stops and comes back. Everything
// takes effect once, its trace tells all of it, and the replicas agree.
func TestRelays(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var nodes []*node.Node
	for i, dir := range dirs {
		var join []string
		if i > 0 {
			join = append(join, nodes[0].GossipAddress())
		}
		nodes = append(nodes, shortLogs(t, fmt.Sprintf("n%d", i+1), dir, nil, join...))
	}
	for _, n := range nodes {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
	}
	l := &ledger{leaves: make(map[string]map[string]bool), heard: make(map[string]map[uint64]string)}
	for i := range relayListeners {
		name := listenerOf(i)
		l.heard[name] = make(map[uint64]string)
		c := dial(t, nodes, name)
		go func() {
			_ = c.Listen(t.Context(), client.ListenOptions{}, func(_ context.Context, n *client.Notification) error {
				var key string
				if err := n.Data.Decode(&key); err != nil {
					return err
				}
				return l.hear(name, n.Seq, n.Name+" "+key)
			})
		}()
	}
	for range 2 {
		relayWork(t, dial(t, nodes, ""), l)
	}
	publisher := dial(t, nodes, "")
	var roots []string
	for round := range relayRounds {
		for i := range relayEvents {
			if i == relayEvents/2 {
				stop(t, nodes[round])
			}
			receipt, err := publisher.Publish(t.Context(), client.Event{Channel: "root", Key: fmt.Sprintf("root-%d-%d", round, i)})
			if err != nil {
				t.Fatal(err)
			}
			roots = append(roots, receipt.CorrelationID)
		}
		nodes[round] = shortLogsAt(t, node.Config{
			Name: fmt.Sprintf("n%d", round+1), DataDir: dirs[round], Listen: addressOf(t, nodes[round]),
			Join: []string{nodes[(round+1)%len(nodes)].GossipAddress()},
		})
		for _, n := range nodes {
			waitFor(t, "the node is back", func() error { return n.Ready(t.Context()) })
		}
	}
	waitFor(t, "everything arrives", l.missing)
	l.check(t)
	for _, root := range roots {
		waitFor(t, "the trace of "+root, func() error { return wholeTrace(t.Context(), publisher, root) })
	}
	agreeAll(t, nodes...)
	l.check(t)
}

// wholeTrace wants a root's trace to have all its leaves, each once and with
// what it notified.
func wholeTrace(ctx context.Context, c *client.Client, root string) error {
	trace, err := c.Trace(ctx, root)
	if err != nil {
		return err
	}
	marks := make(map[string]int)
	for i := range trace.Marks {
		marks[trace.Marks[i].Mark]++
	}
	sent := marks["relayed"] + marks["emitted"]
	switch {
	case len(trace.Events) != 1+relayLeaves:
		return fmt.Errorf("%d events in the trace of %s", len(trace.Events), root)
	case marks["completed"] != 1+relayLeaves || marks["notified"] != 1+relayLeaves:
		return fmt.Errorf("%d marks of completion, %d of notification", marks["completed"], marks["notified"])
	case sent < relayLeaves || marks["relayed"] == 0:
		return fmt.Errorf("%d leaves were emitted, %d were relayed", marks["emitted"], marks["relayed"])
	case !slices.IsSortedFunc(trace.Marks, func(a, b client.TraceMark) int { return int(a.Time - b.Time) }):
		return fmt.Errorf("the marks of %s are not in the order of time", root)
	}
	return nil
}
