package client

import (
	"context"
	"errors"

	"github.com/batonmq/baton/transport/wire"
)

// ListenForOptions say whose notifications are received, and how. Only ClientID is
// required.
type ListenForOptions struct {
	ListenOptions

	ClientID string
	// DeviceID names one of the client's devices, which have a cursor each; empty
	// means the one called default.
	DeviceID string
	// Window is how many notifications may be out and not acknowledged; 0 leaves it
	// to the node.
	Window int
	// Resume is where the stream begins at first; the zero value is the device's
	// stored cursor.
	Resume Resume
}

func (o *ListenForOptions) check() error {
	switch {
	case o.ClientID == "" || len(o.ClientID) > wire.MaxClientIDBytes:
		return refuse(wire.ReasonBadRequest, "a client id has 1 to %d bytes", wire.MaxClientIDBytes)
	case len(o.DeviceID) > wire.MaxDeviceIDBytes:
		return refuse(wire.ReasonBadRequest, "a device id has at most %d bytes", wire.MaxDeviceIDBytes)
	case o.Window < 0:
		return errors.New("client: Window must not be negative")
	}
	return nil
}

// ListenFor is Listen for another client: a backend with sockets of its own in front
// receives the notifications of each of its users over one connection, beside others.
// It needs a token that may be any client, and there may be as many at a time as the
// node allows (max_listens). It ends when ctx does, the Client is closed, or handler
// returns an error: then the notification is not acknowledged and comes again. Returning
// ErrStop acknowledges it and ends ListenFor with nil.
//
// In the life of one ListenFor each notification comes once, through lost sockets and
// nodes.
func (c *Client) ListenFor(ctx context.Context, options ListenForOptions, handler func(context.Context, *Notification) error) error {
	if err := options.check(); err != nil {
		return err
	}
	l := newOtherStream(c, options)
	if err := c.addOther(l); err != nil {
		return err
	}
	defer c.dropOther(l)
	for {
		i, epoch, found, err := l.take()
		if err != nil {
			return err
		}
		if !found {
			select {
			case <-l.wake:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.deliver(ctx, &i, epoch, handler); errors.Is(err, ErrStop) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (o *otherStream) deliver(ctx context.Context, i *item, epoch string, handler func(context.Context, *Notification) error) (err error) {
	switch {
	case i.gap != nil:
		if o.options.OnGap != nil {
			o.options.OnGap(*i.gap)
		}
	case i.notification == nil:
		if o.options.OnSynced != nil {
			o.options.OnSynced(i.seq)
		}
	default:
		i.notification.ack = func() { o.ack(epoch, i.seq) }
		if err = handler(ctx, i.notification); err != nil && !errors.Is(err, ErrStop) {
			return err
		}
	}
	o.done(i, epoch)
	if i.notification != nil && !o.options.ManualAck {
		o.ack(epoch, i.seq)
	}
	return err
}
