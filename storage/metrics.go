package storage

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// eventCounts is filled by the event listener.
type eventCounts struct {
	backgroundErrors atomic.Uint64
	corruptions      atomic.Uint64
	slowOperations   atomic.Uint64
	writeStalls      atomic.Uint64
}

// Metrics is one reading of the store's counters and gauges. Counters count
// from Open.
type Metrics struct {
	// SyncLatency holds one observation per sync of the write-ahead log.
	SyncLatency Histogram
	// WALStall is how long the operation under way on the write-ahead log has taken.
	WALStall time.Duration
	// WALBytes is the size of the live part of the write-ahead log.
	WALBytes uint64
	// WALBytesWritten counts bytes written to the write-ahead log.
	WALBytesWritten uint64
	// DiskBytes is what all files take.
	DiskBytes uint64
	// MemTableBytes and MemTables are what has not been flushed.
	MemTableBytes uint64
	MemTables     int64
	// Flushes and Compactions count finished ones; CompactionDebtBytes waits.
	Flushes             int64
	Compactions         int64
	CompactionDebtBytes uint64
	// ReadAmplification is the number of sorted runs a read may have to look at.
	ReadAmplification int
	// CacheHits and CacheMisses count block look-ups.
	CacheHits   int64
	CacheMisses int64
	// Snapshots is the number of open views.
	Snapshots int
	// WriteStalls, SlowOperations, BackgroundErrors and Corruptions count events.
	WriteStalls      uint64
	SlowOperations   uint64
	BackgroundErrors uint64
	Corruptions      uint64
}

// Histogram counts observations in buckets of rising upper bounds.
type Histogram struct {
	Count   uint64
	Sum     time.Duration
	Buckets []Bucket
}

// Bucket counts the observations at or below UpTo, those of lower buckets included.
type Bucket struct {
	UpTo       time.Duration
	Cumulative uint64
}

// Quantile returns the upper bound of the bucket that holds quantile q, between
// 0 and 1; 0 when there are no observations.
func (h Histogram) Quantile(q float64) time.Duration {
	if h.Count == 0 || len(h.Buckets) == 0 {
		return 0
	}
	rank := q * float64(h.Count)
	for _, bucket := range h.Buckets {
		if float64(bucket.Cumulative) >= rank {
			return bucket.UpTo
		}
	}
	return h.Buckets[len(h.Buckets)-1].UpTo
}

// Metrics reads the counters. It takes locks of the engine: call it per scrape,
// not per command.
func (s *Store) Metrics() Metrics {
	m := s.db.Metrics()
	return Metrics{
		SyncLatency:         readHistogram(m.LogWriter.FsyncLatency),
		WALStall:            s.WALStall(),
		WALBytes:            m.WAL.Size,
		WALBytesWritten:     m.WAL.BytesWritten,
		DiskBytes:           m.DiskSpaceUsage(),
		MemTableBytes:       m.MemTable.Size,
		MemTables:           m.MemTable.Count,
		Flushes:             m.Flush.Count,
		Compactions:         m.Compact.Count,
		CompactionDebtBytes: m.Compact.EstimatedDebt,
		ReadAmplification:   m.ReadAmp(),
		CacheHits:           m.BlockCache.Hits,
		CacheMisses:         m.BlockCache.Misses,
		Snapshots:           m.Snapshots.Count,
		WriteStalls:         s.events.writeStalls.Load(),
		SlowOperations:      s.events.slowOperations.Load(),
		BackgroundErrors:    s.events.backgroundErrors.Load(),
		Corruptions:         s.events.corruptions.Load(),
	}
}

func readHistogram(h prometheus.Histogram) Histogram {
	var metric dto.Metric
	if h == nil || h.Write(&metric) != nil || metric.GetHistogram() == nil {
		return Histogram{}
	}
	read := metric.GetHistogram()
	result := Histogram{Count: read.GetSampleCount(), Sum: time.Duration(read.GetSampleSum())}
	for _, bucket := range read.GetBucket() {
		result.Buckets = append(result.Buckets, Bucket{
			UpTo:       time.Duration(bucket.GetUpperBound()),
			Cumulative: bucket.GetCumulativeCount(),
		})
	}
	return result
}
