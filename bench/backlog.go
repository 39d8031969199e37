package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/client"
)

// BacklogConfig describes a run that lets events pile up.
type BacklogConfig struct {
	// Nodes, Token and Tenant say where.
	Nodes  []string
	Token  string
	Tenant string
	// Events pile up, WarmUp before the first look at the nodes' memory, so that
	// caches and buffers which have a size anyway are full.
	Events, WarmUp int
	// Sample is how many jobs the rate of dispatch is measured by, before and
	// behind the backlog.
	Sample int
	// Size is the bytes of an event's data.
	Size int
	// Clients are how many connections publish, InFlight how many publishes are
	// under way at any time.
	Clients, InFlight int
	// Workers are how many connections work, each with so much Credit.
	Workers, Credit int
	// Progress receives a line now and then.
	Progress io.Writer
}

// Validate says which setting cannot be used.
func (c *BacklogConfig) Validate() error {
	switch {
	case len(c.Nodes) == 0:
		return errors.New("name a node")
	case c.Events < 1 || c.Sample < 1 || c.WarmUp < 0:
		return errors.New("events and sample must be positive, warm-up not negative")
	case c.Sample > c.Events:
		return errors.New("sample must not be more than events")
	case c.Size < 2 || c.Size > maxSize:
		return fmt.Errorf("size must be from 2 to %d bytes", maxSize)
	case c.Clients < 1 || c.Clients > maxClients || c.Workers < 1 || c.Workers > maxClients || c.InFlight < 1 || c.Credit < 1:
		return fmt.Errorf("clients and workers must be from 1 to %d, in-flight and credit positive", maxClients)
	}
	return nil
}

// BacklogResult is what the run measured.
type BacklogResult struct {
	Scenario string `json:"scenario"`
	Run      string `json:"run"`
	Events   int    `json:"events"`
	Size     int    `json:"size_bytes"`
	// Before and After are the nodes around the backlog.
	Before []NodeUse `json:"before"`
	After  []NodeUse `json:"after"`
	// PublishRate is how many events were acknowledged each second while it grew;
	// DispatchBefore and DispatchAfter how many jobs were completed each second.
	PublishRate    float64 `json:"publish_per_second"`
	DispatchBefore float64 `json:"dispatch_per_second_before"`
	DispatchAfter  float64 `json:"dispatch_per_second_after"`
}

// Growth is by how much the resident memory of the node that grew most did.
func (r *BacklogResult) Growth() (bytes float64) {
	for i := range r.After {
		bytes = max(bytes, r.After[i].Resident-r.Before[i].Resident)
	}
	return bytes
}

// Print writes the result for people.
func (r *BacklogResult) Print(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "backlog of %d events of %d bytes, published at %.0f/s\n\n", r.Events, r.Size, r.PublishRate)
	_, _ = fmt.Fprintf(w, "%-28s %10s %10s %12s\n", "", "resident", "heap", "on disk")
	for i := range r.After {
		for _, line := range []struct {
			when string
			use  *NodeUse
		}{{"before", &r.Before[i]}, {"after", &r.After[i]}} {
			_, _ = fmt.Fprintf(w, "%-20s %-7s %7.1f MB %7.1f MB %9.1f MB\n", line.use.Node, line.when,
				line.use.Resident/1e6, line.use.Heap/1e6, line.use.Disk/1e6)
		}
	}
	_, err := fmt.Fprintf(w, "\nresident memory grew by %.1f MB at most\ndispatch %.0f jobs/s before, %.0f behind the backlog (%.2f)\n",
		r.Growth()/1e6, r.DispatchBefore, r.DispatchAfter, r.DispatchAfter/r.DispatchBefore)
	return err
}

// backlog is one run.
type backlog struct {
	config  *BacklogConfig
	run     string
	clients []*client.Client
	workers []*client.Client
}

// Backlog publishes events that nobody works on, and looks at what that does to
// the nodes' memory and to the rate at which jobs are dispatched.
func Backlog(ctx context.Context, config BacklogConfig) (*BacklogResult, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	b := &backlog{config: &config, run: newRun()}
	defer b.close()
	if err := b.connect(ctx); err != nil {
		return nil, err
	}
	result := &BacklogResult{Scenario: "backlog", Run: b.run, Events: config.Events, Size: config.Size}
	for _, step := range []func(context.Context, *BacklogResult) error{b.warm, b.before, b.grow, b.after} {
		if err := step(ctx, result); err != nil {
			return nil, err
		}
	}
	return result, nil
}

