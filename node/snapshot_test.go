package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// received counts what a node logs of snapshots that it received.
type received struct {
	slog.Handler

	count atomic.Int64
}

// Handle implements slog.Handler.
func (r *received) Handle(_ context.Context, record slog.Record) error {
	if record.Message == "received a snapshot" {
		r.count.Add(1)
	}
	return nil
}

// Enabled implements slog.Handler.
func (r *received) Enabled(context.Context, slog.Level) bool { return true }

// shortLogs is a node whose log reaches a few entries only, and join are gossip
// addresses. It stops with the test.
func shortLogs(t *testing.T, name, dir string, logger *slog.Logger, join ...string) *node.Node {
	t.Helper()
	return shortLogsAt(t, node.Config{Name: name, DataDir: dir, Join: join, Logger: logger, Listen: "127.0.0.1:0"})
}

// shortLogsAt is shortLogs with an address for clients of its own.
func shortLogsAt(t *testing.T, config node.Config) *node.Node {
	t.Helper()
	config.BootstrapExpect, config.PeerListen, config.GossipListen = 3, "127.0.0.1:0", "127.0.0.1:0"
	config.SnapshotEntries, config.TrailingEntries, config.SnapshotInterval = 8, 4, 50*time.Millisecond
	n, err := node.New(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Stop(context.Background()) })
	return n
}

func stop(t *testing.T, n *node.Node) {
	t.Helper()
	if err := n.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// keys is over how many partition keys events are spread: more than partitions.
const keys = 24

// publish sends a round of events, one for each key, and returns their ids.
func publish(t *testing.T, c *client.Client, round int) []client.Receipt {
	t.Helper()
	var receipts []client.Receipt
	for i := range keys {
		event := client.Event{Channel: "away", IdempotencyKey: fmt.Sprint(round), Data: round}
		if i > 0 { // The first key is the client's own.
			event.Key = fmt.Sprintf("key-%d", i)
		}
		receipt, err := c.Publish(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		receipts = append(receipts, receipt)
	}
	return receipts
}

func agreeAll(t *testing.T, nodes ...*node.Node) {
	t.Helper()
	for group := range uint32(node.DefaultPartitions + 1) {
		waitFor(t, fmt.Sprintf("group %d agrees", group), func() error { return agree(nodes, group) })
	}
}

// TestSnapshotForANodeThatWasAway: a node that comes back when the others have
// truncated what it missed gets snapshots, ends with their hashes, and is as good
// as they are: with it as the other half of a majority, everything is known.
func TestSnapshotForANodeThatWasAway(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	snapshots := &received{Handler: slog.DiscardHandler}
	logger, dir := slog.New(snapshots), t.TempDir()
	first := shortLogs(t, "n1", t.TempDir(), nil)
	second := shortLogs(t, "n2", t.TempDir(), nil, first.GossipAddress())
	third := shortLogs(t, "n3", dir, logger, first.GossipAddress())
	for _, n := range []*node.Node{first, second, third} {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
	}
	c, err := client.Dial(t.Context(), client.Options{Nodes: []string{first.ClientURL()}, InOrder: true, ClientID: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	work(t, c)

	receipts := [][]client.Receipt{publish(t, c, 0)}
	before := snapshots.count.Load()
	// When the others truncate is up to their timers: until they did, what the
	// node missed grows.
	for snapshots.count.Load() == before {
		if len(receipts) > 200 {
			t.Fatal("the node never needed a snapshot")
		}
		stop(t, third)
		for range 20 {
			receipts = append(receipts, publish(t, c, len(receipts)))
		}
		third = shortLogs(t, "n3", dir, logger, first.GossipAddress())
		waitFor(t, "the node is back", func() error { return third.Ready(t.Context()) })
		agreeAll(t, first, second, third)
	}
	t.Logf("%d snapshots were received after %d events", snapshots.count.Load()-before, keys*len(receipts))

	stop(t, second)
	for round, want := range receipts {
		for i, receipt := range publish(t, c, round) {
			if !receipt.Duplicate || receipt.EventID != want[i].EventID {
				t.Fatalf("key %d of round %d sent again: %+v, want a duplicate of event %s", i, round, receipt, want[i].EventID)
			}
		}
	}
	agreeAll(t, first, third)
}

// kept is how many jobs the worker never ends.
const kept = 4

// work does jobs, so that a snapshot has leases, histories, a stream, and events
// that wait.
func work(t *testing.T, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	t.Cleanup(func() {
		cancel()
		<-done
	})
	var jobs atomic.Int64
	go func() {
		defer close(done)
		options := client.WorkOptions{Channel: "away", Lease: time.Hour, Grace: -1, Credit: 2 * kept}
		err := c.Work(ctx, options, func(ctx context.Context, job *client.Job) error {
			if jobs.Add(1) <= kept {
				<-ctx.Done()
				return ctx.Err()
			}
			job.Emit("waiting", job.Data)
			if job.Key == job.ClientID {
				job.Notify("done", job.Data)
			}
			return nil
		})
		if err != nil && !errors.Is(err, client.ErrClosed) {
			t.Error(err)
		}
	}()
}
