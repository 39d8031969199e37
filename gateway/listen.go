package gateway

import (
	"fmt"
	"strconv"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// listen begins to send a backend the stream of one of its clients, so that a team can
// have WebSocket servers of its own in front.
func (c *connection) listen(m *wire.Listen) {
	limits := &c.gateway.limits
	if c.denied(m.ID, refuseListen(c.who.Load(), m.ClientID)) {
		return
	}
	if c.tables().listeners.count() >= limits.MaxListens {
		c.refuse(m.ID, wire.ReasonOverloaded, fmt.Sprintf("a connection may listen for %d clients at most", limits.MaxListens))
		return
	}
	slot, ok := c.take(request{kind: requestListen, id: m.ID})
	if !ok {
		return
	}
	c.made++
	l := &listener{
		connection: c, id: "l" + strconv.FormatUint(c.made, 10) + "-" + c.session[:8], slot: slot, clientID: string(m.ClientID),
	}
	spec := StreamSpec{
		Tenant: c.identity.tenant, ClientID: l.clientID, DeviceID: string(m.DeviceID),
		Window: uint32(min(orDefault(m.Window, limits.DefaultListenWindow), uint64(limits.MaxWindow))), //nolint:gosec // A small limit.
	}
	if spec.DeviceID == "" {
		spec.DeviceID = defaultDevice
	}
	resumeAt(&spec, &m.Resume)
	l.sent.limit = int(spec.Window)
	c.tables().listeners.add(l)
	if handle := c.gateway.broker.Attach(spec, l); !c.tables().listeners.opened(l, handle) {
		handle.Close() // It was refused meanwhile.
	}
}

func orDefault(given uint64, fallback int) uint64 {
	if given == 0 {
		return uint64(fallback) //nolint:gosec // A limit.
	}
	return given
}

// unlisten ends a listen.
func (c *connection) unlisten(m *wire.Unlisten) {
	l := c.tables().listeners.find(m.Subscription)
	if l == nil {
		c.refuse(m.ID, wire.ReasonNotFound, noListen)
		return
	}
	c.tables().listeners.dropped(l).Close()
	c.sendOK(&wire.OK{ID: m.ID})
}

const noListen = "there is no such listen: its subscription is in the answer to listen"

// ackListen moves the cursor of a listen's device.
func (c *connection) ackListen(m *wire.Ack) {
	l := c.tables().listeners.find(m.Subscription)
	if l == nil {
		c.refuseUnasked(wire.ReasonNotFound, noListen)
		return
	}
	times, ok := l.sent.take(m.Seq, c.bench.times[:0])
	c.bench.times = times
	if !ok {
		c.refuseUnasked(wire.ReasonBadRequest, neverSent)
		return
	}
	l.handle.Ack(m.Seq, times)
}

// listener writes the stream of one of a backend's clients to its socket.
type listener struct {
	connection *connection
	id         string
	slot       uint64
	clientID   string
	sent       deliveryLog
	// handle is the reader's; open means that the backend was told the id. Both are
	// guarded by the table's lock.
	handle Stream
	open   bool
}

// Attached implements StreamSink.
func (l *listener) Attached(state StreamState) {
	c := l.connection
	r, ok := c.tables().requests.finish(l.slot)
	if !ok {
		return
	}
	c.gateway.end(c.tenant)
	if state.Reason != command.Done {
		if handle := c.tables().listeners.dropped(l); handle != nil {
			handle.Close()
		}
		c.replyRefusal(r.id, &command.Result{Reason: state.Reason})
		return
	}
	l.sent.start(state.Head)
	c.tables().listeners.began(l)
	c.sendOK(&wire.OK{
		ID: r.id, Subscription: aliasBytes(l.id), Epoch: aliasBytes(state.Epoch), Seq: state.Head, Oldest: state.Oldest,
		Resumed: resumedWord(state.Resumed),
	})
}

// Notification implements StreamSink.
func (l *listener) Notification(n *command.Notification, redelivered bool) {
	c := l.connection
	var text [command.EventIDLength]byte
	m := notifyOf(n, n.Event.Append(text[:0]), redelivered)
	m.Subscription, m.ClientID = aliasBytes(l.id), aliasBytes(l.clientID)
	buf, at := c.out.begin()
	if at < 0 {
		return
	}
	end := c.commit(wire.AppendNotify(buf, &m), at, wire.TypeNotify)
	l.sent.add(n.Seq, end, c.out.total())
	c.tables().listeners.sending(l, end)
	if total := c.out.total(); total >= end { // The flusher may have been through before.
		l.sent.wrote(total)
	}
}

// Gap implements StreamSink.
func (l *listener) Gap(from, to uint64, reason string) {
	c := l.connection
	m := gapOf(from, to, reason)
	m.Subscription = aliasBytes(l.id)
	l.sent.reach(to)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendGap(buf, &m), at, wire.TypeGap)
	}
}

// Synced implements StreamSink.
func (l *listener) Synced(seq uint64) {
	c := l.connection
	l.sent.reach(seq)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendSynced(buf, &wire.Synced{Subscription: aliasBytes(l.id), Seq: seq}), at, wire.TypeSynced)
	}
}

// Announced implements cluster.TokenListener: a backend is sent the token streams of
// the clients that it listens for, too.
func (l *listener) Announced(id cluster.TokenID) { l.connection.announced(id, l.clientID) }
