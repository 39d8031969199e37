package conformance

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/batonmq/baton/client"
)

// reader reads a token stream in a case.
type reader struct {
	stop    context.CancelFunc
	stopped chan struct{}

	mu    sync.Mutex // guards the rest
	text  string     // since the last reset
	at    client.StreamPosition
	final bool
	err   error
}

func (r *run) readStream(ctx context.Context, p *peer, s *step) {
	ctx, stop := context.WithCancel(ctx)
	reading := &reader{stop: stop, stopped: make(chan struct{})}
	r.readers[s.As] = reading
	var from client.StreamPosition
	if s.After != "" {
		from = r.positions[s.After]
	}
	r.running.Go(func() {
		defer close(reading.stopped)
		for chunk, err := range p.client.ReadStream(ctx, s.Stream, from) {
			reading.add(chunk, err)
		}
	})
}

func (r *reader) add(chunk client.Chunk, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.err = err
		return
	}
	if chunk.Reset {
		r.text = ""
	}
	r.text += string(chunk.Data)
	r.at = client.StreamPosition{Attempt: chunk.Attempt, Offset: chunk.Offset + uint64(len(chunk.Data))}
	r.final = chunk.Final
}

func (r *reader) step(ctx context.Context, of *run, s *step) error {
	if s.Do == "stop_read" {
		r.stop()
		<-r.stopped
		return nil
	}
	return await(ctx, func() error {
		r.mu.Lock()
		defer r.mu.Unlock()
		if s.Refused != nil {
			return s.Refused.is(r.err)
		}
		if r.text != s.Text || s.Final && !r.final {
			return fmt.Errorf("the stream says %q (final: %v, %w), want %q", r.text, r.final, r.err, s.Text)
		}
		if s.Save != "" {
			of.positions[s.Save] = r.at
		}
		return nil
	})
}

// is says how an error differs from the refusal that is expected.
func (want *refusal) is(err error) error {
	refused, ok := errors.AsType[*client.Error](err)
	if !ok {
		return fmt.Errorf("want a refusal, got %w", err)
	}
	if is := (refusal{refused.Code, refused.Reason, refused.Retryable}); is != *want {
		return fmt.Errorf("refused as %+v, want %+v", is, *want)
	}
	return nil
}

// endLease completes or fails a parked job.
func (r *run) endLease(ctx context.Context, p *peer, s *step) error {
	r.mu.Lock()
	lease := r.leases[s.Lease]
	r.mu.Unlock()
	var err error
	if s.Do == "fail_lease" {
		err = p.client.FailLease(ctx, lease, (&operation{Kind: s.Kind}).fail())
	} else {
		var done client.Completion
		for _, n := range s.Notify {
			done.Notifies = append(done.Notifies, client.Notice{Name: n.Name, Data: payload(n.Data)})
		}
		for _, e := range s.Emit {
			done.Emits = append(done.Emits, client.Event{Channel: e.Channel, Data: payload(e.Data)})
		}
		_, err = p.client.CompleteLease(ctx, lease, done)
	}
	if s.Refused != nil {
		return s.Refused.is(err)
	}
	return err
}

// stream does what concerns token streams and parking.
func (o *operation) stream(ctx context.Context, r *run, job *client.Job) error {
	switch o.Op {
	case "write":
		_, err := job.Stream(o.Name).WriteString(o.Text)
		return err
	case "close_stream":
		return job.Stream(o.Name).Close()
	default:
		r.mu.Lock()
		r.leases[o.Save] = job.LeaseToken()
		r.mu.Unlock()
		return job.Park(ctx, 0)
	}
}
