package node

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/storage"
)

// gauge is one number of a node.
type gauge struct {
	name, help string
	value      func() float64
}

// registerMetrics adds what the gateway does not know: the process, the store
// and the groups.
func registerMetrics(to prometheus.Registerer, store *storage.Store, c *cluster.Cluster) error {
	gauges := []gauge{
		{"baton_ready", "1 when this node reaches every leader.", func() float64 {
			if c.Ready(context.Background()) == nil {
				return 1
			}
			return 0
		}},
		{"baton_leading_groups", "How many groups this node leads.", func() float64 { return float64(c.Leading()) }},
		{
			"baton_raft_log_bytes", "About how large the Raft logs of this node's groups are together.",
			func() float64 { return float64(c.LogBytes()) },
		},
		{
			"baton_relay_rows", "Events and notifications on their way from partitions that this node leads to others.",
			func() float64 { return float64(c.RelayBacklog().Rows) },
		},
		{
			"baton_relay_bytes", "How large they are together.",
			func() float64 { return float64(c.RelayBacklog().Bytes) },
		},
		{
			"baton_relay_fullest", "The share of its bounds that the fullest of these relays takes; 1 refuses completes.",
			func() float64 { return c.RelayBacklog().Fullest },
		},
		{
			"baton_token_streams", "Token streams that this node keeps as their partition's leader.",
			func() float64 { return float64(c.TokenStats().Streams) },
		},
		{
			"baton_token_bytes", "How large they are together.",
			func() float64 { return float64(c.TokenStats().Bytes) },
		},
		{
			"baton_token_readers", "Readers that wait for more of them.",
			func() float64 { return float64(c.TokenStats().Readers) },
		},
	}
	gauges = append(gauges, limitGauges(c)...)
	errs := []error{
		to.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "baton_token_refused_total", Help: "Token streams, and writes of them, for which this node had no room.",
		}, func() float64 { return float64(c.TokenStats().Refused) })),
		to.Register(collectors.NewGoCollector()),
		to.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})),
	}
	for _, g := range gauges {
		errs = append(errs, to.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: g.name, Help: g.help}, g.value)))
	}
	return errors.Join(append(errs, registerLetters(to, c), registerStore(to, store))...)
}

// limitGauges tell of the limits that jobs share, in the partitions that this node leads.
func limitGauges(c *cluster.Cluster) []gauge {
	return []gauge{
		{
			"baton_limit_keys", "Keys of limits that jobs share whose home is a partition that this node leads, and that something is known of.",
			func() float64 { return float64(c.LimitUse().Keys) },
		},
		{
			"baton_limit_paused", "Those of them that are paused since a job was throttled, or begin gently after that.",
			func() float64 { return float64(c.LimitUse().Paused) },
		},
		{
			"baton_limit_in_flight", "Places in limits that jobs of partitions that this node leads have.",
			func() float64 { return float64(c.LimitUse().InFlight) },
		},
		{
			"baton_limit_waiting", "Jobs of these partitions that stand in line for a place in a limit.",
			func() float64 { return float64(c.LimitUse().Waiting) },
		},
	}
}
