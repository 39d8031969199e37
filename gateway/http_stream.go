package gateway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// streamRetry is how long an EventSource waits before it connects again.
const streamRetry = 200 * time.Millisecond

// streamEvents is the client's notifications as server-sent events, for networks that
// break WebSockets.
//
// The Last-Event-ID with which an EventSource comes back is its acknowledgement: it
// says what arrived, which no write to a socket can. So that it comes back, the
// answer ends when a window of notifications is out, and a while after the last one.
func (g *Gateway) streamEvents(w http.ResponseWriter, r *http.Request) {
	spec, bad := g.streamSpec(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	s := &eventStream{window: int(spec.Window), wake: make(chan struct{}, 1)}
	if x := g.admitStream(s, r, spec.Tenant); x.any() {
		g.meter.refusedBy(x.limit)
		e := x.wireError()
		g.writeProblem(w, &e, e.Code)
		return
	}
	defer g.forgetStream(s)
	s.stream = g.broker.Attach(spec, s)
	defer s.stream.Close()
	ctx, cancel := context.WithTimeout(r.Context(), g.limits.AttachTimeout)
	state, ok := s.attachedBy(ctx)
	cancel()
	if !ok || state.Reason != command.Done {
		g.refuseHTTP(w, refusal{wire.ReasonNoLeader, "the client's stream cannot be had now"})
		return
	}
	if spec.Resume == ResumeSeq && spec.Epoch == state.Epoch && spec.Seq <= state.Head && spec.Seq > 0 {
		s.stream.Ack(spec.Seq, nil)
	}
	g.writeStream(w, r, s)
}

// streamSpec is whose notifications are asked for, and from where.
//
//nolint:revive // A line for each thing that may be wrong.
func (g *Gateway) streamSpec(r *http.Request) (StreamSpec, refusal) {
	query := r.URL.Query()
	spec := StreamSpec{
		Tenant: tenantOf(r), ClientID: query.Get("client_id"), DeviceID: query.Get("device_id"),
		Window: uint32(g.limits.DefaultWindow), //nolint:gosec // A small limit.
	}
	if who := whoOf(r); who != nil {
		if spec.ClientID == "" && who.ClientID != command.AnyClient {
			spec.ClientID = who.ClientID
		}
		if !who.Is(command.RoleAdmin) && !who.AsClient(spec.ClientID) {
			return spec, refusal{wire.ReasonForbidden, notItsClient}
		}
	}
	if spec.DeviceID == "" {
		spec.DeviceID = defaultDevice
	}
	for name, text := range map[string]string{"tenant": spec.Tenant, "client_id": spec.ClientID, "device_id": spec.DeviceID} {
		if text == "" || len(text) > wire.MaxClientIDBytes {
			return spec, refusal{wire.ReasonBadRequest, fmt.Sprintf("%s must have 1 to %d bytes", name, wire.MaxClientIDBytes)}
		}
	}
	if text := query.Get("window"); text != "" {
		window, err := strconv.Atoi(text)
		if err != nil || window < 1 {
			return spec, refusal{wire.ReasonBadRequest, "window must be a positive number"}
		}
		spec.Window = uint32(min(window, g.limits.MaxWindow)) //nolint:gosec // A small limit.
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = query.Get("last_event_id")
	}
	switch epoch, seq, found := strings.Cut(last, ":"); last {
	case "":
	case "live":
		spec.Resume = ResumeLive
	default:
		number, err := strconv.ParseUint(seq, 10, 53)
		if !found || err != nil || len(epoch) > wire.MaxOpaqueBytes {
			return spec, refusal{wire.ReasonBadRequest, "Last-Event-ID must be the id of an event of this stream, or live"}
		}
		spec.Resume, spec.Epoch, spec.Seq = ResumeSeq, epoch, number
	}
	return spec, refusal{}
}

// credentialInterval is how often the token of an answer that goes on is looked at while
// there is nothing to write.
const credentialInterval = time.Second

// tokenIsOver tells whether the token that a request came with is good no longer.
func (g *Gateway) tokenIsOver(r *http.Request) bool {
	who := whoOf(r)
	return who != nil && g.auth.Ended(who) != ""
}

// writeOut writes some of an answer that goes on; false means that nobody reads it.
func (g *Gateway) writeOut(w http.ResponseWriter, control *http.ResponseController, out []byte) bool {
	if len(out) == 0 {
		return true
	}
	if control.SetWriteDeadline(time.Now().Add(g.limits.WriteTimeout)) != nil {
		return false
	}
	if _, err := w.Write(out); err != nil || control.Flush() != nil {
		return false
	}
	g.meter.bytesOut.Add(float64(len(out)))
	return true
}

// writeStream writes what comes until the other side or the node ends, or the other
// side is to come back.
func (g *Gateway) writeStream(w http.ResponseWriter, r *http.Request, s *eventStream) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // The server's is for requests; without one the socket's end is seen.
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := fmt.Appendf(nil, "retry: %d\n\n", streamRetry.Milliseconds())
	beat, look := time.NewTicker(g.limits.PingInterval), time.NewTicker(credentialInterval)
	defer beat.Stop()
	defer look.Stop()
	for {
		if g.tokenIsOver(r) || !g.writeOut(w, control, out) {
			return // It comes back, with another token or to be refused.
		}
		var over bool
		if out, over = s.take(); over && len(out) == 0 {
			return
		}
		if len(out) > 0 {
			continue
		}
		var again <-chan time.Time
		if s.unacknowledged() {
			again = time.After(g.limits.StreamPause)
		}
		select {
		case <-r.Context().Done():
			return
		case <-s.wake:
		case <-beat.C:
			out = append(out, ":\n\n"...)
		case <-look.C:
		case <-again:
			return // It comes back, and says what it has.
		}
	}
}

