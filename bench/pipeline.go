package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/client"
)

// pipeline is one run.
type pipeline struct {
	config *Config
	run    string
	start  time.Time // event times count from here

	clients  []*source
	workers  []*client.Client
	retried  atomic.Int64
	acked    atomic.Int64
	ended    atomic.Int64  // failed to be published
	back     atomic.Int64  // notified
	measured atomic.Int64  // notified while measuring
	hops     *hops         // nil where they are not measured
	places   chan struct{} // of a closed loop: one taken by each event in flight
	fatal    chan error    // room for one
}

// source is a client of the run.
type source struct {
	client *client.Client
	tally  *tally
}

// Pipeline runs the scenario.
func Pipeline(ctx context.Context, config Config) (*Result, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	p := &pipeline{config: &config, run: newRun(), fatal: make(chan error, 1)}
	if config.InFlight > 0 {
		p.places = make(chan struct{}, config.InFlight)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer p.close()
	if err := p.connect(ctx); err != nil {
		return nil, err
	}
	if err := p.applyWorkflow(ctx); err != nil {
		return nil, err
	}
	result := p.describe()
	if err := p.probe(ctx, result); err != nil {
		return nil, err
	}
	var running sync.WaitGroup
	stop := func() {
		cancel()
		running.Wait()
	}
	defer stop()
	p.start = time.Now()
	if config.Hops {
		p.hops = newHops(p.start.Add(config.WarmUp))
	}
	p.startWorkers(ctx, &running)
	p.startClients(ctx, &running)
	if err := p.load(ctx, result); err != nil {
		return nil, err
	}
	p.drain(ctx)
	stop()
	p.sum(result)
	return result, nil
}

func newRun() string {
	var random [4]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:])
}

// channel is the one that a step reads.
func (p *pipeline) channel(step int) string { return fmt.Sprintf("bench.%s.%d", p.run, step) }

func (p *pipeline) options(i int) client.Options {
	c := p.config
	return client.Options{
		Nodes: c.rotated(i), InOrder: true, GivenOnly: c.GivenOnly, Token: c.Token, Tenant: c.Tenant, Logger: c.Logger,
		ConnectAttempts: 4 * len(c.Nodes), MaxPending: 1 << 16, Name: fmt.Sprintf("bench-%s", p.run),
	}
}

// connect opens every connection, in parallel up to a bound.
func (p *pipeline) connect(ctx context.Context) error {
	c := p.config
	p.clients = make([]*source, c.Clients)
	p.workers = make([]*client.Client, c.Steps*c.Workers)
	errs := make(chan error, len(p.clients)+len(p.workers))
	gate := make(chan struct{}, connectAtOnce)
	var wait sync.WaitGroup
	open := func(o client.Options, done func(*client.Client)) {
		wait.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			connected, err := client.Dial(ctx, o)
			if err != nil {
				errs <- err
				return
			}
			done(connected)
		})
	}
	for i := range p.clients {
		o := p.options(i)
		o.ClientID = fmt.Sprintf("bench-%s-%d", p.run, i)
		o.Window = 1024
		open(o, func(c *client.Client) { p.clients[i] = &source{client: c, tally: newTally(p.config.WarmUp)} })
	}
	for i := range p.workers {
		open(p.options(i), func(c *client.Client) { p.workers[i] = c })
	}
	wait.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

const connectAtOnce = 64

func (p *pipeline) close() {
	var wait sync.WaitGroup
	for _, s := range p.clients {
		if s != nil {
			wait.Go(func() { _ = s.client.Close() })
		}
	}
	for _, w := range p.workers {
		if w != nil {
			wait.Go(func() { _ = w.Close() })
		}
	}
	wait.Wait()
}

func (p *pipeline) describe() *Result {
	c := p.config
	r := &Result{
		Scenario: "pipeline", Run: p.run, Nodes: c.Nodes, Loop: "open", Steps: c.Steps, Size: c.Size, Clients: c.Clients,
		Workers: c.Workers, Credit: c.Credit, Rate: c.Rate, InFlight: c.InFlight, Workflow: c.Workflow,
	}
	if c.InFlight > 0 {
		r.Loop = "closed"
	}
	return r
}

