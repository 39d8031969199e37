package client

import (
	"context"

	"github.com/batonmq/baton/transport/wire"
)

// Broadcast is something that several clients are notified of.
type Broadcast struct {
	// ClientIDs are whom to notify, up to MaxBroadcastClients; one that is named twice
	// is notified once.
	ClientIDs []string
	Name      string
	// Data is as in Event.
	Data any
	// IdempotencyKey makes it safe to repeat, beyond the life of this process too.
	// Default: one made up for this call.
	IdempotencyKey string
	CorrelationID  string
	CausationID    string
}

// MaxBroadcastClients is how many clients a broadcast may name.
const MaxBroadcastClients = wire.MaxBroadcastClients

// Broadcast notifies several clients of the same, each once. It returns when all of
// them have it in their streams, and goes on until ctx ends; then some may have it, and
// the same Broadcast again, with its IdempotencyKey, notifies the others. It needs a
// token of a worker, of an administrator, or one that may be any client. The receipt
// has no offset.
func (c *Client) Broadcast(ctx context.Context, b Broadcast) (Receipt, error) {
	payload, err := payloadOf(b.Data)
	if err != nil {
		return Receipt{}, err
	}
	if len(b.ClientIDs) > MaxBroadcastClients {
		return Receipt{}, refuse(wire.ReasonBadRequest, "a broadcast names at most %d clients", MaxBroadcastClients)
	}
	if b.IdempotencyKey == "" {
		b.IdempotencyKey = c.newKey()
	}
	m := wire.Broadcast{
		ID: c.flight.id(), Name: alias(b.Name), IdempotencyKey: alias(b.IdempotencyKey), CorrelationID: alias(b.CorrelationID),
		CausationID: alias(b.CausationID), Payload: payload,
	}
	for _, id := range b.ClientIDs {
		m.ClientIDs = append(m.ClientIDs, alias(id))
	}
	var receipt Receipt
	result := make(chan error, 1)
	r := &request{id: m.ID, encoded: wire.AppendBroadcast(c.flight.blank(), &m), done: func(a answer) {
		if a.err == nil {
			receipt = Receipt{EventID: string(a.ok.EventID), CorrelationID: string(a.ok.CorrelationID), Duplicate: a.ok.Duplicate}
		}
		result <- a.err
	}}
	c.flight.submit(r)
	select {
	case err = <-result:
		return receipt, err
	case <-ctx.Done():
	}
	if last, ok := c.flight.abandon(r); ok {
		return Receipt{}, interrupted(ctx, "broadcasting", last)
	}
	err = <-result // It was answered at the same time.
	return receipt, err
}
