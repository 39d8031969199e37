package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/batonmq/baton/client"
)

// worker is a worker of a case.
type worker struct {
	calls   [][]json.RawMessage // what the handler does at its first call, its second, …
	stop    context.CancelFunc
	stopped chan struct{}

	mu      sync.Mutex // guards the rest
	called  int
	reports []string
}

func (r *run) work(ctx context.Context, p *peer, s *step, raw json.RawMessage) error {
	w := &worker{stopped: make(chan struct{})}
	var own struct{ Calls [][]json.RawMessage }
	if err := json.Unmarshal(raw, &own); err != nil {
		return err
	}
	w.calls = own.Calls
	ctx, stop := context.WithCancel(ctx)
	w.stop = stop
	r.workers[s.As] = w
	options := client.WorkOptions{
		Channel: s.Channel, Group: s.Group, From: s.From, Credit: s.Credit, Lease: time.Duration(s.LeaseMS) * time.Millisecond,
		Report: func(_ *client.Job, err error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.reports = append(w.reports, outcome(err))
		},
	}
	r.running.Go(func() {
		defer close(w.stopped)
		if err := p.client.Work(ctx, options, func(ctx context.Context, job *client.Job) error { return w.handle(ctx, r, job) }); err != nil && !errors.Is(err, client.ErrClosed) {
			r.problem("worker %s: %v", s.As, err)
		}
	})
	return nil
}

func (w *worker) step(ctx context.Context, r *run, s *step) error {
	switch s.Do {
	case "stop_work":
		w.stop()
		var counter string
		if json.Unmarshal(s.Count, &counter) == nil {
			r.count(counter)
		}
		<-w.stopped
		return nil
	case "expect_report_count":
		s.Reports = make([]string, s.Is)
	}
	return await(ctx, func() error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.reports) < len(s.Reports) {
			return fmt.Errorf("reports %v, want %v", w.reports, s.Reports)
		}
		got := w.reports[:len(s.Reports)]
		if s.Do == "expect_reports" && !slices.Equal(got, s.Reports) {
			r.problem("reports %v, want %v", got, s.Reports)
		}
		w.reports = w.reports[len(s.Reports):]
		return nil
	})
}

// handle does what the case says for this call.
func (w *worker) handle(ctx context.Context, r *run, job *client.Job) error {
	w.mu.Lock()
	ops := w.calls[min(w.called, len(w.calls)-1)]
	w.called++
	w.mu.Unlock()
	own := map[string]any{"$data": plain(job.Data)}
	for _, raw := range ops {
		o := &operation{}
		if err := r.read(raw, o, own); err != nil {
			return err
		}
		if err := o.do(ctx, r, job, own); err != nil {
			return err
		}
	}
	return nil
}

// operation is one thing that a handler does, with the fields of all kinds.
type operation struct {
	Op      string          `json:"op"`
	Name    string          `json:"name"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
	Counter string          `json:"counter"`
	Is      int             `json:"is"`
	Key     string          `json:"key"`
	Kind    string          `json:"kind"`
	AfterMS int64           `json:"after_ms"`
	Reason  string          `json:"reason"`
	Text    string          `json:"text"`
	Save    string          `json:"save"`
}

func (o *operation) do(ctx context.Context, r *run, job *client.Job, own map[string]any) error {
	switch o.Op {
	case "count":
		r.count(o.Counter)
	case "wait_for":
		return r.awaitCount(context.WithoutCancel(ctx), o.Counter, o.Is)
	case "once":
		return o.once(ctx, r, job, own)
	case "wait_abort":
		<-ctx.Done()
		if cause := context.Cause(ctx); o.Reason == "lease_lost" && !errors.Is(cause, client.ErrLeaseLost) {
			r.problem("stopped because of %v", cause)
		}
	case "fail":
		return o.fail()
	case "write", "close_stream", "park":
		return o.stream(ctx, r, job)
	default:
		o.note(r, job)
	}
	return nil
}

// note does what takes no time.
func (o *operation) note(r *run, job *client.Job) {
	switch o.Op {
	case "notify":
		job.Notify(o.Name, payload(o.Data))
	case "emit":
		job.Emit(o.Channel, payload(o.Data))
	case "result":
		job.Result(payload(o.Data))
	case "checkpoint":
		job.Checkpoint(payload(o.Data))
	case "expect_attempt":
		if job.Attempt != o.Is {
			r.problem("attempt %d, want %d", job.Attempt, o.Is)
		}
	case "expect_checkpoint":
		if !sameJSON(job.LastCheckpoint, o.Data) {
			r.problem("checkpoint %s, want %s", job.LastCheckpoint, o.Data)
		}
	default:
		r.problem("there is no operation %q", o.Op)
	}
}

func (o *operation) once(ctx context.Context, r *run, job *client.Job, own map[string]any) error {
	value, err := client.Once(ctx, job, o.Key, func(context.Context) (json.RawMessage, error) {
		r.count("once:" + o.Key)
		return o.Data, nil
	})
	if err != nil {
		return err
	}
	var kept any
	if err := json.Unmarshal(value, &kept); err != nil {
		return err
	}
	own["$once."+o.Key] = kept
	return nil
}

func (o *operation) fail() error {
	after := time.Duration(o.AfterMS) * time.Millisecond
	err := errors.New("it did not work")
	switch o.Kind {
	case "permanent":
		return client.Permanent(err)
	case "retry_after":
		return client.RetryAfter(err, after)
	case "throttled":
		return client.Throttled(after)
	default:
		return err
	}
}

// sameJSON compares values; nothing is null.
func sameJSON(a, b json.RawMessage) bool {
	var left, right any
	_ = json.Unmarshal(a, &left)
	_ = json.Unmarshal(b, &right)
	return reflect.DeepEqual(left, right)
}

// outcome is how a job ended, in a word.
func outcome(err error) string {
	failed, ok := errors.AsType[*client.JobError](err)
	switch {
	case err == nil:
		return "completed"
	case errors.Is(err, client.ErrParked):
		return "parked"
	case errors.Is(err, client.ErrLeaseLost):
		return "lease_lost"
	case errors.Is(err, client.ErrStopping), errors.Is(err, client.ErrClosed):
		return "released"
	case ok && failed.Permanent:
		return "permanent"
	case ok && failed.Throttled:
		return "throttled"
	default:
		return "failed"
	}
}
