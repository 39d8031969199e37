package bench

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Config describes a run of the pipeline.
type Config struct {
	// Nodes, Token and Tenant say where.
	Nodes  []string
	Token  string
	Tenant string
	// GivenOnly keeps connections to Nodes, whatever else the cluster has.
	GivenOnly bool
	// Steps is how many workers an event passes.
	Steps int
	// Workflow makes the steps those of a workflow, whose runs the events begin: workers
	// complete with a result, and the run does the rest.
	Workflow bool
	// Hops measures the time from each step to the next.
	Hops bool
	// Rate, in events per second, makes it an open loop, InFlight a closed one.
	Rate     float64
	InFlight int
	// WarmUp comes before Duration, Drain (at most) after it.
	WarmUp   time.Duration
	Duration time.Duration
	Drain    time.Duration
	// Size is the bytes of an event's data.
	Size int
	// Clients and Workers (of each step) are how many connections there are,
	// Credit how many jobs each worker may hold.
	Clients int
	Workers int
	Credit  int
	// Lease is how long a worker's lease is; 0 leaves it to the cluster.
	Lease time.Duration
	// ProbeDir is where the file of the disk probe lives; Probes is how many
	// commits are measured, 0 for none.
	ProbeDir string
	Probes   int
	// Progress receives a line each second, Logger what happens to connections.
	Progress io.Writer
	Logger   *slog.Logger
}

// Bounds of Config.
const (
	minSize    = 96
	maxSize    = 32 << 10
	maxClients = 10_000
)

// Validate says which setting cannot be used.
func (c *Config) Validate() error {
	switch {
	case len(c.Nodes) == 0:
		return errors.New("name a node")
	case (c.Rate > 0) == (c.InFlight > 0):
		return errors.New("give a rate for an open loop, or how many are in flight for a closed one")
	case c.Rate < 0 || c.InFlight < 0:
		return errors.New("rate and in-flight must be positive")
	}
	return c.validateSizes()
}

func (c *Config) validateSizes() error {
	switch {
	case c.Steps < 1 || c.Steps > 100:
		return errors.New("steps must be from 1 to 100")
	case c.Size < minSize || c.Size > maxSize:
		return fmt.Errorf("size must be from %d to %d bytes", minSize, maxSize)
	case c.Duration <= 0 || c.WarmUp < 0 || c.Drain < 0:
		return errors.New("duration must be positive, warm-up and drain not negative")
	case c.Clients < 1 || c.Clients > maxClients || c.Workers < 1 || c.Workers > maxClients || c.Credit < 1:
		return fmt.Errorf("clients and workers must be from 1 to %d, credit positive", maxClients)
	case c.Probes < 0:
		return errors.New("probes must not be negative")
	}
	return nil
}

// rotated are the nodes, the i-th first: connections spread evenly.
func (c *Config) rotated(i int) []string {
	at := i % len(c.Nodes)
	return append(append([]string(nil), c.Nodes[at:]...), c.Nodes[:at]...)
}
