package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/batonmq/baton/client"
)

const (
	cancelTimes  = 200
	cancelWarmUp = 5 // the first finds the worker's subscription under way
	// cancelBound and a commit are what a cancel may take to reach the worker, each at p99.
	cancelBound = 50 * time.Millisecond
)

// cancelRun is what the drill's worker and its client tell each other.
type cancelRun struct {
	began chan string // an event's id
	heard chan time.Time
}

// cancel cancels events that a worker has, and measures when it hears of it.
func (d *drill) cancel(ctx context.Context) error {
	asking, err := d.dial(ctx, "")
	if err != nil {
		return err
	}
	r := &cancelRun{began: make(chan string, 1), heard: make(chan time.Time, 1)}
	c, err := d.hire(ctx, 1, client.WorkOptions{Channel: d.channel("work"), Credit: 1}, r.work)
	if err != nil {
		return err
	}
	commit, heard, times := newHistogram(), newHistogram(), d.count(cancelTimes, 3)
	d.say("%d events are canceled, one after the other", times)
	for n := range cancelWarmUp + times {
		if n == cancelWarmUp {
			commit, heard = newHistogram(), newHistogram()
		}
		begin := time.Now()
		if _, err = asking.Publish(ctx, client.Event{Channel: d.channel("commit"), Key: fmt.Sprint("key-", n), Data: n}); err != nil {
			break
		}
		record(commit, time.Since(begin).Nanoseconds())
		var took time.Duration
		if took, err = d.cancelOne(ctx, asking, r, n); err != nil {
			break
		}
		record(heard, took.Nanoseconds())
	}
	if err = errors.Join(err, c.dismiss()); err != nil {
		return err
	}
	commits, cancels := percentiles(commit), percentiles(heard)
	d.figure("single commit, p50", commits.P50, "ms")
	d.figure("single commit, p99", commits.P99, "ms")
	d.figure("cancel until the worker hears it, p50", cancels.P50, "ms")
	d.figure("cancel until the worker hears it, p99", cancels.P99, "ms")
	d.exactly("workers that heard", int(cancels.Count), times)
	d.atMost("a cancel reaches its worker within 50 ms and a commit (p99)", cancels.P99,
		ms(cancelBound)+commits.P99, "ms")
	return nil
}

// work holds a job until it is canceled.
func (r *cancelRun) work(ctx context.Context, job *client.Job) error {
	r.began <- job.EventID
	<-ctx.Done()
	if _, canceled := errors.AsType[*client.CanceledError](context.Cause(ctx)); canceled {
		r.heard <- time.Now()
	}
	return context.Cause(ctx)
}

func (d *drill) cancelOne(ctx context.Context, asking *client.Client, r *cancelRun, n int) (took time.Duration, err error) {
	receipt, err := asking.Publish(ctx, client.Event{Channel: d.channel("work"), Key: fmt.Sprint("key-", n), Data: n})
	if err != nil {
		return 0, err
	}
	select {
	case began := <-r.began:
		if began != receipt.EventID {
			return 0, fmt.Errorf("the worker has the job of %s, not of %s", began, receipt.EventID)
		}
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	begin := time.Now()
	if err = asking.CancelEvent(ctx, receipt.EventID, "a drill"); err != nil {
		return 0, err
	}
	select {
	case heard := <-r.heard:
		return heard.Sub(begin), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}
