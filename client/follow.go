package client

import (
	"context"
	"errors"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// FollowedEvent is an event of a channel that is followed.
type FollowedEvent struct {
	EventID        string
	Channel        string
	Tenant         string
	ClientID       string
	Key            string
	IdempotencyKey string
	CorrelationID  string
	CausationID    string
	ClientSeq      uint64
	// Time is when it was stored. DeliverAt is before when no worker is given it, and
	// TTL for how long one may be, from Time on; both are zero for an event without.
	Time        time.Time
	DeliverAt   time.Time
	TTL         time.Duration
	Headers     map[string]string
	ContentType string
	// Cursor is behind this event and all that came before it: a later Follow goes on
	// there with FollowOptions.Cursor, at any node.
	Cursor string
	Data   Payload

	commit func(cursor string)
}

// Commit has the cluster keep that this event and all that came before it are
// handled. It is for followers with a name and FollowOptions.ManualCommit, and may be
// called from any goroutine, later.
func (e *FollowedEvent) Commit() { e.commit(e.Cursor) }

// FollowOptions say what is followed. Only Channel is required.
type FollowOptions struct {
	Channel string
	// Name has the cluster keep how far the follower is: whoever follows under it goes
	// on behind the last commit, whatever From, Cursor and Since say. They are for a
	// name that is new, and for a follower without one.
	Name string
	// From is FromNew, which empty means, or FromEarliest. Cursor begins behind an
	// event, as FollowedEvent.Cursor named it, Since with the first event that was
	// stored then or later. One of the three may be given.
	From   From
	Cursor string
	Since  time.Time
	// Window is how many events the node sends that are not committed, or without a
	// name not taken by the socket; 0 leaves it to the node.
	Window int
	// ManualCommit leaves committing to FollowedEvent.Commit; otherwise an event is
	// committed when its handler returned nil.
	ManualCommit bool
	// OnBegin, if not nil, is called once when the beginning is known: every event
	// that is published from then on comes. OnGap is called when events were deleted
	// before this follower came to them.
	OnBegin func(cursor string)
	OnGap   func()
}

// Follow calls handler for one event of a channel after the other, until ctx ends,
// the Client is closed, or handler returns an error: then the event is not
// committed. Returning ErrStop commits it and ends Follow with nil; unless ctx ends,
// Follow then waits until the cluster keeps the commit. Every follower
// gets every event; those of one key come in their order.
//
// In the life of one Follow each event comes once, through lost sockets and nodes. A
// name goes on where the last commit that reached the cluster was: there what was
// handled just before the end of its last Follow may come again.
func (c *Client) Follow(ctx context.Context, options FollowOptions, handler func(context.Context, *FollowedEvent) error) error {
	if err := options.check(); err != nil {
		return err
	}
	if handler == nil {
		return errors.New("client: Follow needs a handler")
	}
	f := newFollower(c, options)
	if err := c.enroll(f); err != nil {
		return err
	}
	defer c.dropFollower(ctx, f)
	for {
		i, err := f.next(ctx)
		switch {
		case err != nil:
			return err
		case i.begun:
			options.OnBegin(i.cursor)
		case i.event == nil:
			options.OnGap()
		default:
			err := handler(ctx, i.event)
			stop := errors.Is(err, ErrStop)
			if err != nil && !stop {
				return err
			}
			if options.Name != "" && !options.ManualCommit {
				f.commit(i.event.Cursor)
			}
			if stop {
				return nil
			}
		}
	}
}

func (o *FollowOptions) check() error {
	given := 0
	for _, is := range []bool{o.From != "", o.Cursor != "", !o.Since.IsZero()} {
		if is {
			given++
		}
	}
	switch {
	case !wire.ValidName(o.Channel):
		return refuse(wire.ReasonBadRequest, "channel %q must be 1 to 255 of letters, digits, dot, _ and -", o.Channel)
	case len(o.Name) > wire.MaxNameBytes:
		return refuse(wire.ReasonBadRequest, "a follower's name has at most %d bytes", wire.MaxNameBytes)
	case given > 1:
		return refuse(wire.ReasonBadRequest, "a follower begins at one of From, Cursor and Since")
	case o.From != "" && o.From != FromNew && o.From != FromEarliest:
		return refuse(wire.ReasonBadRequest, "a follower begins from %q or %q, not %q", FromNew, FromEarliest, o.From)
	case o.ManualCommit && o.Name == "":
		return refuse(wire.ReasonBadRequest, "a follower commits under a name: give it one, or keep the cursor yourself")
	case o.Window < 0:
		return errors.New("client: Window must not be negative")
	}
	return nil
}

// from is where to begin at first.
func (o *FollowOptions) from() wire.From {
	switch {
	case o.Cursor != "":
		return wire.From{Kind: wire.FromCursor, Cursor: []byte(o.Cursor)}
	case !o.Since.IsZero():
		return wire.From{Kind: wire.FromTime, Time: max(o.Since.UnixMilli(), 0)}
	default:
		return o.From.fields()
	}
}

func followedOf(m *wire.Event) *FollowedEvent {
	e := &FollowedEvent{
		EventID: string(m.EventID), Channel: string(m.Channel), Tenant: string(m.Tenant), ClientID: string(m.ClientID),
		Key: string(m.Key), IdempotencyKey: string(m.IdempotencyKey), CorrelationID: string(m.CorrelationID),
		CausationID: string(m.CausationID), ClientSeq: m.ClientSeq, Time: time.UnixMilli(m.Time),
		TTL: time.Duration(m.TTLMs) * time.Millisecond, ContentType: string(m.ContentType), Cursor: string(m.Cursor),
		Data: payloadFrom(&m.Payload),
	}
	if m.DeliverAt > 0 {
		e.DeliverAt = time.UnixMilli(m.DeliverAt)
	}
	if len(m.Headers) > 0 {
		e.Headers = make(map[string]string, len(m.Headers))
		for i := range m.Headers {
			e.Headers[string(m.Headers[i].Name)] = string(m.Headers[i].Value)
		}
	}
	return e
}
