package client

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/batonmq/baton/transport/wire"
)

// run is a job's goroutine.
func (w *worker) run(j *running) {
	err := w.do(j)
	w.remove(j)
	if w.options.Report != nil {
		w.options.Report(j.job, err)
	}
}

// do waits for a place, runs the handler and ends the job. It returns what
// Report is told.
func (w *worker) do(j *running) error {
	select {
	case <-w.wound:
		w.release(j)
		return ErrStopping
	default:
	}
	select {
	case w.places <- struct{}{}:
		defer func() { <-w.places }()
	case <-w.wound:
		w.release(j)
		return ErrStopping
	case <-j.ctx.Done():
		return context.Cause(j.ctx)
	}
	err := w.call(j)
	if parked, ok := w.isParked(j, err); ok {
		return parked
	}
	if w.isLost(j) {
		if err == nil || errors.Is(err, ErrLeaseLost) {
			return ErrLeaseLost
		}
		return fmt.Errorf("%w; the handler returned: %w", ErrLeaseLost, err)
	}
	if err != nil {
		return w.broken(j, err)
	}
	return w.completed(j)
}

// call runs the handler.
func (w *worker) call(j *running) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			w.client.options.Logger.Error("a handler panicked", "channel", j.job.Channel, "event_id", j.job.EventID,
				"panic", cause, "stack", string(debug.Stack()))
			err = &JobError{Code: "panic", Err: fmt.Errorf("the handler panicked: %v", cause)}
		}
	}()
	return w.handler(j.ctx, j.job)
}

func (w *worker) isLost(j *running) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return j.lost
}

// completed sends what the handler asked for. What the cluster refuses for
// another reason than the lease ends the job as failed: it would be refused again.
func (w *worker) completed(j *running) error {
	m, err := j.job.outcome()
	if err == nil {
		m.ID = w.client.flight.id()
		err = w.ask(m.ID, wire.AppendComplete(w.client.flight.blank(), &m))
		refused, ok := errors.AsType[*Error](err)
		if err == nil || !ok || errors.Is(err, ErrLeaseLost) {
			return err
		}
		err = &JobError{Code: refused.Reason, Permanent: true, Err: err}
	}
	f, ok := errors.AsType[*JobError](err)
	if !ok {
		f = &JobError{Code: "bad_outcome", Permanent: true, Err: err}
	}
	return w.sendFailure(j, f)
}

// broken ends a job whose handler returned an error.
func (w *worker) broken(j *running, err error) error {
	if cause := context.Cause(j.ctx); cause != nil && !errors.Is(cause, ErrLeaseLost) {
		if _, canceled := errors.AsType[*CanceledError](cause); !canceled {
			// The worker was stopped: that is no fault of the job.
			w.release(j)
			return cause
		}
	}
	f, ok := errors.AsType[*JobError](err)
	if !ok {
		f = &JobError{Err: err}
	}
	return w.sendFailure(j, f)
}

func (w *worker) sendFailure(j *running, f *JobError) error {
	m := f.fields(j.job.token)
	m.ID = w.client.flight.id()
	if err := w.ask(m.ID, wire.AppendFail(w.client.flight.blank(), &m)); err != nil {
		return errors.Join(f, err)
	}
	return f
}

// ask sends a request on whatever session there is, until it is answered.
func (w *worker) ask(id uint64, encoded wire.Buffer) error {
	answered := make(chan error, 1)
	w.client.flight.submit(&request{id: id, encoded: encoded, done: func(a answer) { answered <- a.err }})
	return <-answered
}

// askUntil is ask for one who waits no longer than ctx.
func (w *worker) askUntil(ctx context.Context, id uint64, encoded wire.Buffer) error {
	answered := make(chan error, 1)
	w.client.flight.submit(&request{id: id, encoded: encoded, done: func(a answer) { answered <- a.err }})
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// release gives a job back. Where the socket is lost nobody can be told: the
// lease ends by itself.
func (w *worker) release(j *running) {
	w.mu.Lock()
	s, lost := w.session, j.lost
	w.mu.Unlock()
	if s != nil && !lost {
		s.out.add(wire.AppendRelease(s.out.blank(), &wire.Release{Lease: alias(j.job.token)}))
	}
}

// clip is text as UTF-8 of at most limit bytes.
func clip(text string, limit int) string {
	if len(text) > limit {
		text = text[:limit]
	}
	return strings.ToValidUTF8(text, "")
}
