package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
)

// The flood: so many events lie in the backlog, of one tenant or spread over many, while
// another tenant publishes at a small steady rate.
const (
	floodEvents  = 100_000
	floodTenants = 20
	floodRounds  = 3
	floodRate    = 20 // of the quiet tenant, in events per second
	floodLength  = 20 * time.Second
	floodWarmUp  = time.Second
	// floodWorkers take floodJob for a job, one after the other, and hold floodCredit.
	floodWorkers = 4
	floodCredit  = 8
	floodJob     = time.Millisecond
	// floodRatio is how much the flood may move the quiet tenant's p99.
	floodRatio = 1.2

	quietTenant = "quiet"
)

// flood measures a quiet tenant's latency beside another's flood, and beside the same
// load spread evenly over tenants.
func (d *drill) flood(ctx context.Context) error {
	phases := []floodPhase{
		{name: "one", tenants: 1, latency: newHistogram()}, {name: "many", tenants: floodTenants, latency: newHistogram()},
	}
	for round := range d.count(floodRounds, 1) {
		for i := range phases {
			if err := d.floodOnce(ctx, &phases[i], round); err != nil {
				return err
			}
		}
	}
	published, done, twice := 0, 0, 0
	for i := range phases {
		p := &phases[i]
		published, done, twice = published+p.published, done+p.done, twice+p.twice
	}
	flooded, even := percentiles(phases[0].latency), percentiles(phases[1].latency)
	d.figure("quiet tenant beside a tenant's flood, p50", flooded.P50, "ms")
	d.figure("quiet tenant beside a tenant's flood, p99", flooded.P99, "ms")
	d.figure(fmt.Sprintf("quiet tenant, same load of %d tenants, p50", floodTenants), even.P50, "ms")
	d.figure(fmt.Sprintf("quiet tenant, same load of %d tenants, p99", floodTenants), even.P99, "ms")
	d.figure("jobs done beside the flood", phases[0].speed, "jobs/s")
	d.figure(fmt.Sprintf("jobs done beside %d tenants", floodTenants), phases[1].speed, "jobs/s")
	d.exactly("the quiet tenant's events are worked on", done, published)
	d.exactly("the quiet tenant's events that came twice", twice, 0)
	d.atMost("a flood moves another tenant's p99 by less than a fifth", flooded.P99/even.P99, floodRatio, "times")
	return nil
}

// floodPhase is what one kind of load is, and does to the quiet tenant.
type floodPhase struct {
	name            string
	tenants         int
	published, done int // of the quiet tenant
	twice           int
	speed           float64 // of the others' jobs, in the last round
	// latency is from when an event is due until a worker begins with it.
	latency *hdrhistogram.Histogram
}

// flooding is one round of a phase.
type flooding struct {
	quiet   atomic.Int64 // events of the quiet tenant that were worked on
	drained atomic.Int64 // of the others

	mu      sync.Mutex // guards the rest
	latency *hdrhistogram.Histogram
	seen    map[int]bool // of the quiet tenant, by number
	twice   int
}

// floodOnce is a round of a phase.
func (d *drill) floodOnce(ctx context.Context, p *floodPhase, round int) (err error) {
	channel, events := d.channel(fmt.Sprint(p.name, ".", round)), d.count(floodEvents, 200)
	if err = d.floodFill(ctx, channel, p.tenants, events); err != nil {
		return err
	}
	quiet, err := d.dial(ctx, quietTenant)
	if err != nil {
		return err
	}
	f := &flooding{latency: newHistogram(), seen: make(map[int]bool)}
	warm := d.now()
	if d.config.Scale >= 1 {
		warm += floodWarmUp.Nanoseconds()
	}
	begin := time.Now()
	crews, err := d.floodCrews(ctx, f, channel, warm)
	defer func() {
		for _, c := range crews {
			err = errors.Join(err, c.dismiss())
		}
	}()
	if err != nil {
		return err
	}
	published, err := d.floodQuietly(ctx, quiet, channel)
	if err != nil {
		return err
	}
	drained := f.drained.Load()
	p.speed = float64(drained) / time.Since(begin).Seconds()
	if drained >= int64(events) && d.config.Scale >= 1 {
		return errors.New("the backlog was gone before the end: the workers are too fast to measure anything")
	}
	if err = d.until(ctx, crews[0], func() bool { return f.quiet.Load() >= published }); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	p.published, p.done, p.twice = p.published+int(published), p.done+len(f.seen), p.twice+f.twice
	p.latency.Merge(f.latency)
	took := percentiles(f.latency)
	d.say("%d tenants: %.0f jobs/s; quiet one p50 %.1f ms, p99 %.1f ms of %d", p.tenants, p.speed, took.P50, took.P99, took.Count)
	return nil
}

func (d *drill) floodFill(ctx context.Context, channel string, tenants, events int) error {
	names := make([]string, tenants)
	for i := range names {
		names[i] = fmt.Sprint("flood-", i)
	}
	clients, err := d.dialAll(ctx, names)
	if err != nil {
		return err
	}
	_, err = d.fill(ctx, clients, events, func(n int) client.Event {
		return client.Event{Channel: channel, Key: fmt.Sprint("key-", n%backlogKeys), Data: encodeEvent(minSize, n, d.now())}
	})
	return err
}

// floodCrews starts the workers, each of which does one job at a time.
func (d *drill) floodCrews(ctx context.Context, f *flooding, channel string, warm int64) (crews []*crew, err error) {
	for range floodWorkers {
		var turn sync.Mutex
		c, err := d.hire(ctx, 1, client.WorkOptions{Channel: channel, Credit: floodCredit}, func(_ context.Context, job *client.Job) error {
			turn.Lock()
			defer turn.Unlock()
			if err := f.took(job, d.now(), warm); err != nil {
				return err
			}
			time.Sleep(floodJob)
			return nil
		})
		if err != nil {
			return crews, err
		}
		crews = append(crews, c)
	}
	return crews, nil
}

func (f *flooding) took(job *client.Job, now, warm int64) error {
	if job.Tenant != quietTenant {
		f.drained.Add(1)
		return nil
	}
	n, due, err := decodeEvent(job.Data.Bytes())
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[n] {
		f.twice++
		return nil
	}
	f.seen[n] = true
	f.quiet.Add(1)
	if due >= warm {
		record(f.latency, now-due)
	}
	return nil
}

// floodQuietly is the quiet tenant; it returns how many events it published.
func (d *drill) floodQuietly(ctx context.Context, quiet *client.Client, channel string) (published int64, err error) {
	err = d.paced(ctx, floodRate, d.length(floodLength, 500*time.Millisecond), func(k int, due int64) error {
		published++
		event := client.Event{Channel: channel, Key: fmt.Sprint("key-", k%backlogKeys), Data: encodeEvent(minSize, k, due)}
		return quiet.PublishAsync(ctx, event, func(client.Receipt, error) {})
	})
	return published, err
}