func (p *pipeline) probe(ctx context.Context, result *Result) (err error) {
	if p.config.Probes == 0 {
		return nil
	}
	if result.Sync, err = syncProbe(p.config.ProbeDir); err != nil {
		return err
	}
	result.Commit, err = commitProbe(ctx, p.clients[0].client, fmt.Sprintf("bench.%s.probe", p.run), p.config.Probes)
	return err
}

// startWorkers starts the steps: worker i is of step i mod Steps, and connected
// to node i mod the number of nodes.
func (p *pipeline) startWorkers(ctx context.Context, running *sync.WaitGroup) {
	for i, c := range p.workers {
		step := i%p.config.Steps + 1
		next, last := p.channel(step+1), step == p.config.Steps
		running.Go(func() {
			err := c.Work(ctx, client.WorkOptions{
				Channel: p.channel(step), Credit: p.config.Credit, Lease: p.config.Lease,
			}, func(_ context.Context, job *client.Job) error {
				if job.Attempt > 1 {
					p.retried.Add(1)
				}
				if p.hops != nil {
					p.hops.passed(job, step, p.config.Steps)
				}
				switch {
				case p.config.Workflow:
					job.Result(job.Data)
				case last:
					job.Notify("done", job.Data)
				default:
					job.Emit(next, job.Data)
				}
				return nil
			})
			p.die(ctx, fmt.Errorf("a worker of step %d: %w", step, err), err)
		})
	}
}

func (p *pipeline) startClients(ctx context.Context, running *sync.WaitGroup) {
	for _, s := range p.clients {
		running.Go(func() {
			err := s.client.Listen(ctx, client.ListenOptions{}, func(_ context.Context, n *client.Notification) error {
				return p.came(s, n)
			})
			p.die(ctx, fmt.Errorf("a client: %w", err), err)
		})
	}
}

// die ends the run when a part of it ended before its time.
func (p *pipeline) die(ctx context.Context, explained, err error) {
	if err == nil || ctx.Err() != nil || errors.Is(err, client.ErrClosed) {
		return
	}
	select {
	case p.fatal <- explained:
	default:
	}
}

// came takes a notification.
func (p *pipeline) came(s *source, n *client.Notification) error {
	now := time.Since(p.start).Nanoseconds()
	number, due, err := decodeEvent(n.Data.Bytes())
	if err != nil {
		return err
	}
	if !s.tally.came(number, due, now) {
		return nil
	}
	p.back.Add(1)
	if begin := p.config.WarmUp.Nanoseconds(); now >= begin && now < begin+p.config.Duration.Nanoseconds() {
		p.measured.Add(1)
	}
	p.free()
	return nil
}

// free gives back an event's place.
func (p *pipeline) free() {
	if p.places != nil {
		select {
		case <-p.places:
		default: // A duplicate's place is free already.
		}
	}
}

// sum adds up what the clients counted.
func (p *pipeline) sum(result *Result) {
	publish, endToEnd := newHistogram(), newHistogram()
	for _, s := range p.clients {
		t := s.tally
		result.Missing += t.missing()
		t.mu.Lock()
		result.Published += len(t.events)
		result.Acknowledged += t.acked
		result.Failed += t.failed
		result.Notified += t.notified
		result.Duplicates += t.twice
		result.Strange += t.strange
		publish.Merge(t.publish)
		endToEnd.Merge(t.endToEnd)
		t.mu.Unlock()
	}
	result.Retried = int(p.retried.Load())
	result.PublishAck, result.EndToEnd = percentiles(publish), percentiles(endToEnd)
	if p.hops != nil {
		result.Hop = p.hops.percentiles()
	}
	result.Throughput = float64(p.measured.Load()) / result.Seconds
}