// eventStream is one answer that goes on: it implements StreamSink.
type eventStream struct {
	window int
	stream Stream
	wake   chan struct{} // room for one
	// seat and tenant are what it counts among; placed means that it is one of the tenant's connections.
	seat   seat
	tenant *usage
	placed bool

	mu       sync.Mutex // guards the rest
	attached bool
	state    StreamState
	out      []byte
	sent     int // notifications
	over     bool
}

// Attached implements StreamSink.
func (s *eventStream) Attached(state StreamState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attached, s.state = true, state
	s.signal()
}

// Notification implements StreamSink.
func (s *eventStream) Notification(n *command.Notification, redelivered bool) {
	m := notifyOf(n, aliasBytes(n.Event.String()), redelivered)
	s.add("", n.Seq, wire.AppendNotify(wire.JSON.On(nil), &m).Bytes)
}

// Gap implements StreamSink.
func (s *eventStream) Gap(from, to uint64, reason string) {
	m := gapOf(from, to, reason)
	s.add("gap", to, wire.AppendGap(wire.JSON.On(nil), &m).Bytes)
}

// Synced implements StreamSink.
func (s *eventStream) Synced(seq uint64) {
	s.add("synced", seq, wire.AppendSynced(wire.JSON.On(nil), &wire.Synced{Seq: seq}).Bytes)
}

func (s *eventStream) attachedBy(ctx context.Context) (StreamState, bool) {
	for {
		s.mu.Lock()
		attached, state := s.attached, s.state
		s.mu.Unlock()
		if attached {
			return state, true
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return StreamState{}, false
		}
	}
}

// take is what waits to be written; over means that nothing follows it.
func (s *eventStream) take() (out []byte, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out, s.out = s.out, nil
	return out, s.over || s.sent >= s.window
}

func (s *eventStream) unacknowledged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent > 0
}

func (s *eventStream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// add queues one event. A name and a seq are left out where there is none.
func (s *eventStream) add(name string, seq uint64, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return
	}
	if name != "" {
		s.out = fmt.Appendf(s.out, "event: %s\n", name)
	} else {
		s.sent++
	}
	if seq > 0 {
		s.out = fmt.Appendf(s.out, "id: %s:%d\n", s.state.Epoch, seq)
	}
	s.out = append(s.out, "data: "...)
	for _, c := range data {
		switch c { // A line of JSON may end within it: such a line is a field of its own.
		case '\n':
			s.out = append(s.out, "\ndata: "...)
		case '\r':
		default:
			s.out = append(s.out, c)
		}
	}
	s.out = append(s.out, "\n\n"...)
	s.signal()
}

// dismiss ends the answer: its reader is to connect to another node.
func (s *eventStream) dismiss(b *wire.Bye) {
	s.add("bye", 0, wire.AppendBye(wire.JSON.On(nil), b).Bytes)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	s.signal()
}

// admitStream makes an answer that goes on one of the node's connections, of its
// address's and of its tenant's.
func (g *Gateway) admitStream(s *eventStream, r *http.Request, tenant string) excess {
	if !g.registerStream(s) {
		return excess{refusal{
			wire.ReasonOverloaded, "the node is being drained, or has as many connections as it may have",
		}, limitConnections, retryLeaderMs}
	}
	s.seat, s.tenant = g.sit(r), g.tenants.hold(tenant, g.clock())
	x := excess{}
	if s.placed = within(&s.tenant.connections, g.limits.MaxTenantConnections); !s.placed {
		x = excess{refusal{
			wire.ReasonTenantLimit, "the tenant has as many connections at this node as it may have",
		}, limitTenantConnections, retryTenantMs}
	} else if !g.placeOfAddress(&s.seat) {
		x = excess{refusal{
			wire.ReasonRateLimited, "too many connections from this address",
		}, limitAddressConnections, retryTenantMs}
	}
	if x.any() {
		g.forgetStream(s)
	}
	return x
}

func (g *Gateway) registerStream(s *eventStream) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining || len(g.connections)+len(g.streams) >= g.limits.MaxConnections {
		return false
	}
	g.streams[s] = struct{}{}
	g.meter.streams.Inc()
	return true
}

func (g *Gateway) forgetStream(s *eventStream) {
	g.standUp(&s.seat)
	if s.placed {
		s.tenant.connections.Add(-1)
	}
	g.tenants.drop(s.tenant)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.streams, s)
	g.meter.streams.Dec()
}

// dismissStreams says goodbye to all of them.
func (g *Gateway) dismissStreams(b *wire.Bye) {
	g.mu.Lock()
	all := make([]*eventStream, 0, len(g.streams))
	for s := range g.streams {
		all = append(all, s)
	}
	g.mu.Unlock()
	for _, s := range all {
		s.dismiss(b)
	}
}
