package gateway

import (
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

const (
	defaultTenant = "default"
	defaultDevice = "default"
)

// features are what welcome says a node can do.
func features() [][]byte {
	return [][]byte{
		[]byte("publish"), []byte("delay"), []byte("client_seq"), []byte("notify"), []byte("resume"),
		[]byte("work"), []byte("groups"), []byte("checkpoint"), []byte("cancel_event"), []byte("trace"),
		[]byte("follow"), []byte("token_streams"), []byte("listen"), []byte("broadcast"),
	}
}

// hello opens the session. With a client id the reader waits for the stream,
// so that welcome comes before any answer.
func (c *connection) hello(m *wire.Hello) {
	if c.phaseNow() != phaseHello {
		c.refuseUnasked(wire.ReasonBadRequest, "hello was said before")
		return
	}
	if !c.admitHello(m) {
		return
	}
	c.identity = c.identify(m)
	if !c.joinTenant() {
		return
	}
	if c.identity.clientID == "" {
		c.phase.Store(int32(phaseOpen))
		c.welcome(nil)
		c.watchCredential()
		return
	}
	c.phase.Store(int32(phaseAttaching))
	spec := StreamSpec{
		Tenant:   c.identity.tenant,
		ClientID: c.identity.clientID,
		DeviceID: c.identity.deviceID,
		Window:   c.identity.window,
		Hold:     !m.Ready.Or(true),
	}
	resumeAt(&spec, &m.Resume)
	sink := &streamSink{connection: c, attached: make(chan struct{})}
	sink.sent.limit = int(c.identity.window)
	c.stream.Store(sink)
	sink.handle = c.gateway.broker.Attach(spec, sink)
	ending := make(chan struct{})
	defer c.uponEnd(func() { close(ending) })()
	select {
	case <-sink.attached:
		sink.attached = nil // It is closed once, and a stream may be idle for long.
	case <-ending:
	}
}

// resumeAt says where a stream is to begin.
func resumeAt(spec *StreamSpec, r *wire.Resume) {
	switch r.Kind {
	case wire.ResumeStored:
		spec.Resume = ResumeCursor
	case wire.ResumeAfter:
		spec.Resume, spec.Epoch, spec.Seq = ResumeSeq, string(r.Epoch), r.Seq
	case wire.ResumeLive:
		spec.Resume = ResumeLive
	}
}

func resumedWord(r Resumed) wire.Resumed {
	switch r {
	case ResumedFull:
		return wire.ResumedFull
	case ResumedPartial:
		return wire.ResumedPartial
	case ResumedNone:
	}
	return wire.ResumedNone
}

func (c *connection) identify(m *wire.Hello) identity {
	limits := &c.gateway.limits
	who := identity{
		tenant:   defaultTenant,
		clientID: string(m.ClientID),
		deviceID: string(m.DeviceID),
		worker:   string(m.Name),
		window:   uint32(limits.DefaultWindow), //nolint:gosec // a small limit
	}
	if len(m.Tenant) > 0 {
		who.tenant, who.limited = string(m.Tenant), true
	}
	if granted := c.who.Load(); granted != nil {
		who.takeFrom(granted)
	}
	if who.clientID != "" && who.deviceID == "" {
		who.deviceID = defaultDevice
	}
	if who.worker == "" {
		who.worker = who.clientID
	}
	if who.worker == "" {
		who.worker = c.session
	}
	if m.Window > 0 {
		who.window = uint32(min(m.Window, uint64(limits.MaxWindow))) //nolint:gosec // a small limit
	}
	return who
}

// takeFrom has the tenant and the client that a token fixes.
func (i *identity) takeFrom(granted *auth.Identity) {
	if !granted.AllTenants() {
		if i.limited = granted.Tenant != ""; i.limited {
			i.tenant = granted.Tenant
		}
	}
	if i.clientID == "" && granted.Is(command.RoleClient) && granted.ClientID != command.AnyClient {
		i.clientID = granted.ClientID
	}
}

// welcome answers hello; state is nil where there is no client id.
func (c *connection) welcome(state *StreamState) {
	limits := &c.gateway.limits
	w := wire.Welcome{
		Session:     aliasBytes(c.session),
		Node:        aliasBytes(c.gateway.node),
		Tenant:      aliasBytes(c.identity.tenant),
		ClientID:    aliasBytes(c.identity.clientID),
		Protocol:    aliasBytes(c.out.encoding.Protocol()),
		Features:    c.gateway.features,
		Nodes:       c.gateway.clientSockets(),
		HeartbeatMs: limits.PingInterval.Milliseconds(),
		ServerTime:  time.Now().UnixMilli(),

		TokenExpiresMs: expiresMs(c.who.Load()),
		Limits: wire.Limits{
			MaxInFlight:     uint64(limits.MaxInFlight),     //nolint:gosec // positive
			MaxMessageBytes: uint64(limits.MaxMessageBytes), //nolint:gosec // positive
			MaxPayloadBytes: uint64(limits.MaxPayloadBytes), //nolint:gosec // positive
			Window:          uint64(c.identity.window),
		},
	}
	if state != nil {
		w.Epoch, w.Seq, w.Oldest = aliasBytes(state.Epoch), state.Head, state.Oldest
		w.Resumed = resumedWord(state.Resumed)
	}
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendWelcome(buf, &w), at, wire.TypeWelcome)
	}
}

// ready lets the deliveries begin that a hello with "ready":false held back.
func (c *connection) ready() {
	if s := c.stream.Load(); s != nil {
		s.handle.Ready()
	}
}

// noStream refuses a hello whose stream cannot be had. The code says to
// reconnect: a leader may be there soon, or be seen by another node.
func (c *connection) noStream(reason command.Reason) {
	e := resultError(&command.Result{Reason: reason})
	c.sendError(&e)
	c.close(wire.CloseNotReady, "the client's stream cannot be had now: "+reason.String())
}
