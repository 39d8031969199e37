package sim

import (
	"math/rand/v2"
	"time"

	"github.com/batonmq/baton/cluster"
)

// The actors' numbers, for their random sources; clients and workers count on
// from theirs.
const (
	actorPlan    = 1
	actorFaults  = 2
	actorJudge   = 3
	actorClients = 1000
	actorStreams = 2000
	actorWorkers = 3000
	actorDisks   = 4000
)

// plan is what an episode is like.
type plan struct {
	nodes, clients, workers int
	partitions              uint32
	// events is how many each client publishes.
	events int
	// faults is how many there are, lull how long one lasts at most until the next.
	faults int
	lull   time.Duration
	tuning cluster.Tuning
}

func planOf(seed uint64) plan {
	random := rand.New(rand.NewPCG(seed, actorPlan))
	p := plan{
		nodes: 3, partitions: 1 + random.Uint32N(3), clients: 3 + random.IntN(4), workers: 3 + random.IntN(3),
		events: 12 + random.IntN(28), faults: 4 + random.IntN(12), lull: time.Duration(1+random.IntN(5)) * time.Second,
	}
	p.tuning = cluster.Tuning{
		SnapshotEntries: 8 + random.Uint64N(64), TrailingEntries: 4 + random.Uint64N(32),
		SnapshotInterval: time.Duration(200+random.IntN(3000)) * time.Millisecond,
	}
	return p
}
