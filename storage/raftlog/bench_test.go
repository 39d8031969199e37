package raftlog

import (
	"fmt"
	"sync"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

// BenchmarkStoreLogs has groups store entries of 16 KiB as a batcher would, and
// read each back as replication does.
func BenchmarkStoreLogs(b *testing.B) {
	for _, groups := range []int{1, 8} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			s := must(storage.Open(b.TempDir(), storage.Options{}))
			defer func() { check(b, s.Close()) }()
			data := make([]byte, 16<<10)
			var wait sync.WaitGroup
			b.SetBytes(int64(len(data)))
			b.ResetTimer()
			for group := range groups {
				log := must(NewLogStore(s, uint32(group)))
				wait.Go(func() {
					var back raft.Log
					for i := range uint64(b.N / groups) {
						must(0, log.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: data}))
						must(0, log.GetLog(i+1, &back))
					}
				})
			}
			wait.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}
