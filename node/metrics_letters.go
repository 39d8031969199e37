package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/cluster"
)

// letterCollector shows what became of dead letters, by channel. Each node counts what it
// saw as its partitions' leader: the sum over the nodes is the cluster's.
type letterCollector struct {
	cluster     *cluster.Cluster
	made, ended *prometheus.Desc
}

func registerLetters(to prometheus.Registerer, c *cluster.Cluster) error {
	return to.Register(&letterCollector{
		cluster: c,
		made: prometheus.NewDesc("baton_dead_letters_total",
			"Jobs that failed for good while this node led their partition, by channel and reason.", []string{"channel", "reason"}, nil),
		ended: prometheus.NewDesc("baton_dead_letters_ended_total",
			"Dead letters that were redriven or discarded while this node led their partition.", []string{"channel", "how"}, nil),
	})
}

// Describe implements prometheus.Collector.
func (c *letterCollector) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.made
	descs <- c.ended
}

// Collect implements prometheus.Collector.
func (c *letterCollector) Collect(metrics chan<- prometheus.Metric) {
	for _, counted := range c.cluster.LetterCounts() {
		desc := c.made
		if counted.Ended {
			desc = c.ended
		}
		metrics <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(counted.Count), counted.Channel, counted.What)
	}
}
