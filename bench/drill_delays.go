package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
)

const (
	delayedEvents = 1_000_000
	delayedBy     = time.Hour
	// delayedWarmUp fills what has a size anyway, before the first look at the memory.
	delayedWarmUp = 200_000
	delayedBytes  = 50e6 // that they may cost
	// dueEvents become due within dueLength, beside a load of dueRate events per second,
	// dueLead after they are published.
	dueEvents = 1000
	dueLength = 10 * time.Second
	dueLead   = 3 * time.Second
	dueRate   = 200
	// dueBound and a commit are how late they may be, each at p99.
	dueBound = 50 * time.Millisecond
)

// delays looks at the memory that delayed events take, and at how late others are that
// become due behind them.
func (d *drill) delays(ctx context.Context) error {
	clients, err := d.dialAll(ctx, make([]string, 8))
	if err != nil {
		return err
	}
	delayed := func(n int) client.Event {
		return client.Event{Channel: d.channel("delayed"), Key: fmt.Sprint("key-", n%backlogKeys), Data: encodeEvent(minSize, n, 0), Delay: delayedBy}
	}
	waiting := func(n int) client.Event {
		return client.Event{Channel: d.channel("waiting"), Key: fmt.Sprint("key-", n%backlogKeys), Data: encodeEvent(minSize, n, 0)}
	}
	if _, err = d.fill(ctx, clients, d.count(delayedWarmUp, 100), waiting); err != nil {
		return err
	}
	before, err := d.settled(ctx)
	if err != nil {
		return err
	}
	events := d.count(delayedEvents, 500)
	d.say("resident %.1f MB; now %d events that are delayed by %v", before.Resident/1e6, events, delayedBy)
	rate, err := d.fill(ctx, clients, events, delayed)
	if err != nil {
		return err
	}
	peak, err := (&idle{config: d.idleConfig()}).look(ctx)
	if err != nil {
		return err
	}
	after, err := d.settled(ctx)
	if err != nil {
		return err
	}
	d.figure("delayed events", float64(events), "")
	d.figure("published at", rate, "events/s")
	d.figure("resident memory before", before.Resident/1e6, "MB")
	d.figure("resident memory just after", peak.Resident/1e6, "MB")
	d.figure("resident memory at rest after", after.Resident/1e6, "MB")
	d.figure("heap in use, before", before.Heap/1e6, "MB")
	d.figure("heap in use, after", after.Heap/1e6, "MB")
	d.atMost("what they cost in memory", (after.Resident-before.Resident)/1e6, delayedBytes/1e6, "MB")
	return d.due(ctx, clients)
}

func (d *drill) idleConfig() *IdleConfig {
	return &IdleConfig{Node: d.config.Nodes[0], Token: d.config.Token, PID: d.config.PID, Debug: d.config.Debug}
}

// settled is what the node takes once it is at rest.
func (d *drill) settled(ctx context.Context) (IdleUse, error) {
	idler := &idle{config: d.idleConfig()}
	if d.config.Scale < 1 {
		return idler.look(ctx)
	}
	return idler.settled(ctx)
}

// dueBook is the account of events that become due.
type dueBook struct {
	mu     sync.Mutex // guards the rest
	late   *hdrhistogram.Histogram
	commit *hdrhistogram.Histogram
	early  int
	twice  int
	seen   map[int]bool
	at     []time.Time
}

// due has events become due while a load runs.
func (d *drill) due(ctx context.Context, clients []*client.Client) error {
	events, length, lead := d.count(dueEvents, 20), d.length(dueLength, 300*time.Millisecond), d.length(dueLead, 300*time.Millisecond)
	b := &dueBook{late: newHistogram(), commit: newHistogram(), seen: make(map[int]bool), at: make([]time.Time, events)}
	begin := time.Now().Add(lead)
	for n := range b.at {
		b.at[n] = time.UnixMilli(begin.Add(length * time.Duration(n) / time.Duration(events)).UnixMilli())
	}
	crews, err := d.dueCrews(ctx, b)
	if err != nil {
		return err
	}
	_, err = d.fill(ctx, clients, events, func(n int) client.Event {
		return client.Event{Channel: d.channel("due"), Key: fmt.Sprint("key-", n), Data: encodeEvent(minSize, n, 0), At: b.at[n]}
	})
	if err == nil {
		d.say("%d events become due, beside %d events/s", events, dueRate)
		err = d.paced(ctx, dueRate, lead+length, func(k int, _ int64) error { return b.load(ctx, clients[k%len(clients)], d.channel("load"), k) })
	}
	if err == nil {
		err = d.until(ctx, crews[0], func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return len(b.seen) == events
		})
	}
	for _, c := range crews {
		err = errors.Join(err, c.dismiss())
	}
	if err != nil {
		return err
	}
	b.tell(d)
	return nil
}

func (d *drill) dueCrews(ctx context.Context, b *dueBook) (crews []*crew, err error) {
	due, err := d.hire(ctx, 2, client.WorkOptions{Channel: d.channel("due"), Credit: 64}, b.came)
	if err != nil {
		return nil, err
	}
	load, err := d.hire(ctx, 2, client.WorkOptions{Channel: d.channel("load"), Credit: 64}, func(context.Context, *client.Job) error { return nil })
	if err != nil {
		return nil, errors.Join(err, due.dismiss())
	}
	return []*crew{due, load}, nil
}

// came is the worker of what is due.
func (b *dueBook) came(_ context.Context, job *client.Job) error {
	now := time.Now()
	n, _, err := decodeEvent(job.Data.Bytes())
	if err != nil || n >= len(b.at) {
		return client.Permanent(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.seen[n] {
		b.twice++
		return nil
	}
	b.seen[n] = true
	late := now.Sub(b.at[n])
	if late < 0 {
		b.early++
	}
	record(b.late, late.Nanoseconds())
	return nil
}

// load publishes an event, and takes the time of its commit.
func (b *dueBook) load(ctx context.Context, c *client.Client, channel string, k int) error {
	begin := time.Now()
	event := client.Event{Channel: channel, Key: fmt.Sprint("key-", k%backlogKeys), Data: encodeEvent(minSize, k, 0)}
	return c.PublishAsync(ctx, event, func(_ client.Receipt, err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err == nil {
			record(b.commit, time.Since(begin).Nanoseconds())
		}
	})
}

func (b *dueBook) tell(d *drill) {
	b.mu.Lock()
	defer b.mu.Unlock()
	late, commit := percentiles(b.late), percentiles(b.commit)
	d.figure("a commit beside, p50", commit.P50, "ms")
	d.figure("a commit beside, p99", commit.P99, "ms")
	d.figure("late, p50", late.P50, "ms")
	d.figure("late, p99", late.P99, "ms")
	d.figure("late, max", late.Max, "ms")
	d.exactly("events before their time", b.early, 0)
	d.exactly("due events that came twice", b.twice, 0)
	d.exactly("due events that came", len(b.seen), len(b.at))
	d.atMost("due events come within 50 ms and a commit (p99)", late.P99, ms(dueBound)+commit.P99, "ms")
}
