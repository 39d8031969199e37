package transport

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// The figures of one run can be compared with each other, not between machines.

// BenchmarkPipeline measures appends of one entry, with so many unanswered.
func BenchmarkPipeline(b *testing.B) {
	for _, inFlight := range []int{1, 16, MaxInFlight} {
		for _, size := range []int{256, 64 << 10} {
			b.Run(fmt.Sprintf("inflight=%d/bytes=%d", inFlight, size), func(b *testing.B) {
				benchmarkPipeline(b, inFlight, size)
			})
		}
	}
}

func benchmarkPipeline(b *testing.B, inFlight, size int) {
	b.Helper()
	from, to := twoNodes(b, newTCPNetwork())
	serveGroup(b, to.Raft(testGroup), accept)
	pipeline, err := from.Raft(testGroup).AppendEntriesPipeline("b.1", "b.1")
	must(b, err)
	args := entriesOf(3, 1, size)
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	waiting := 0
	for range b.N {
		if waiting == inFlight {
			<-pipeline.Consumer()
			waiting--
		}
		_, err := pipeline.AppendEntries(args, &raft.AppendEntriesResponse{})
		must(b, err)
		waiting++
	}
	for ; waiting > 0; waiting-- {
		<-pipeline.Consumer()
	}
	b.StopTimer()
	must(b, pipeline.Close())
}

// BenchmarkHeartbeat measures the round trip of the fast path.
func BenchmarkHeartbeat(b *testing.B) {
	from, to := twoNodes(b, newTCPNetwork())
	to.Raft(testGroup).SetHeartbeatHandler(accept)
	trans := from.Raft(testGroup)
	args := &raft.AppendEntriesRequest{RPCHeader: header(), Term: 3}
	b.ReportAllocs()
	for b.Loop() {
		must(b, trans.AppendEntries("b.1", "b.1", args, &raft.AppendEntriesResponse{}))
	}
}

// BenchmarkLink measures frames one way; hop is one at a time.
func BenchmarkLink(b *testing.B) {
	for _, size := range []int{64, 512, 16 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) { benchmarkLink(b, size, 4096) })
	}
	b.Run("hop", func(b *testing.B) { benchmarkLink(b, 256, 1) })
}

// benchmarkLink keeps at most window frames on their way.
func benchmarkLink(b *testing.B, size int, window int64) {
	b.Helper()
	n := newTCPNetwork()
	handler := &counter{wake: make(chan struct{}, 1)}
	from := start(b, n, Config{Self: "a.1"})
	to := start(b, n, Config{Self: "b.1", Handler: handler})
	from.SetPeers([]NodeID{"b.1"})
	to.SetPeers([]NodeID{"a.1"})
	frame := make([]byte, size)
	eventually(b, "the link is up", func() bool { return from.Send("b.1", frame) == nil })
	before := from.Stats().Link
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	sent := int64(1)
	for range b.N {
		for sent-handler.frames.Load() >= window {
			<-handler.wake
		}
		must(b, from.Send("b.1", frame))
		sent++
	}
	for handler.frames.Load() < sent {
		<-handler.wake
	}
	b.StopTimer()
	after := from.Stats().Link
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
	if writes := after.Writes - before.Writes; writes > 0 {
		b.ReportMetric(float64(after.FramesSent-before.FramesSent)/float64(writes), "frames/write")
	}
}
