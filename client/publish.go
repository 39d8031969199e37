package client

import (
	"context"
	"fmt"

	"github.com/batonmq/baton/transport/wire"
)

// Publish stores an event, and returns once it is replicated to a majority. It
// survives lost sockets, elections and refusals that say so, and goes on until
// ctx ends; then the error wraps ctx's and the last refusal, and the event may
// or may not be stored.
func (c *Client) Publish(ctx context.Context, event Event) (Receipt, error) {
	var receipt Receipt
	result := make(chan error, 1)
	r, err := c.prepare(ctx, event, func(got Receipt, err error) {
		receipt = got
		result <- err
	})
	if err != nil {
		return Receipt{}, err
	}
	c.flight.submit(r)
	select {
	case err = <-result:
		return receipt, err
	case <-ctx.Done():
	}
	last, ok := c.flight.abandon(r)
	if !ok {
		err = <-result // It was answered at the same time.
		return receipt, err
	}
	<-c.room
	return Receipt{}, interrupted(ctx, "publishing", last)
}

// PublishAsync hands an event over to be published, and returns when there is
// room for it (Options.MaxPending). done is called once, with what Publish would
// have returned, on the goroutine that reads the socket: it must not block. An
// error returned here means that done is not called. When ctx ends before the
// answer, done is called with its error.
func (c *Client) PublishAsync(ctx context.Context, event Event, done func(Receipt, error)) error {
	stop := func() bool { return true }
	r, err := c.prepare(ctx, event, func(receipt Receipt, err error) {
		stop()
		done(receipt, err)
	})
	if err != nil {
		return err
	}
	if ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() {
			if last, ok := c.flight.abandon(r); ok {
				<-c.room
				done(Receipt{}, interrupted(ctx, "publishing", last))
			}
		})
	}
	c.flight.submit(r)
	return nil
}

// prepare waits for room and makes the request.
func (c *Client) prepare(ctx context.Context, event Event, done func(Receipt, error)) (*request, error) {
	if ctx.Err() != nil {
		return nil, interrupted(ctx, "publishing", nil)
	}
	if event.IdempotencyKey == "" {
		event.IdempotencyKey = c.newKey()
	}
	fields, err := event.fields()
	if err != nil {
		return nil, err
	}
	select {
	case c.room <- struct{}{}:
	case <-ctx.Done():
		return nil, interrupted(ctx, "publishing", nil)
	}
	m := wire.Publish{EventFields: fields, ID: c.flight.id(), ClientID: alias(event.ClientID)}
	blank := c.flight.blank()
	blank.Bytes = make([]byte, 0, 192+len(fields.Payload.Bytes))
	r := &request{id: m.ID, encoded: wire.AppendPublish(blank, &m)}
	r.done = func(a answer) {
		<-c.room
		if a.err != nil {
			done(Receipt{}, a.err)
			return
		}
		done(Receipt{
			EventID: string(a.ok.EventID), CorrelationID: string(a.ok.CorrelationID),
			Offset: a.ok.Offset, Duplicate: a.ok.Duplicate,
		}, nil)
	}
	return r, nil
}

func interrupted(ctx context.Context, doing string, last error) error {
	if last != nil {
		return fmt.Errorf("client: %s: %w; the last answer was: %w", doing, context.Cause(ctx), last)
	}
	return fmt.Errorf("client: %s: %w", doing, context.Cause(ctx))
}
