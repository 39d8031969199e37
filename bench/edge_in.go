package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// in measures what a server takes in: each connection keeps InFlight messages
// unanswered.
func (e *edge) in(ctx context.Context, d edgeDialect) (row EdgeRow, err error) {
	if err = e.prepare(ctx, d); err != nil {
		return row, err
	}
	lines, err := e.openAll(ctx, d, e.config.Connections, d.publisher)
	if err != nil {
		return row, err
	}
	defer closeLines(lines)
	f := newFlight(ctx, lines)
	for _, l := range lines {
		f.work.Go(func() { f.fail(f.publish(d, l, e.config.InFlight)) })
	}
	before, after, messages, err := e.window(f.ctx, d, &f.counted) //nolint:contextcheck // It descends from ours.
	f.stop.Store(true)
	if err = f.end(err); err != nil {
		return row, err
	}
	return rowOf(&before, &after, len(lines), messages), nil
}

func (e *edge) prepare(ctx context.Context, d edgeDialect) error {
	l, err := e.open(ctx, d, 0)
	if err != nil {
		return err
	}
	defer func() { _ = l.conn.Close() }()
	return d.prepare(l)
}

// window lets the load run, and counts between two looks at the server.
func (e *edge) window(ctx context.Context, d edgeDialect, counted *atomic.Int64) (before, after edgeUse, messages int64, err error) {
	if err = pause(ctx, e.config.WarmUp); err != nil {
		return before, after, 0, err
	}
	if before, err = d.use(ctx); err != nil {
		return before, after, 0, err
	}
	begin := counted.Load()
	if err = pause(ctx, e.config.Duration); err != nil {
		return before, after, 0, err
	}
	after, err = d.use(ctx)
	return before, after, counted.Load() - begin, err
}

// pause waits, and says why it did not.
func pause(ctx context.Context, howLong time.Duration) error {
	timer := time.NewTimer(howLong)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// flight is what the goroutines of one row have in common. The first error ends it.
type flight struct {
	ctx     context.Context //nolint:containedctx // It is the flight that it ends.
	cancel  context.CancelCauseFunc
	hang    func()
	unhook  func() bool
	work    sync.WaitGroup
	counted atomic.Int64
	stop    atomic.Bool // nothing more is published
}

func newFlight(ctx context.Context, lines []*edgeLine) *flight {
	f := new(flight)
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	f.hang = func() { closeLines(lines) }
	f.unhook = context.AfterFunc(f.ctx, f.hang) //nolint:contextcheck // Closing takes none.
	return f
}

func (f *flight) fail(err error) {
	if err != nil {
		f.cancel(err)
	}
}

// end waits for all that work. It returns the first error there was, if any.
func (f *flight) end(err error) error {
	f.fail(err)
	f.work.Wait()
	err = context.Cause(f.ctx)
	f.unhook()
	f.cancel(nil)
	return err
}

// publish keeps so many messages in flight until it is told to stop, and then waits
// for the last answer.
func (f *flight) publish(d edgeDialect, l *edgeLine, inFlight int) error {
	per := d.perAnswer()
	open := inFlight / per
	if err := l.write(d.publish(nil, l, open*per)); err != nil {
		return err
	}
	for frames := []byte(nil); open > 0; {
		answers, err := l.answers(d)
		if err != nil {
			return err
		}
		f.counted.Add(int64(answers * per))
		open -= answers
		if f.stop.Load() {
			continue
		}
		open += answers
		frames = d.publish(frames[:0], l, answers*per)
		if err := l.write(frames); err != nil {
			return err
		}
	}
	return nil
}

// answers waits for one answer or delivery at least, and takes what else has come.
func (l *edgeLine) answers(d edgeDialect) (count int, err error) {
	for count == 0 || l.buffered() {
		one, err := d.receive(l)
		if err != nil {
			return count, err
		}
		count += one
	}
	return count, nil
}
