package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// ErrParked is what Report is told of a job that its handler parked.
var ErrParked = errors.New("client: the job is parked")

// LeaseToken is the job's lease: whoever has it can end the job, see
// Client.CompleteLease and Client.FailLease.
func (j *Job) LeaseToken() string { return j.token }

// Park takes the job off this worker's hands until somebody else ends it: give
// LeaseToken to whoever will, best before. The handler should return then: what it
// returns, and what it emitted, changes nothing any more. After timeout the job is
// lost, as with an expired lease; 0 leaves it to the cluster (seven days). An error
// means that the job may still be this worker's.
func (j *Job) Park(ctx context.Context, timeout time.Duration) error {
	if timeout < 0 {
		return refuse(wire.ReasonBadRequest, "the timeout must not be negative")
	}
	return j.worker.park(ctx, j.token, timeout)
}

// park parks a job. While it is under way, a renewal that finds the lease lost
// proves nothing: the job's lease has no clock any more.
func (w *worker) park(ctx context.Context, token string, timeout time.Duration) error {
	w.mu.Lock()
	j := w.jobs[token]
	if j == nil || j.lost {
		w.mu.Unlock()
		return refuse(wire.ReasonLeaseLost, "the job's lease is over")
	}
	j.parking = true
	w.mu.Unlock()
	m := wire.Park{ID: w.client.flight.id(), Lease: alias(token), TimeoutMs: milliseconds(timeout)}
	err := w.client.request(ctx, "parking a job", m.ID, wire.AppendPark(w.client.flight.blank(), &m), nil)
	w.mu.Lock()
	defer w.mu.Unlock()
	j.parking, j.parked = false, err == nil
	return err
}

// isParked tells what Report is told of a job that was parked.
func (w *worker) isParked(j *running, err error) (parked error, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !j.parked:
		return nil, false
	case err == nil || errors.Is(err, ErrParked):
		return ErrParked, true
	default:
		return fmt.Errorf("%w; the handler returned: %w", ErrParked, err), true
	}
}
