package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// BenchmarkPublishBesideChunks publishes on one node, alone and while a worker writes
// a thousand chunks a second to readers, and reports both percentiles and their ratio.
func BenchmarkPublishBesideChunks(b *testing.B) {
	n := benchNode(b)
	c, err := client.Dial(b.Context(), client.Options{Nodes: []string{n.ClientURL()}, ClientID: "ana"})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	publish := func(channel string, count int) (took []time.Duration, last string) {
		for range count {
			start := time.Now()
			published, err := c.Publish(b.Context(), client.Event{Channel: channel, Data: 1})
			if err != nil {
				b.Fatal(err)
			}
			took, last = append(took, time.Since(start)), published.EventID
		}
		slices.Sort(took)
		return took, last
	}
	const rounds = 200
	var alone, beside []time.Duration
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	var chunks, read atomic.Int64
	var on atomic.Bool
	const streams = 10
	running.Go(func() {
		_ = c.Work(ctx, client.WorkOptions{Channel: "questions", Credit: streams, Grace: -1}, func(ctx context.Context, job *client.Job) error {
			ticker := time.NewTicker(streams * time.Millisecond) // A hundred a second, of each of ten.
			defer ticker.Stop()
			for {
				select {
				case <-ctx.Done():
					return context.Cause(ctx)
				case <-ticker.C:
					if on.Load() {
						_, _ = job.Stream("").WriteString("token ")
						chunks.Add(1)
					}
				}
			}
		})
	})
	for range streams {
		_, id := publish("questions", 1)
		running.Go(func() {
			for chunk, err := range c.ReadStream(ctx, id, client.StreamPosition{}) {
				if err == nil {
					read.Add(int64(len(chunk.Data)))
				}
			}
		})
	}
	busy := time.Duration(0)
	for b.Loop() {
		on.Store(false)
		took, _ := publish("other", rounds)
		alone = append(alone, took...)
		on.Store(true)
		start := time.Now()
		took, _ = publish("other", rounds)
		beside = append(beside, took...)
		busy += time.Since(start)
	}
	on.Store(false)
	cancel()
	running.Wait()
	for _, share := range []int{50, 99} {
		slices.Sort(alone)
		slices.Sort(beside)
		one, other := alone[len(alone)*share/100], beside[len(beside)*share/100]
		b.ReportMetric(float64(one.Microseconds()), fmt.Sprintf("alone-p%d-us", share))
		b.ReportMetric(float64(other.Microseconds()), fmt.Sprintf("beside-p%d-us", share))
		b.ReportMetric(float64(other)/float64(one), fmt.Sprintf("ratio-p%d", share))
	}
	b.ReportMetric(float64(chunks.Load())/busy.Seconds(), "chunks/s")
	b.ReportMetric(float64(read.Load())/busy.Seconds(), "read-B/s")
}

func benchNode(b *testing.B) *node.Node {
	b.Helper()
	n, err := node.New(node.Config{
		Name: "n1", DataDir: b.TempDir(), Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := n.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = n.Stop(context.Background()) })
	for n.Ready(b.Context()) != nil {
		time.Sleep(10 * time.Millisecond)
	}
	return n
}
