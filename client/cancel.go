package client

import (
	"context"

	"github.com/batonmq/baton/transport/wire"
)

// End is the data of the notification that Event.OnEnd asks for.
type End struct {
	CorrelationID string `json:"correlation_id"`
	EventID       string `json:"event_id"`
	// State is completed, failed (something of the lineage is a dead letter, or
	// lapsed) or canceled.
	State string `json:"state"`
}

// CancelEvent stops one event: a waiting one is never worked on, a worker that has
// it is told to stop. A client with an id cancels its own only; ErrNotFound where
// there is none.
func (c *Client) CancelEvent(ctx context.Context, eventID, reason string) error {
	return c.cancel(ctx, &wire.Cancel{EventID: alias(eventID), Reason: alias(clip(reason, wire.MaxReasonBytes))})
}

// CancelLineage stops every event of a correlation id, in all partitions, and what
// their jobs still emit. A client with an id cancels its own only; ErrNotFound where
// there is none.
func (c *Client) CancelLineage(ctx context.Context, correlationID, reason string) error {
	return c.cancel(ctx, &wire.Cancel{CorrelationID: alias(correlationID), Reason: alias(clip(reason, wire.MaxReasonBytes))})
}

// cancel asks until it is answered: to cancel twice is to cancel once.
func (c *Client) cancel(ctx context.Context, m *wire.Cancel) error {
	if len(m.EventID) == 0 && len(m.CorrelationID) == 0 {
		return refuse(wire.ReasonBadRequest, "a cancel must name an event or a correlation id")
	}
	if ctx.Err() != nil {
		return interrupted(ctx, "canceling", nil)
	}
	m.ID = c.flight.id()
	result := make(chan error, 1)
	r := &request{id: m.ID, encoded: wire.AppendCancel(c.flight.blank(), m), done: func(a answer) { result <- a.err }}
	c.flight.submit(r)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	if last, ok := c.flight.abandon(r); ok {
		return interrupted(ctx, "canceling", last)
	}
	return <-result // It was answered at the same time.
}
