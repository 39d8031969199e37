package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
)

// StormConfig describes a run in which many clients connect at once while others
// publish.
type StormConfig struct {
	// Nodes, Token and Tenant say where.
	Nodes  []string
	Token  string
	Tenant string
	// Rate, in events per second, is the load of the others, an open loop over so many
	// Clients, with Size bytes of data.
	Rate    float64
	Clients int
	Size    int
	// Calm is how long the load is measured before the storm, and again after it.
	Calm time.Duration
	// Stormers are how many clients connect, spread over Within, in each of so many Rounds,
	// between which all hang up.
	Stormers int
	Within   time.Duration
	Rounds   int
	// Storm makes the storm; nil for StormClients in this process. Another process
	// disturbs the measuring less.
	Storm func(context.Context, StormClientsConfig) (*StormCount, error)
	// Progress receives a line at each turn.
	Progress io.Writer
}

// maxStormers is what one process may have open under a common limit of descriptors.
const maxStormers = 19_000

// Validate says which setting cannot be used.
func (c *StormConfig) Validate() error {
	switch {
	case len(c.Nodes) == 0:
		return errors.New("name a node")
	case c.Rate <= 0 || c.Clients < 1 || c.Clients > maxClients:
		return fmt.Errorf("rate must be positive, clients from 1 to %d", maxClients)
	case c.Size < 2 || c.Size > maxSize:
		return fmt.Errorf("size must be from 2 to %d bytes", maxSize)
	case c.Calm <= 0 || c.Within <= 0 || c.Rounds < 1 || c.Rounds > 100:
		return errors.New("calm and within must be positive, rounds from 1 to 100")
	case c.Stormers < 1 || c.Stormers > maxStormers:
		return fmt.Errorf("stormers must be from 1 to %d", maxStormers)
	}
	return nil
}

// StormResult is what the run measured. Latencies count from when an event was due.
type StormResult struct {
	Scenario string     `json:"scenario"`
	Run      string     `json:"run"`
	Rate     float64    `json:"rate"`
	Failed   int        `json:"failed"`
	Before   Percentile `json:"before_ms"`
	During   Percentile `json:"during_ms"`
	After    Percentile `json:"after_ms"`
	// Ratio is the p99 during the storm to that before it.
	Ratio float64     `json:"p99_ratio"`
	Storm *StormCount `json:"storm"`
}

// Print writes the result for people.
func (r *StormResult) Print(w io.Writer) error {
	s := r.Storm
	_, _ = fmt.Fprintf(w, "%d clients connected %d times in %.1f s, %.0f/s (refused %d, failed %d), beside %.0f events/s (failed %d)\n\n",
		s.Clients, s.Connected, s.Seconds, s.Rate(), s.Refused, s.Failed, r.Rate, r.Failed)
	_, _ = fmt.Fprintf(w, "%-22s %9s %9s %9s %9s %9s %9s\n", "milliseconds", "p50", "p90", "p99", "p99.9", "max", "count")
	for _, line := range []struct {
		name string
		p    Percentile
	}{{"others, before", r.Before}, {"others, during", r.During}, {"others, after", r.After}, {"connect to welcome", s.Welcome}} {
		_, _ = fmt.Fprintf(w, "%-22s %9.3f %9.3f %9.3f %9.3f %9.3f %9d\n",
			line.name, line.p.P50, line.p.P90, line.p.P99, line.p.P999, line.p.Max, line.p.Count)
	}
	_, err := fmt.Fprintf(w, "\np99 during = %.2f times that before\n", r.Ratio)
	return err
}

// storm is one run.
type storm struct {
	config  *StormConfig
	run     string
	clients []*client.Client
	start   time.Time

	mu     sync.Mutex // guards the rest
	phase  int        // of events that become due now
	phases [stormPhases]*hdrhistogram.Histogram
	failed int
	open   int
	idle   sync.Cond // open is 0
}

// The phases.
const (
	stormBefore = iota
	stormDuring
	stormAfter
	stormPhases
)

// Storm measures what the latency of some clients is while many others connect.
func Storm(ctx context.Context, config StormConfig) (*StormResult, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Storm == nil {
		config.Storm = StormClients
	}
	s := &storm{config: &config, run: newRun(), start: time.Now(), phase: -1}
	s.idle.L = &s.mu
	for i := range s.phases {
		s.phases[i] = newHistogram()
	}
	defer s.close()
	if err := s.connect(ctx); err != nil {
		return nil, err
	}
	count, err := s.measure(ctx)
	if err != nil {
		return nil, err
	}
	return s.result(count), nil
}

