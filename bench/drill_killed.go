package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/batonmq/baton/client"
)

const (
	killedRounds = 5
	killedJobs   = 16
	killedLease  = time.Second
	// killedWait is how long after a lease's term its job may be leased again,
	// killedRequeue how long after the socket is lost, where that ends leases.
	killedWait    = 100 * time.Millisecond
	killedRequeue = 100 * time.Millisecond
)

// killed kills a worker that holds jobs, and measures when another one has them: in a
// channel whose leases outlive a socket, and in one where they end with it.
func (d *drill) killed(ctx context.Context) error {
	if d.config.Victim == nil {
		return errors.New("there is nobody who starts workers")
	}
	wait, err := d.killedIn(ctx, "wait")
	if err != nil {
		return err
	}
	requeue, err := d.killedIn(ctx, "requeue")
	if err != nil {
		return err
	}
	d.figure("lease", ms(killedLease), "ms")
	for _, line := range []struct {
		policy string
		p      Percentile
	}{{"wait", wait}, {"requeue", requeue}} {
		d.figure("on_disconnect "+line.policy+": leased again after, p50", line.p.P50, "ms")
		d.figure("on_disconnect "+line.policy+": leased again after, max", line.p.Max, "ms")
	}
	jobs := d.count(killedRounds, 1) * killedJobs
	d.exactly("jobs leased again with on_disconnect wait", int(wait.Count), jobs)
	d.exactly("jobs leased again with on_disconnect requeue", int(requeue.Count), jobs)
	d.atMost("a killed worker's jobs are leased again when their lease is over", wait.Max, ms(killedLease+killedWait), "ms")
	d.atMost("and at once with on_disconnect requeue", requeue.Max, ms(killedRequeue), "ms")
	return nil
}

func ms(length time.Duration) float64 { return float64(length) / float64(time.Millisecond) }

// killedIn has rounds with one policy.
func (d *drill) killedIn(ctx context.Context, policy string) (p Percentile, err error) {
	took := newHistogram()
	for round := range d.count(killedRounds, 1) {
		channel := d.channel(fmt.Sprint(policy, ".", round))
		if err = d.change(ctx, channel, client.ChannelSettings{OnDisconnect: &policy}); err != nil {
			return p, err
		}
		if err = d.killOne(ctx, channel, took); err != nil {
			return p, err
		}
		d.say("on_disconnect %s: %d jobs are leased again", policy, killedJobs)
	}
	return percentiles(took), nil
}

// killOne has a worker hold jobs, kills it, and records when each has come to another.
func (d *drill) killOne(ctx context.Context, channel string, took *hdrhistogram.Histogram) (err error) {
	asking, err := d.dial(ctx, "")
	if err != nil {
		return err
	}
	if err = d.publishAll(ctx, asking, channel, killedJobs); err != nil {
		return err
	}
	victim, err := d.config.Victim(ctx, VictimConfig{
		Nodes: d.config.Nodes, Token: d.config.Token, Name: "bench-" + d.run, Channel: channel, Jobs: killedJobs, Lease: killedLease,
	})
	if err != nil {
		return fmt.Errorf("a worker to kill: %w", err)
	}
	defer func() { err = errors.Join(err, victim.Kill()) }()
	came := make(chan int, killedJobs+1) // Attempts.
	options := client.WorkOptions{Channel: channel, Credit: 2 * killedJobs, Lease: killedLease}
	other, err := d.hire(ctx, 1, options, func(_ context.Context, job *client.Job) error {
		came <- job.Attempt
		return nil
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.dismiss()) }()
	// One that the other gets, since the victim has all it can hold: it is ready then.
	if err = d.publishAll(ctx, asking, channel, 1); err != nil {
		return err
	}
	if _, err = next(ctx, came); err != nil {
		return err
	}
	begin := time.Now()
	if err = victim.Kill(); err != nil {
		return err
	}
	for range killedJobs {
		attempt, err := next(ctx, came)
		if err != nil {
			return err
		}
		if attempt < 2 {
			return fmt.Errorf("a job of the killed worker came in attempt %d", attempt)
		}
		record(took, time.Since(begin).Nanoseconds())
	}
	return nil
}

func next[T any](ctx context.Context, from <-chan T) (one T, err error) {
	select {
	case one = <-from:
		return one, nil
	case <-ctx.Done():
		return one, ctx.Err()
	}
}

func (d *drill) publishAll(ctx context.Context, asking *client.Client, channel string, events int) error {
	_, err := d.fill(ctx, []*client.Client{asking}, events, func(n int) client.Event {
		return client.Event{Channel: channel, Key: fmt.Sprint("key-", n), Data: n}
	})
	return err
}
