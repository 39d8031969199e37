package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/batonmq/baton/client"
)

// load publishes for the warm-up and the duration.
func (p *pipeline) load(ctx context.Context, result *Result) error {
	end := p.config.WarmUp + p.config.Duration
	ctx, cancel := context.WithDeadline(ctx, p.start.Add(end))
	defer cancel()
	done := make(chan struct{})
	reported := make(chan struct{})
	go func() {
		defer close(reported)
		p.report(done)
	}()
	var err error
	if p.config.InFlight > 0 {
		err = p.closedLoop(ctx)
	} else {
		err = p.openLoop(ctx, end)
	}
	close(done)
	<-reported
	result.Seconds = min(time.Since(p.start)-p.config.WarmUp, p.config.Duration).Seconds()
	if err == nil {
		select {
		case err = <-p.fatal:
		default:
		}
	}
	return err
}

// openLoop publishes each event when it is due, or as soon after as it can; its
// latency counts from when it was due either way.
func (p *pipeline) openLoop(ctx context.Context, end time.Duration) error {
	interval := float64(time.Second) / p.config.Rate
	for k := 0; ; k++ {
		due := time.Duration(float64(k) * interval)
		if due >= end {
			return nil
		}
		if wait := due - time.Since(p.start); wait > 0 {
			select {
			case err := <-p.fatal:
				return err
			case <-ctx.Done():
				return nil
			case <-time.After(wait):
			}
		}
		if err := p.publish(ctx, k, due.Nanoseconds()); err != nil {
			return err
		}
	}
}

// closedLoop keeps a number of events in flight.
func (p *pipeline) closedLoop(ctx context.Context) error {
	for k := 0; ; k++ {
		select {
		case p.places <- struct{}{}:
		case err := <-p.fatal:
			return err
		case <-ctx.Done():
			return nil // The load has lasted long enough.
		}
		if err := p.publish(ctx, k, time.Since(p.start).Nanoseconds()); err != nil {
			return err
		}
	}
}

// publish hands event k to its client. The load's end does not end a publish:
// the drain waits for it.
func (p *pipeline) publish(ctx context.Context, k int, due int64) error {
	s := p.clients[k%len(p.clients)]
	n := s.tally.next()
	event := client.Event{Channel: p.entry(), Data: encodeEvent(p.config.Size, n, due)}
	return s.client.PublishAsync(context.WithoutCancel(ctx), event, func(_ client.Receipt, err error) {
		s.tally.answered(n, due, time.Since(p.start).Nanoseconds(), err)
		if err != nil {
			p.ended.Add(1)
			p.free()
			return
		}
		p.acked.Add(1)
	})
}

const drainInterval = 20 * time.Millisecond

// drain waits until everything acknowledged came back and everything published
// was answered, and a little longer, for what comes twice.
func (p *pipeline) drain(ctx context.Context) {
	deadline := time.Now().Add(p.config.Drain)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		published := 0
		for _, s := range p.clients {
			s.tally.mu.Lock()
			published += len(s.tally.events)
			s.tally.mu.Unlock()
		}
		if p.acked.Load()+p.ended.Load() == int64(published) && p.back.Load() >= p.acked.Load() {
			break
		}
		time.Sleep(drainInterval)
	}
	select {
	case <-ctx.Done():
	case <-time.After(settle):
	}
}

// settle is how long duplicates may come after everything has.
const settle = 500 * time.Millisecond

// report writes a line each second.
func (p *pipeline) report(done <-chan struct{}) {
	if p.config.Progress == nil {
		return
	}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var last int64
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		back := p.back.Load()
		_, _ = fmt.Fprintf(p.config.Progress, "%4.0f s  acknowledged %d, back %d (%d/s), under way %d\n",
			time.Since(p.start).Seconds(), p.acked.Load(), back, back-last, p.acked.Load()-back)
		last = back
	}
}
