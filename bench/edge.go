package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// EdgeConfig describes a run that shows what a node takes in and gives out over
// WebSockets, beside a NATS server.
type EdgeConfig struct {
	Baton EdgeServer
	// NATS is the server to stand beside; one without a URL leaves it out.
	NATS EdgeServer
	// Connections publish, each with so many messages InFlight; 0 leaves it out. Size is
	// that of a message's data in bytes, quotes included.
	Connections int
	InFlight    int
	Size        int
	// Followers of one channel are sent what one connection publishes; 0 leaves it out.
	Followers int
	// Streams is how many JetStream streams the connections are spread over, as Baton's
	// are over its partitions.
	Streams int
	// Each row is measured for Duration, after WarmUp.
	Duration time.Duration
	WarmUp   time.Duration
	// Slow is how many clients follow and never read, while Rate events per second are
	// published over SlowPublishers connections; 0 leaves it out. Calm is how long that
	// load is measured without them, and with them.
	Slow int
	Rate float64
	Calm time.Duration
	// Progress receives a line now and then.
	Progress io.Writer
}

// EdgeServer is one of the servers: another process, of this machine.
type EdgeServer struct {
	URL string
	// PID is its process, whose time and memory are read from /proc; 0 for unknown. Of
	// Baton its metrics tell them then.
	PID int
	// Debug is the URL of its pprof, by which it is asked to collect garbage; empty for none.
	Debug string
}

const (
	maxEdgeInFlight    = 4096
	maxEdgeConnections = 10_000
	// slowPublishers is how many connections share the load beside slow readers.
	slowPublishers = 8
)

// Validate says which setting cannot be used.
func (c *EdgeConfig) Validate() error {
	for _, count := range []int{c.Connections, c.Followers, c.Slow} {
		if count < 0 || count > maxEdgeConnections {
			return fmt.Errorf("connections, followers and slow must be from 0 to %d", maxEdgeConnections)
		}
	}
	switch {
	case c.Connections+c.Followers+c.Slow == 0:
		return errors.New("nothing to measure: connections, followers and slow are all 0")
	case c.InFlight < 2 || c.InFlight > maxEdgeInFlight || c.InFlight%2 != 0:
		return fmt.Errorf("in-flight must be even, from 2 to %d", maxEdgeInFlight)
	case c.Size < minSize || c.Size > maxSize:
		return fmt.Errorf("size must be from %d to %d bytes", minSize, maxSize)
	case c.Streams < 1 || c.Streams > 256:
		return errors.New("streams must be from 1 to 256")
	case c.NATS.PID < 0:
		return errors.New("nats-pid must be a process")
	}
	return c.validateTimes()
}

func (c *EdgeConfig) validateTimes() error {
	switch {
	case c.Duration <= 0 || c.WarmUp < 0 || c.Calm <= 0:
		return errors.New("duration and calm must be positive, warm-up not negative")
	case c.Slow > 0 && c.Rate <= 0:
		return errors.New("rate must be positive")
	}
	return nil
}

// edge is one run.
type edge struct {
	config *EdgeConfig
	run    string
}

// Edge measures what goes in and out of a node in both encodings, the same of NATS,
// and what readers that hang cost the others.
func Edge(ctx context.Context, config EdgeConfig) (*EdgeResult, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	e := &edge{config: &config, run: newRun()}
	result := &EdgeResult{Scenario: "edge", Run: e.run, Size: config.Size, InFlight: config.InFlight}
	if err := e.measureIn(ctx, result); err != nil {
		return nil, err
	}
	if err := e.measureOut(ctx, result); err != nil {
		return nil, err
	}
	if config.Slow > 0 {
		slow, err := e.measureSlow(ctx)
		if err != nil {
			return nil, fmt.Errorf("slow readers: %w", err)
		}
		result.Slow = slow
	}
	return result, nil
}

func (e *edge) measureIn(ctx context.Context, result *EdgeResult) error {
	if e.config.Connections == 0 {
		return nil
	}
	dialects := e.batonDialects()
	if e.config.NATS.URL != "" {
		dialects = append(dialects, e.natsDialect(natsCore), e.natsDialect(natsJetStream))
	}
	for _, d := range dialects {
		if err := e.row(ctx, result, "in", d, e.in); err != nil {
			return err
		}
	}
	return nil
}

func (e *edge) measureOut(ctx context.Context, result *EdgeResult) error {
	if e.config.Followers == 0 {
		return nil
	}
	dialects := e.batonDialects()
	if e.config.NATS.URL != "" {
		dialects = append(dialects, e.natsDialect(natsFanOut))
	}
	for _, d := range dialects {
		if err := e.row(ctx, result, "out", d, e.out); err != nil {
			return err
		}
	}
	return nil
}

func (e *edge) batonDialects() []edgeDialect {
	return []edgeDialect{newBatonDialect(e, wire.JSON), newBatonDialect(e, wire.Binary)}
}

// row measures one row of the table.
func (e *edge) row(
	ctx context.Context, result *EdgeResult, direction string, d edgeDialect, measure func(context.Context, edgeDialect) (EdgeRow, error),
) error {
	e.say("%s: %s for %v", direction, d.name(), e.config.WarmUp+e.config.Duration)
	row, err := measure(ctx, d)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", direction, d.name(), err)
	}
	row.Direction, row.Server = direction, d.name()
	result.Rows = append(result.Rows, row)
	return nil
}

func (e *edge) say(format string, args ...any) {
	if e.config.Progress != nil {
		_, _ = fmt.Fprintf(e.config.Progress, format+"\n", args...)
	}
}