func (b *backlog) channel(of string) string { return "bench." + b.run + "." + of }

func (b *backlog) connect(ctx context.Context) error {
	c := b.config
	for i := range c.Clients + c.Workers {
		at := i % len(c.Nodes)
		connected, err := client.Dial(ctx, client.Options{
			Nodes: append(append([]string(nil), c.Nodes[at:]...), c.Nodes[:at]...), InOrder: true, Token: c.Token, Tenant: c.Tenant,
			ConnectAttempts: 4 * len(c.Nodes), MaxPending: 1 << 16, Name: "bench-" + b.run,
		})
		if err != nil {
			return err
		}
		if i < c.Clients {
			b.clients = append(b.clients, connected)
		} else {
			b.workers = append(b.workers, connected)
		}
	}
	return nil
}

func (b *backlog) close() {
	var wait sync.WaitGroup
	for _, c := range append(b.clients, b.workers...) {
		wait.Go(func() { _ = c.Close() })
	}
	wait.Wait()
}

// warm fills what fills anyway, and measures the dispatch of a short queue.
func (b *backlog) warm(ctx context.Context, result *BacklogResult) (err error) {
	if _, err = b.publish(ctx, "warm", b.config.WarmUp); err != nil {
		return err
	}
	if _, err = b.publish(ctx, "short", b.config.Sample); err != nil {
		return err
	}
	result.DispatchBefore, err = b.dispatch(ctx, "short")
	return err
}

func (b *backlog) before(ctx context.Context, result *BacklogResult) (err error) {
	result.Before, err = lookAt(ctx, b.config.Nodes)
	return err
}

func (b *backlog) grow(ctx context.Context, result *BacklogResult) (err error) {
	if result.PublishRate, err = b.publish(ctx, "long", b.config.Events); err != nil {
		return err
	}
	result.After, err = lookAt(ctx, b.config.Nodes)
	return err
}

func (b *backlog) after(ctx context.Context, result *BacklogResult) (err error) {
	result.DispatchAfter, err = b.dispatch(ctx, "long")
	return err
}

// backlogKeys are how many keys the events have: enough for all partitions.
const backlogKeys = 1024

// publish has so many events acknowledged, and returns how many were each second.
func (b *backlog) publish(ctx context.Context, channel string, events int) (rate float64, err error) {
	data := make([]byte, b.config.Size)
	f := &filling{events: events, inFlight: b.config.InFlight, event: func(n int) client.Event {
		return client.Event{Channel: b.channel(channel), Key: fmt.Sprint("key-", n%backlogKeys), Data: data}
	}}
	done := make(chan struct{})
	var reporting sync.WaitGroup
	reporting.Go(func() { b.report(done, channel, &f.answered, events) })
	defer reporting.Wait()
	defer close(done)
	return fill(ctx, b.clients, f)
}

const backlogReport = 5 * time.Second

func (b *backlog) report(done <-chan struct{}, channel string, acked *atomic.Int64, events int) {
	if b.config.Progress == nil {
		return
	}
	ticker := time.NewTicker(backlogReport)
	defer ticker.Stop()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
			_, _ = fmt.Fprintf(b.config.Progress, "%s: %d of %d events acknowledged\n", channel, acked.Load(), events)
		}
	}
}

// dispatch has workers complete a sample of a channel's jobs, and returns how
// many they completed each second, counted from the first.
func (b *backlog) dispatch(ctx context.Context, channel string) (rate float64, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	var first, last time.Time
	jobs := 0
	count := func() {
		mu.Lock()
		defer mu.Unlock()
		last = time.Now()
		if jobs++; jobs == 1 {
			first = last
		}
		if jobs >= b.config.Sample {
			stop()
		}
	}
	errs := make(chan error, len(b.workers))
	for _, w := range b.workers {
		go func() {
			errs <- w.Work(ctx, client.WorkOptions{
				Channel: b.channel(channel), Credit: b.config.Credit, Report: func(_ *client.Job, err error) {
					if err == nil {
						count()
					}
				},
			}, func(context.Context, *client.Job) error { return nil })
		}()
	}
	for range b.workers {
		err = errors.Join(err, <-errs)
	}
	mu.Lock()
	defer mu.Unlock()
	if err == nil && jobs < b.config.Sample {
		err = ctx.Err()
	}
	return float64(jobs-1) / last.Sub(first).Seconds(), err
}