func (s *storm) connect(ctx context.Context) error {
	c := s.config
	for i := range c.Clients {
		at := i % len(c.Nodes)
		connected, err := client.Dial(ctx, client.Options{
			Nodes: append(append([]string(nil), c.Nodes[at:]...), c.Nodes[:at]...), InOrder: true, Token: c.Token, Tenant: c.Tenant,
			ConnectAttempts: 4 * len(c.Nodes), MaxPending: 1 << 16, Name: "bench-" + s.run,
		})
		if err != nil {
			return err
		}
		s.clients = append(s.clients, connected)
	}
	return nil
}

func (s *storm) close() {
	var wait sync.WaitGroup
	for _, c := range s.clients {
		wait.Go(func() { _ = c.Close() })
	}
	wait.Wait()
}

// measure runs the load through all phases, and the storm in its own.
func (s *storm) measure(ctx context.Context) (*StormCount, error) {
	loading, stop := context.WithCancel(ctx)
	loaded := make(chan error, 1)
	go func() { loaded <- s.load(loading) }()
	count, err := s.phasesOf(ctx)
	stop()
	err = errors.Join(err, <-loaded)
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.open > 0 {
		s.idle.Wait()
	}
	return count, err
}

func (s *storm) phasesOf(ctx context.Context) (count *StormCount, err error) {
	c := s.config
	rest := func(phase int, name string) {
		s.enter(phase)
		s.say("%s: %v", name, c.Calm)
		select {
		case <-ctx.Done():
		case <-time.After(c.Calm):
		}
	}
	rest(-1, "warming up")
	rest(stormBefore, "before")
	s.enter(stormDuring)
	s.say("the storm: %d clients within %v, %d times", c.Stormers, c.Within, c.Rounds)
	count, err = c.Storm(ctx, StormClientsConfig{
		Nodes: c.Nodes, Token: c.Token, Tenant: c.Tenant, Name: "storm-" + s.run, Clients: c.Stormers, Within: c.Within, Rounds: c.Rounds,
	})
	if err != nil {
		return nil, fmt.Errorf("the storm: %w", err)
	}
	rest(stormAfter, "after")
	return count, ctx.Err()
}

func (s *storm) enter(phase int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = phase
}

func (s *storm) say(format string, args ...any) {
	if s.config.Progress != nil {
		_, _ = fmt.Fprintf(s.config.Progress, "%4.0f s  "+format+"\n", append([]any{time.Since(s.start).Seconds()}, args...)...)
	}
}

// load publishes each event when it is due, or as soon after as it can.
func (s *storm) load(ctx context.Context) error {
	interval := time.Duration(float64(time.Second) / s.config.Rate)
	begin, data := time.Now(), make([]byte, s.config.Size)
	for k := 0; ; k++ {
		due := begin.Add(time.Duration(k) * interval)
		if wait := time.Until(due); wait > 0 {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
		} else if ctx.Err() != nil {
			return nil //nolint:nilerr // The load ends when it is told to.
		}
		if err := s.publish(ctx, k, due, data); err != nil {
			return err
		}
	}
}

func (s *storm) publish(ctx context.Context, k int, due time.Time, data []byte) error {
	s.mu.Lock()
	phase := s.phase
	s.open++
	s.mu.Unlock()
	event := client.Event{Channel: "bench." + s.run, Key: fmt.Sprint("key-", k%backlogKeys), Data: data}
	err := s.clients[k%len(s.clients)].PublishAsync(context.WithoutCancel(ctx), event, func(_ client.Receipt, err error) {
		s.answered(phase, time.Since(due), err)
	})
	if err != nil {
		s.answered(phase, 0, err)
	}
	return err
}

func (s *storm) answered(phase int, took time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open--; s.open == 0 {
		s.idle.Broadcast()
	}
	switch {
	case phase < 0:
	case err != nil:
		s.failed++
	default:
		record(s.phases[phase], took.Nanoseconds())
	}
}

func (s *storm) result(count *StormCount) *StormResult {
	r := &StormResult{
		Scenario: "storm", Run: s.run, Rate: s.config.Rate, Failed: s.failed, Storm: count,
		Before: percentiles(s.phases[stormBefore]), During: percentiles(s.phases[stormDuring]), After: percentiles(s.phases[stormAfter]),
	}
	if r.Before.P99 > 0 {
		r.Ratio = r.During.P99 / r.Before.P99
	}
	return r
}
