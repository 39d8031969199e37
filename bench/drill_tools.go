package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/batonmq/baton/client"
)

// count scales a number of things, and is at least least.
func (d *drill) count(whole, least int) int {
	return max(int(float64(whole)*d.config.Scale), least)
}

// length scales a time of measuring, and is at least least.
func (d *drill) length(whole, least time.Duration) time.Duration {
	return max(time.Duration(float64(whole)*d.config.Scale), least)
}

func (d *drill) channel(of string) string { return "bench." + d.run + "." + of }

func (d *drill) say(format string, args ...any) {
	if d.config.Progress != nil {
		_, _ = fmt.Fprintf(d.config.Progress, "%s %4.0f s  "+format+"\n", append([]any{d.name, time.Since(d.start).Seconds()}, args...)...)
	}
}

// now is the time since the drill began, in nanoseconds.
func (d *drill) now() int64 { return time.Since(d.start).Nanoseconds() }

func (d *drill) options(tenant string) client.Options {
	nodes := d.config.Nodes
	return client.Options{
		Nodes: nodes, InOrder: true, Token: d.config.Token, Tenant: tenant,
		ConnectAttempts: 4 * len(nodes), MaxPending: 1 << 16, Name: "bench-" + d.run,
	}
}

// dial connects for a tenant: one without a name works on jobs of all tenants, and
// publishes for the tenant default.
func (d *drill) dial(ctx context.Context, tenant string) (*client.Client, error) {
	connected, err := client.Dial(ctx, d.options(tenant))
	if err == nil {
		d.close = append(d.close, connected.Close)
	}
	return connected, err
}

// dialAll connects for each of the tenants.
func (d *drill) dialAll(ctx context.Context, tenants []string) ([]*client.Client, error) {
	all := make([]*client.Client, 0, len(tenants))
	for _, tenant := range tenants {
		connected, err := d.dial(ctx, tenant)
		if err != nil {
			return nil, err
		}
		all = append(all, connected)
	}
	return all, nil
}

func (d *drill) http() (*client.HTTP, error) { return client.NewHTTP(d.options("")) }

// change gives a channel settings.
func (d *drill) change(ctx context.Context, channel string, settings client.ChannelSettings) error {
	h, err := d.http()
	if err == nil {
		_, err = h.ChangeChannel(ctx, channel, settings)
	}
	return err
}

// fillInFlight is how many publishes of a fill are under way at any time.
const fillInFlight = 2048

// fill has so many events acknowledged, in turn by each of the clients, and returns how
// many were each second.
func (d *drill) fill(ctx context.Context, clients []*client.Client, events int, event func(n int) client.Event) (rate float64, err error) {
	return fill(ctx, clients, &filling{events: events, inFlight: fillInFlight, event: event})
}

// paced does something at a fixed rate, each time when it is due or as soon after as it can.
func (d *drill) paced(ctx context.Context, rate float64, length time.Duration, do func(k int, due int64) error) error {
	begin := d.now()
	for k := 0; ; k++ {
		due := time.Duration(float64(k) * float64(time.Second) / rate)
		if due >= length {
			return nil
		}
		if wait := due - time.Duration(d.now()-begin); wait > 0 {
			if err := pause(ctx, wait); err != nil {
				return err
			}
		}
		if err := do(k, begin+due.Nanoseconds()); err != nil {
			return err
		}
	}
}

// crew is workers of a channel.
type crew struct {
	stop   context.CancelFunc
	work   sync.WaitGroup
	failed chan error // room for one of each
}

// hire starts so many workers, of all tenants.
func (d *drill) hire(ctx context.Context, workers int, options client.WorkOptions, handler client.Handler) (*crew, error) {
	clients, err := d.dialAll(ctx, make([]string, workers))
	if err != nil {
		return nil, err
	}
	c := &crew{failed: make(chan error, workers)}
	ctx, c.stop = context.WithCancel(ctx)
	for _, worker := range clients {
		c.work.Go(func() {
			if failure := worker.Work(ctx, options, handler); failure != nil {
				c.failed <- failure
			}
		})
	}
	return c, nil
}

// dismiss waits for the workers, and returns why one ended before its time.
func (c *crew) dismiss() error {
	c.stop()
	c.work.Wait()
	close(c.failed)
	var all error
	for err := range c.failed {
		all = errors.Join(all, err)
	}
	return all
}

// waitInterval is how often a condition is looked at.
const waitInterval = 10 * time.Millisecond

// until waits for a condition, or an error of the workers.
func (d *drill) until(ctx context.Context, c *crew, done func() bool) error {
	ticker := time.NewTicker(waitInterval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-c.failed:
			return err
		case <-ticker.C:
		}
	}
	return nil
}

// median is the one in the middle, or the mean of the two there; of none it is 0.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}
