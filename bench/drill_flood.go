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
	floodRate    = 40 // of the quiet tenant, in events per second
	floodLength  = 15 * time.Second
	floodWarmUp  = time.Second
	// floodWorkers take floodJob for a job, one after the other, and hold floodCredit.
	floodWorkers = 2
	floodCredit  = 8
	floodJob     = time.Millisecond
	// floodRatio is how much the flood may move the quiet tenant's p99.
	floodRatio = 1.2

	quietTenant = "quiet"
)

// flood measures a quiet tenant's latency beside another's flood, and beside the same
// load spread evenly over tenants.
func (d *drill) flood(ctx context.Context) error {
	var flooded, even []float64
	for round := range d.count(floodRounds, 1) {
		one, err := d.floodPhase(ctx, fmt.Sprint("one.", round), 1)
		if err != nil {
			return err
		}
		many, err := d.floodPhase(ctx, fmt.Sprint("many.", round), floodTenants)
		if err != nil {
			return err
		}
		flooded, even = append(flooded, one), append(even, many)
	}
	d.figure("quiet tenant's p99 beside a tenant's flood", median(flooded), "ms")
	d.figure(fmt.Sprintf("quiet tenant's p99, same load of %d tenants", floodTenants), median(even), "ms")
	d.atMost("a flood moves another tenant's p99 by less than a fifth", median(flooded)/median(even), floodRatio, "times")
	return nil
}

// flooding is one phase.
type flooding struct {
	quiet   atomic.Int64 // events of the quiet tenant that were worked on
	drained atomic.Int64 // of the others

	mu      sync.Mutex // guards the rest
	latency *hdrhistogram.Histogram
}

// floodPhase returns the quiet tenant's p99 in milliseconds, from when an event is due
// until a worker begins with it.
func (d *drill) floodPhase(ctx context.Context, of string, tenants int) (p99 float64, err error) {
	channel, events := d.channel(of), d.count(floodEvents, 200)
	if err = d.floodFill(ctx, channel, tenants, events); err != nil {
		return 0, err
	}
	quiet, err := d.dial(ctx, quietTenant)
	if err != nil {
		return 0, err
	}
	f := &flooding{latency: newHistogram()}
	warm := d.now() + floodWarmUp.Nanoseconds()
	if d.config.Scale < 1 {
		warm = 0
	}
	crews, err := d.floodCrews(ctx, f, channel, warm)
	if err != nil {
		return 0, err
	}
	defer func() {
		for _, c := range crews {
			err = errors.Join(err, c.dismiss())
		}
	}()
	published, err := d.floodQuietly(ctx, quiet, channel)
	if err != nil {
		return 0, err
	}
	left := int64(events) - f.drained.Load()
	if left <= 0 && d.config.Scale >= 1 {
		return 0, errors.New("the backlog was gone before the end: the workers are too fast to measure anything")
	}
	if err = d.until(ctx, crews[0], func() bool { return f.quiet.Load() >= published }); err != nil {
		return 0, err
	}
	d.exactly(fmt.Sprintf("the quiet tenant's events beside %d others are worked on once", tenants), int(f.quiet.Load()), int(published))
	f.mu.Lock()
	defer f.mu.Unlock()
	p := percentiles(f.latency)
	d.say("beside %d tenants: p50 %.1f ms, p99 %.1f ms of %d; %d of %d left in the backlog", tenants, p.P50, p.P99, p.Count, left, events)
	return p.P99, nil
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
	_, due, err := decodeEvent(job.Data.Bytes())
	if err != nil {
		return err
	}
	f.quiet.Add(1)
	f.mu.Lock()
	defer f.mu.Unlock()
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
