package gateway

import (
	"strconv"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// follow begins to send every event of a channel.
func (c *connection) follow(m *wire.Follow) {
	limits := &c.gateway.limits
	if c.denied(m.ID, refuseFollow(c.who.Load(), m.Channel)) {
		return
	}
	if c.tooManySubscriptions(m.ID) {
		return
	}
	f := &follower{connection: c, channel: string(m.Channel), named: len(m.Name) > 0, window: limits.DefaultWindow}
	if m.Window > 0 {
		f.window = int(min(m.Window, uint64(limits.MaxWindow))) //nolint:gosec // A small limit.
	}
	slot, ok := c.take(request{kind: requestFollow, id: m.ID})
	if !ok {
		return
	}
	c.made++
	f.id, f.slot = "f"+strconv.FormatUint(c.made, 10)+"-"+c.session[:8], slot
	c.tables().followers.add(f)
	spec := FollowSpec{
		Channel: f.channel, Tenant: c.identity.limitedTo(), Name: string(m.Name),
		Window: uint32(f.window), //nolint:gosec // A small limit.
	}
	switch m.From.Kind {
	case wire.FromUnset, wire.FromNew:
		spec.Start = FollowNew
	case wire.FromEarliest:
		spec.Start = FollowEarliest
	case wire.FromCursor:
		spec.Start, spec.Cursor = FollowCursor, append([]byte(nil), m.From.Cursor...)
	case wire.FromTime:
		spec.Start, spec.TimeMS = FollowTime, m.From.Time
	}
	handle := c.gateway.broker.Follow(spec, f)
	c.tables().followers.opened(f, handle)
	handle.Resume() // Room may have come while there was no handle.
}

// commitCursor keeps how far a named follower is.
func (c *connection) commitCursor(m *wire.Commit) {
	f := c.tables().followers.find(m.Subscription)
	switch {
	case f == nil:
		c.refuseUnasked(wire.ReasonNotFound, noSubscription)
	case !f.named:
		c.refuseUnasked(wire.ReasonBadRequest, "only a follower with a name commits: give follow a name, or keep the cursor yourself")
	default:
		if err := f.handle.Commit(m.Cursor); err != nil {
			c.refuseUnasked(wire.ReasonBadRequest, err.Error())
		}
	}
}

// unfollow ends a follower; false when there is none of that name. It is answered
// when what the follower committed is kept.
func (c *connection) unfollow(m *wire.Unsubscribe) bool {
	f := c.tables().followers.find(m.Subscription)
	if f == nil {
		return false
	}
	if slot, ok := c.tables().requests.await(request{kind: requestUnfollow, id: m.ID}); ok {
		c.tables().followers.dropped(f)
		f.handle.Close(c, slot)
	}
	return true
}

// unfollowed answers the unsubscribe of a follower.
func (c *connection) unfollowed(id uint64, result *command.Result) {
	if result.Reason != command.Done {
		c.replyRefusal(id, result)
		return
	}
	c.sendOK(&wire.OK{ID: id})
}

// follower writes the events of one follow to its socket.
type follower struct {
	connection *connection
	id         string
	channel    string
	slot       uint64
	named      bool
	window     int
	// handle is the reader's, and the flusher's under the table's lock; open means
	// that the client was told the id.
	handle Follower
	open   bool
	// What follows is guarded by the table's lock: where events end that the socket
	// has not taken, and whether the cluster waits to hear of room.
	ends []uint64
	held bool
}

// Began implements FollowSink.
func (f *follower) Began(result *command.Result, cursor []byte) {
	c := f.connection
	r, ok := c.tables().requests.finish(f.slot)
	if !ok {
		return
	}
	c.gateway.end(c.tenant)
	if result.Reason != command.Done {
		c.tables().followers.dropped(f)
		c.replyRefusal(r.id, result)
		return
	}
	c.tables().followers.began(f)
	c.sendOK(&wire.OK{ID: r.id, Subscription: aliasBytes(f.id), Cursor: cursor})
}

// Room implements FollowSink. One without a name has its window filled by what the
// socket has not taken; with a name the cluster counts what is not committed. Either
// waits while much is to be written.
func (f *follower) Room() bool {
	c := f.connection
	// Held before it looks: whoever makes room between the two finds that somebody
	// waits for it.
	full := c.tables().followers.hold(f)
	if full || c.closing() || !c.out.roomy() {
		return false // A closing connection has no room any more.
	}
	c.tables().followers.letGo(f)
	return true
}

// Event implements FollowSink.
func (f *follower) Event(e *cluster.FollowedEvent, cursor []byte) {
	c := f.connection
	buf, at := c.out.begin()
	if at < 0 {
		return
	}
	if e.Shared() {
		buf = wire.AppendEventOf(buf, aliasBytes(f.id), cursor, sharedEvent(e, buf.Encoding))
	} else {
		var text [command.EventIDLength]byte
		m := eventOf(&e.Followed, e.ID.Append(text[:0]))
		m.Subscription, m.Cursor = aliasBytes(f.id), cursor
		buf = wire.AppendEventRaw(buf, &m, rawHeaders(&e.Event))
	}
	end := c.commit(buf, at, wire.TypeEvent)
	c.tables().followers.sent(f, end, c.out.total())
}

// sharedEvent is an event as all followers of one encoding get it: whoever is first
// encodes it, for as long as the cluster keeps it.
func sharedEvent(e *cluster.FollowedEvent, encoding wire.Encoding) []byte {
	if shared := e.Edge[encoding].Load(); shared != nil {
		return *shared
	}
	var text [command.EventIDLength]byte
	m := eventOf(&e.Followed, e.ID.Append(text[:0]))
	shared := wire.AppendSharedEvent(encoding.On(nil), &m, rawHeaders(&e.Event)).Bytes
	e.Edge[encoding].Store(&shared)
	return shared
}

func eventOf(e *command.Followed, id []byte) wire.Event {
	event := &e.Event
	return wire.Event{
		EventID:  id,
		ClientID: aliasBytes(event.ClientID),
		Tenant:   aliasBytes(event.Tenant),
		Time:     e.StoredMS,
		EventFields: wire.EventFields{
			Channel:        aliasBytes(event.Channel),
			IdempotencyKey: aliasBytes(event.IdempotencyKey),
			CorrelationID:  aliasBytes(e.CorrelationID),
			CausationID:    aliasBytes(e.CausationID),
			Key:            aliasBytes(event.Key),
			ClientSeq:      event.ClientSeq,
			DeliverAt:      e.DeliverMS,
			TTLMs:          int64(min(event.TTLMS, wire.MaxInteger)),
			ContentType:    aliasBytes(event.ContentType),
			Payload:        wirePayload(event.Payload),
		},
	}
}

func rawHeaders(event *command.Event) wire.Raw {
	if len(event.Headers) == 0 {
		return nil
	}
	return event.Headers
}

// Trimmed implements FollowSink.
func (f *follower) Trimmed() {
	c := f.connection
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendGap(buf, &wire.Gap{Subscription: aliasBytes(f.id), Reason: wire.GapTrimmed}), at, wire.TypeGap)
	}
}
