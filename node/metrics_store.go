package node

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/storage"
)

// storeCollector reads the store's metrics once a scrape.
type storeCollector struct {
	store   *storage.Store
	syncs   *prometheus.Desc
	numbers []storeNumber
}

type storeNumber struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*storage.Metrics) float64
}

func registerStore(to prometheus.Registerer, store *storage.Store) error {
	c := &storeCollector{
		store: store,
		syncs: prometheus.NewDesc("baton_store_sync_seconds", "Latency of the syncs of the write-ahead log.", nil, nil),
	}
	c.add("baton_store_disk_bytes", "What all files take.", prometheus.GaugeValue,
		func(m *storage.Metrics) float64 { return float64(m.DiskBytes) })
	c.add("baton_store_wal_written_bytes_total", "Bytes written to the write-ahead log.", prometheus.CounterValue,
		func(m *storage.Metrics) float64 { return float64(m.WALBytesWritten) })
	c.add("baton_store_compaction_debt_bytes", "What waits to be compacted.", prometheus.GaugeValue,
		func(m *storage.Metrics) float64 { return float64(m.CompactionDebtBytes) })
	c.add("baton_store_write_stalls_total", "Times that writes had to wait for flushes or compactions.", prometheus.CounterValue,
		func(m *storage.Metrics) float64 { return float64(m.WriteStalls) })
	c.add("baton_store_corruptions_total", "Corrupt blocks found.", prometheus.CounterValue,
		func(m *storage.Metrics) float64 { return float64(m.Corruptions) })
	var already prometheus.AlreadyRegisteredError
	if err := to.Register(c); err != nil && !errors.As(err, &already) {
		return err
	}
	return nil
}

// Describe implements prometheus.Collector.
func (c *storeCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.syncs
	for _, n := range c.numbers {
		descs <- n.desc
	}
}

// Collect implements prometheus.Collector.
func (c *storeCollector) Collect(metrics chan<- prometheus.Metric) {
	m := c.store.Metrics()
	buckets := make(map[float64]uint64, len(m.SyncLatency.Buckets))
	for _, b := range m.SyncLatency.Buckets {
		buckets[b.UpTo.Seconds()] = b.Cumulative
	}
	metrics <- prometheus.MustNewConstHistogram(c.syncs, m.SyncLatency.Count, m.SyncLatency.Sum.Seconds(), buckets)
	for _, n := range c.numbers {
		metrics <- prometheus.MustNewConstMetric(n.desc, n.kind, n.value(&m))
	}
}

func (c *storeCollector) add(name, help string, kind prometheus.ValueType, value func(*storage.Metrics) float64) {
	c.numbers = append(c.numbers, storeNumber{desc: prometheus.NewDesc(name, help, nil, nil), kind: kind, value: value})
}
