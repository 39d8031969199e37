package storage

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// BenchmarkAppend has groups store one 4 KiB entry per sync, on the disk.
func BenchmarkAppend(b *testing.B) {
	for _, groups := range []int{1, 8} {
		b.Run(fmt.Sprintf("groups=%d", groups), func(b *testing.B) {
			s := must(Open(b.TempDir(), Options{}))
			defer closeTest(b, s)
			value := make([]byte, 4096)
			var wait sync.WaitGroup
			b.SetBytes(int64(len(value)))
			b.ResetTimer()
			for group := range groups {
				log := must(s.Log(uint32(group)))
				wait.Go(func() {
					for i := range b.N / groups {
						must(0, log.AppendSynced([]LogRow{{Index: uint64(i) + 1, Value: value}}))
					}
				})
			}
			wait.Wait()
			b.StopTimer()
			m := s.Metrics()
			b.ReportMetric(float64(b.N)/float64(max(m.SyncLatency.Count, 1)), "entries/sync")
			b.ReportMetric(float64(m.SyncLatency.Quantile(0.5).Microseconds()), "sync-p50-us")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

// BenchmarkTx commits 64 commands of five rows each, with two reads apiece: one
// of a row that is not there, one of a row that is: written a moment ago, or
// half the history ago.
func BenchmarkTx(b *testing.B) {
	b.Run("reads=recent", func(b *testing.B) {
		benchmarkTx(b, func(command uint64) uint64 { return command - min(command, 10_000) })
	})
	b.Run("reads=old", func(b *testing.B) {
		benchmarkTx(b, func(command uint64) uint64 { return command / 2 })
	})
}

func benchmarkTx(b *testing.B, older func(uint64) uint64) {
	b.Helper()
	const commands, rows = 64, 5
	s := must(Open(b.TempDir(), Options{}))
	defer closeTest(b, s)
	st := must(s.OpenState(1))
	noise := make([]byte, 1<<20) // Values that compress well would make files of unlike many rows.
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise)
	key := make([]byte, 24)
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		tx := st.Begin()
		tx.BeginEntry(uint64(i)+1, 1)
		for c := range uint64(commands) {
			command := uint64(i)*commands + c
			binary.BigEndian.PutUint64(key, command)
			_, _, _ = tx.Get(key)
			binary.BigEndian.PutUint64(key, older(command))
			_, _, _ = tx.Get(key)
			binary.BigEndian.PutUint64(key, command)
			for r := range rows {
				key[8] = byte(r)
				at := (command*rows + uint64(r)) * 71 % (1<<20 - 70)
				must(0, tx.Set(key, noise[at:at+70]))
			}
			key[8] = 0
		}
		tx.EndEntry()
		must(0, tx.Commit())
	}
	m := s.Metrics()
	b.ReportMetric(100*float64(m.CacheHits)/float64(max(1, m.CacheHits+m.CacheMisses)), "cache-hit-%")
	b.ReportMetric(float64(b.N)*commands/b.Elapsed().Seconds(), "commands/s")
}

// BenchmarkScan starts a scan of ten rows over and over within one transaction.
func BenchmarkScan(b *testing.B) {
	s := must(Open(b.TempDir(), Options{}))
	defer closeTest(b, s)
	st := must(s.OpenState(1))
	tx := st.Begin()
	tx.BeginEntry(1, 1)
	for i := range uint64(100_000) {
		must(0, tx.Set(binary.BigEndian.AppendUint64(nil, i), make([]byte, 70)))
	}
	tx.EndEntry()
	must(0, tx.Commit())
	tx = st.Begin()
	defer tx.Discard()
	var from, to [8]byte
	b.ReportAllocs()
	for i := range b.N {
		start := uint64(i*7919) % 99_000
		binary.BigEndian.PutUint64(from[:], start)
		binary.BigEndian.PutUint64(to[:], start+10)
		must(0, tx.Scan(from[:], to[:], func(_, _ []byte) (bool, error) { return true, nil }))
	}
}

// BenchmarkStream writes a snapshot stream, and counts its bytes beforehand.
func BenchmarkStream(b *testing.B) {
	s := must(Open(b.TempDir(), Options{}))
	defer closeTest(b, s)
	st := must(s.OpenState(1))
	for entry := range uint64(100) {
		tx := st.Begin()
		tx.BeginEntry(entry+1, 1)
		for i := range uint64(1000) {
			must(0, tx.Set(binary.BigEndian.AppendUint64(nil, entry*1000+i), make([]byte, 200)))
		}
		tx.EndEntry()
		must(0, tx.Commit())
	}
	v := st.View()
	defer closeTest(b, v)
	b.SetBytes(must(v.StreamBytes()))
	b.Run("count", func(b *testing.B) {
		b.SetBytes(must(v.StreamBytes()))
		for range b.N {
			_ = must(v.StreamBytes())
		}
	})
	b.Run("write", func(b *testing.B) {
		b.SetBytes(must(v.StreamBytes()))
		for range b.N {
			_ = must(v.WriteTo(discard{}))
		}
	})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
