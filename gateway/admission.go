package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// seat is what a connection takes of the node before it has said who it is.
type seat struct {
	// from is the client's address, as the proxies that are trusted tell it.
	from netip.Addr
	use  *usage // of that address; nil where there is no limit for one
	// counted means that it is one of that address's connections.
	counted bool
}

// limitsAddresses tells whether what an address uses has to be counted.
func (g *Gateway) limitsAddresses() bool {
	return g.limits.MaxAddressConnections > 0 || !g.rates.addressConnect.any()
}

// sit takes a seat for who asks, connected or following its notifications.
func (g *Gateway) sit(r *http.Request) seat {
	s := seat{from: g.addressOf(r)}
	if g.limitsAddresses() {
		s.use = g.addresses.hold(shared(s.from), g.clock())
	}
	return s
}

// shared is what an address is counted under: who has one address of IPv6 has a
// /64 of them.
func shared(from netip.Addr) netip.Addr {
	if from.Is6() && !from.Is4In6() {
		if prefix, err := from.Prefix(64); err == nil {
			return prefix.Addr()
		}
	}
	return from.Unmap().WithZone("")
}

func (g *Gateway) standUp(s *seat) {
	if s.use == nil {
		return
	}
	if s.counted {
		s.use.connections.Add(-1)
	}
	g.addresses.drop(s.use)
}

// away is why a WebSocket is closed as soon as it is open.
type away struct {
	limit  limitName
	code   wire.CloseCode
	reason string
	after  time.Duration // there is room, if nobody else takes it
}

// admit takes a place for a WebSocket, which register turns into a connection, or says
// why it has to go away: the node's places first, then those of its address, then how
// fast they come. Who is sent away has taken nothing.
func (g *Gateway) admit(s *seat) (away, bool) {
	if !g.enter() {
		g.standUp(s)
		if g.isDraining() {
			return away{code: wire.CloseDrain, reason: "the node takes no more connections"}, false
		}
		return away{limit: limitConnections, code: wire.CloseShutdown, reason: "too many connections"}, false
	}
	if no, ok := g.admitFrom(s); !ok {
		g.leave()
		g.standUp(s)
		return no, false
	}
	return away{}, true
}

func (g *Gateway) admitFrom(s *seat) (away, bool) {
	if !g.placeOfAddress(s) {
		return away{limit: limitAddressConnections, code: wire.CloseAbuse, reason: "too many connections from this address"}, false
	}
	now, from := g.clock(), &g.nobody
	if s.use != nil {
		from = s.use
	}
	no := away{limit: limitAddressConnectRate, code: wire.CloseAbuse, reason: "connections come too fast from this address"}
	if g.rates.addressConnect.take(&from.connects, now) {
		if g.rates.connect.take(&g.connects, now) {
			return away{}, true
		}
		g.rates.addressConnect.giveBack(&from.connects)
		no.limit, no.reason = limitConnectRate, "connections come too fast"
	}
	no.after = max(g.rates.addressConnect.wait(&from.connects, now, 0), g.rates.connect.wait(&g.connects, now, 0))
	return no, false
}

// placeOfAddress takes one of an address's places, for as long as the seat is taken.
func (g *Gateway) placeOfAddress(s *seat) bool {
	s.counted = s.use != nil && within(&s.use.connections, g.limits.MaxAddressConnections)
	return s.counted || s.use == nil
}

// turnAway closes a socket for which there is no place: a bye says when to come back
// and where else to go, spread so that not all come at once.
func (g *Gateway) turnAway(conn net.Conn, encoding wire.Encoding, no away) {
	g.meter.refusedBy(no.limit)
	g.meter.closed(ws.StatusCode(no.code))
	reason := "limit"
	if no.code == wire.CloseDrain {
		reason = "drain"
	}
	b := wire.Bye{Reason: []byte(reason), Reconnect: true, AfterMs: waitMs(no.after) + jitter(), Nodes: g.clientSockets()}
	said := wire.AppendBye(encoding.On(nil), &b)
	out := ws.MustCompileFrame(ws.NewFrame(opcodeOf(encoding), true, said.Bytes))
	body := ws.NewCloseFrameBody(ws.StatusCode(no.code), no.code.String()+": "+no.reason)
	out = append(out, ws.MustCompileFrame(ws.NewCloseFrame(body))...)
	_ = conn.SetDeadline(time.Now().Add(turnAwayTime))
	if _, err := conn.Write(out); err == nil {
		awaitEnd(conn)
	}
	_ = conn.Close()
}

const (
	// turnAwayTime is how long who is sent away may take to go.
	turnAwayTime = time.Second
	// turnAwayBytes is what of a hello that is under way already is read for that.
	turnAwayBytes = 32 << 10
)

// awaitEnd reads until the other side has closed, for a moment: a full close with
// unread bytes would reset the connection, and take the close frame with it.
func awaitEnd(conn net.Conn) {
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	var rest [512]byte
	for read := 0; read < turnAwayBytes; {
		n, err := conn.Read(rest[:])
		if err != nil {
			return
		}
		read += n
	}
}

// waitMs is a wait as clients are told it: who waits as long has waited enough.
func waitMs(wait time.Duration) int64 {
	return int64((wait + time.Millisecond - 1) / time.Millisecond)
}
