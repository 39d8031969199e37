package client

import (
	"context"
	"errors"
	"net/http"

	"github.com/batonmq/baton/transport/wire"
)

// Completion is how a job ends that is completed from outside: see Job.Park. All of
// it takes effect at once, or nothing does.
type Completion struct {
	// Result is kept with the completed job, Usage in the lineage: nil for none, else
	// what encodes as JSON.
	Result, Usage any
	// Emits are sent on as events: see Job.Emit.
	Emits []Event
	// Notifies are sent to clients: see Job.Notify.
	Notifies []Notice
}

// Notice is a notification to send.
type Notice struct {
	// ClientID is empty for the client whose event the job's is.
	ClientID string
	Name     string
	Data     any
}

// CompleteLease completes the job of a lease that is in force, mostly a parked one,
// from anywhere: the lease is all that it takes. It returns the ids of what it
// emitted, empty for an event on its way to another partition. ErrLeaseLost means
// that somebody else has ended the job, or nobody did in time; the same completion
// again is answered as the first one was.
func (c *Client) CompleteLease(ctx context.Context, lease string, done Completion) (events []string, err error) {
	m, err := done.fields(lease)
	if err != nil {
		return nil, err
	}
	m.ID = c.flight.id()
	err = c.request(ctx, "completing a lease", m.ID, wire.AppendComplete(c.flight.blank(), &m), func(ok *wire.OK) {
		for _, id := range ok.Events {
			events = append(events, string(id))
		}
	})
	return events, err
}

// FailLease fails the job of a lease as an error of its handler would: see JobError
// and Permanent.
func (c *Client) FailLease(ctx context.Context, lease string, failure error) error {
	m, err := failureOf(lease, failure)
	if err != nil {
		return err
	}
	m.ID = c.flight.id()
	return c.request(ctx, "failing a lease", m.ID, wire.AppendFail(c.flight.blank(), &m), nil)
}

// CompleteLease is Client.CompleteLease without a connection.
func (h *HTTP) CompleteLease(ctx context.Context, lease string, done Completion) (events []string, err error) {
	m, err := done.fields(lease)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Events []*string `json:"events"`
	}
	if err = h.change(ctx, http.MethodPost, "/v1/leases/complete", wire.AppendCompleteBody(nil, &m), &answer); err != nil {
		return nil, err
	}
	for _, id := range answer.Events {
		if id == nil {
			id = new(string)
		}
		events = append(events, *id)
	}
	return events, nil
}

// FailLease is Client.FailLease without a connection.
func (h *HTTP) FailLease(ctx context.Context, lease string, failure error) error {
	m, err := failureOf(lease, failure)
	if err != nil {
		return err
	}
	return h.change(ctx, http.MethodPost, "/v1/leases/fail", wire.AppendFailBody(nil, &m), &struct{}{})
}

// fields are the completion as the protocol has it, checked as a job's is.
func (d *Completion) fields(lease string) (wire.Complete, error) {
	if err := checkLease(lease); err != nil {
		return wire.Complete{}, err
	}
	j := Job{token: lease}
	for _, event := range d.Emits {
		j.EmitEvent(event)
	}
	for _, n := range d.Notifies {
		j.NotifyClient(n.ClientID, n.Name, n.Data)
	}
	if d.Result != nil {
		j.Result(d.Result)
	}
	if d.Usage != nil {
		j.Usage(d.Usage)
	}
	return j.outcome()
}

func checkLease(lease string) error {
	if lease == "" || len(lease) > wire.MaxOpaqueBytes {
		return refuse(wire.ReasonBadRequest, "a lease has 1 to %d bytes", wire.MaxOpaqueBytes)
	}
	return nil
}

// failureOf is a handler's error as the protocol has it.
func failureOf(lease string, err error) (wire.Fail, error) {
	if bad := checkLease(lease); bad != nil {
		return wire.Fail{}, bad
	}
	f, ok := errors.AsType[*JobError](err)
	if !ok {
		f = &JobError{Err: err}
	}
	return f.fields(lease), nil
}

// fields are the failure as the protocol has it.
func (f *JobError) fields(lease string) wire.Fail {
	m := wire.Fail{
		Lease: alias(lease), Throttled: f.Throttled, RetryAfterMs: max(milliseconds(f.RetryAfter), 0),
		Error: wire.FailError{Code: []byte(f.Code), Message: []byte(clip(f.Error(), wire.MaxReasonBytes))},
	}
	if f.Code == "" {
		m.Error.Code = []byte("failed")
	}
	if f.Permanent {
		m.Retryable = wire.No
	}
	if f.Detail != nil {
		if detail, err := rawOf(f.Detail); err == nil {
			m.Error.Detail = detail
		}
	}
	return m
}

// request sends a request and waits for its answer, through lost sockets and
// refusals that say so, until ctx ends. read, if not nil, is given the ok.
func (c *Client) request(ctx context.Context, doing string, id uint64, encoded wire.Buffer, read func(*wire.OK)) error {
	result := make(chan error, 1)
	r := &request{id: id, encoded: encoded, done: func(a answer) {
		if a.err == nil && read != nil {
			read(a.ok)
		}
		result <- a.err
	}}
	c.flight.submit(r)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	last, ok := c.flight.abandon(r)
	if !ok {
		return <-result // It was answered at the same time.
	}
	return interrupted(ctx, doing, last)
}
