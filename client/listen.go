package client

import (
	"context"
	"errors"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// Notification is one message of a client's durable stream.
type Notification struct {
	Seq uint64
	// ClientID is whose stream it is, of ListenFor; empty of Listen.
	ClientID      string
	Name          string
	EventID       string
	CorrelationID string
	CausationID   string
	Time          time.Time
	// Redelivered means that it may have been seen before: by this device on
	// another connection.
	Redelivered bool
	Data        Payload

	ack func()
}

// Ack acknowledges this notification and all before it, for the device. It is
// for ListenOptions.ManualAck, and may be called from any goroutine, later.
func (n *Notification) Ack() { n.ack() }

func notificationOf(m *wire.Notify) *Notification {
	return &Notification{
		Seq: m.Seq, ClientID: string(m.ClientID), Name: string(m.Name), EventID: string(m.EventID), CorrelationID: string(m.CorrelationID),
		CausationID: string(m.CausationID), Time: time.UnixMilli(m.Time), Redelivered: m.Redelivered,
		Data: payloadFrom(&m.Payload),
	}
}

// Gap says that the notifications From to To, both included, are not there any
// more.
type Gap struct {
	From, To uint64
	// Reason is "trimmed" (retention ended before they were acknowledged) or
	// "epoch" (the cluster was restored; numbers begin anew).
	Reason string
}

// ListenOptions say how notifications are handled. The zero value acknowledges
// each when its handler returned nil.
type ListenOptions struct {
	// ManualAck leaves acknowledging to Notification.Ack. The node sends no more
	// than a window of unacknowledged ones.
	ManualAck bool
	// OnGap and OnSynced, if not nil, are called between notifications: for a
	// hole, and when everything missed was delivered and the stream is live.
	OnGap    func(Gap)
	OnSynced func(seq uint64)
}

// Listen calls handler for one notification after the other, in order, until
// ctx ends, the Client is closed, or handler returns an error: then the
// notification is not acknowledged and comes again to the next Listen. Returning
// ErrStop acknowledges it and ends Listen with nil. Notifications wait at the
// node while nobody listens.
func (c *Client) Listen(ctx context.Context, options ListenOptions, handler func(context.Context, *Notification) error) error {
	if c.stream == nil {
		return ErrNoStream
	}
	if err := c.stream.listen(); err != nil {
		return err
	}
	defer c.stream.leave()
	for {
		i, err := c.stream.next(ctx)
		if err != nil {
			return err
		}
		if err := c.deliver(ctx, &i, &options, handler); err != nil {
			if errors.Is(err, ErrStop) {
				return nil
			}
			return err
		}
	}
}

func (c *Client) deliver(ctx context.Context, i *item, o *ListenOptions, handler func(context.Context, *Notification) error) error {
	epoch := i.session.epoch
	switch {
	case i.gap != nil:
		if o.OnGap != nil {
			o.OnGap(*i.gap)
		}
		c.stream.done(i)
	case i.notification == nil:
		if o.OnSynced != nil {
			o.OnSynced(i.seq)
		}
		c.stream.done(i)
	default:
		i.notification.ack = func() { c.stream.ack(epoch, i.seq) }
		err := handler(ctx, i.notification)
		if err != nil && !errors.Is(err, ErrStop) {
			return err
		}
		c.stream.done(i)
		if !o.ManualAck {
			c.stream.ack(epoch, i.seq)
		}
		return err
	}
	return nil
}

// Position is where the stream stands: everything up to seq was handled. With
// ResumeAfter a later Client goes on behind it. ok is false until something was
// handled.
func (c *Client) Position() (epoch string, seq uint64, ok bool) {
	if c.stream == nil {
		return "", 0, false
	}
	c.stream.mu.Lock()
	defer c.stream.mu.Unlock()
	return c.stream.epoch, c.stream.position, c.stream.known
}
