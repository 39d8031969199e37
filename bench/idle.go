package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// IdleConfig describes a run of connections that do nothing.
type IdleConfig struct {
	// Node is the URL of the node, which must be another process: its descriptors
	// are limited, and so are ours.
	Node   string
	Token  string
	Tenant string
	// TLS is how the node is spoken to over https; nil for the system's way.
	TLS *tls.Config
	// PID is the node's process on this machine, 0 to believe its metrics; Debug is
	// the URL of its pprof, empty for none.
	PID   int
	Debug string
	// Connections are opened, each with a session, at most ConnectRate in a second
	// (0 for as fast as it goes).
	Connections int
	ConnectRate float64
	// ClientIDs gives each session a client id of its own, and so a stream.
	ClientIDs bool
	// Hold is how long they stay before the second look, at least.
	Hold time.Duration
	// Progress receives a line now and then.
	Progress io.Writer
}

// maxIdle bounds the connections of a run; descriptors and ports run out before.
const maxIdle = 1_000_000

// Validate says which setting cannot be used.
func (c *IdleConfig) Validate() error {
	switch {
	case c.Connections < 1 || c.Connections > maxIdle:
		return fmt.Errorf("connections must be from 1 to %d", maxIdle)
	case c.ConnectRate < 0 || c.Hold < 0:
		return errors.New("connect-rate and hold must not be negative")
	case c.PID < 0:
		return errors.New("pid must be a process")
	}
	return nil
}

// IdleResult is what the run measured.
type IdleResult struct {
	Scenario    string `json:"scenario"`
	Run         string `json:"run"`
	Connections int    `json:"connections"`
	ClientIDs   bool   `json:"client_ids"`
	TLS         bool   `json:"tls"`
	// Poller is what the node was told, where it was started for the run.
	Poller string `json:"poller,omitempty"`
	// Before and After are the node's process around the connections.
	Before IdleUse `json:"before"`
	After  IdleUse `json:"after"`
	// ConnectRate is how many sessions were opened each second, Held how long they
	// stayed in seconds, Pings how many were answered meanwhile, and Lost how many
	// connections ended.
	ConnectRate float64 `json:"connects_per_second"`
	Held        float64 `json:"held_seconds"`
	Pings       int64   `json:"pings"`
	Lost        int64   `json:"lost"`
	// PerConnection is the growth of resident memory by connection, in bytes.
	PerConnection float64 `json:"resident_bytes_per_connection"`
}

// Print writes the result for people.
func (r *IdleResult) Print(w io.Writer) error {
	kind := "without client ids"
	if r.ClientIDs {
		kind = "with client ids"
	}
	if r.TLS {
		kind += ", TLS"
	}
	if r.Poller != "" {
		kind += ", poller " + r.Poller
	}
	_, _ = fmt.Fprintf(w, "%d idle connections %s, opened at %.0f/s, held for %.0f s, %d pings answered, %d lost\n\n",
		r.Connections, kind, r.ConnectRate, r.Held, r.Pings, r.Lost)
	_, _ = fmt.Fprintf(w, "%-8s %11s %11s %11s %11s\n", "", "resident", "heap", "stacks", "goroutines")
	for _, line := range []struct {
		when string
		use  *IdleUse
	}{{"before", &r.Before}, {"after", &r.After}} {
		_, _ = fmt.Fprintf(w, "%-8s %8.1f MB %8.1f MB %8.1f MB %11.0f\n",
			line.when, line.use.Resident/1e6, line.use.Heap/1e6, line.use.Stacks/1e6, line.use.Goroutines)
	}
	_, err := fmt.Fprintf(w, "\n%.2f KB resident for each connection\n", r.PerConnection/1000)
	return err
}

// idle is one run.
type idle struct {
	config *IdleConfig
	run    string
	pings  atomic.Int64
	lost   atomic.Int64
	over   atomic.Bool // what ends now is not lost
	open   []*idler
	work   sync.WaitGroup
}

// Idle opens connections that do nothing but answer pings, and looks at what they
// cost the node in memory.
func Idle(ctx context.Context, config IdleConfig) (*IdleResult, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	r := &idle{config: &config, run: newRun()}
	defer r.close()
	result := &IdleResult{Scenario: "idle", Run: r.run, Connections: config.Connections, ClientIDs: config.ClientIDs}
	for _, step := range []func(context.Context, *IdleResult) error{r.warm, r.before, r.connect, r.hold, r.after} {
		if err := step(ctx, result); err != nil {
			return nil, err
		}
	}
	result.PerConnection = (result.After.Resident - result.Before.Resident) / float64(config.Connections)
	return result, nil
}

// idleWarmUp is how many connections come and go before the first look, so that
// what is made once is made.
const idleWarmUp = 200

func (r *idle) warm(ctx context.Context, _ *IdleResult) error {
	if err := r.dial(ctx, min(idleWarmUp, r.config.Connections)); err != nil {
		return err
	}
	r.close()
	r.over.Store(false)
	return nil
}

func (r *idle) before(ctx context.Context, result *IdleResult) (err error) {
	result.Before, err = r.settled(ctx)
	return err
}

func (r *idle) connect(ctx context.Context, result *IdleResult) error {
	begin := time.Now()
	if err := r.dial(ctx, r.config.Connections); err != nil {
		return err
	}
	result.ConnectRate = float64(r.config.Connections) / time.Since(begin).Seconds()
	result.TLS = r.open[0].secure
	return nil
}

func (r *idle) hold(ctx context.Context, result *IdleResult) error {
	begin := time.Now()
	r.report("all are open, holding for %v", r.config.Hold)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(r.config.Hold):
	}
	use, err := r.settled(ctx)
	result.After, result.Held = use, time.Since(begin).Seconds()
	return err
}

func (r *idle) after(_ context.Context, result *IdleResult) error {
	result.Pings, result.Lost = r.pings.Load(), r.lost.Load()
	if result.Lost > 0 {
		return fmt.Errorf("%d of %d connections ended while they were held", result.Lost, r.config.Connections)
	}
	return nil
}

func (r *idle) report(format string, args ...any) {
	if r.config.Progress != nil {
		_, _ = fmt.Fprintf(r.config.Progress, format+"\n", args...)
	}
}

// close ends all connections there are.
func (r *idle) close() {
	r.over.Store(true)
	for _, c := range r.open {
		_ = c.conn.Close()
	}
	r.open = nil
	r.work.Wait()
}
