package gateway

import (
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// handshakeTimeout is how long answering an upgrade may take.
const handshakeTimeout = 10 * time.Second

// upgrade makes a WebSocket of a request. Who may not come in is let in and
// then closed with a code: a browser cannot see why an upgrade was refused.
func (g *Gateway) upgrade(w http.ResponseWriter, r *http.Request) {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		w.Header().Set("Upgrade", "websocket")
		g.problem(w, refusal{wire.ReasonBadRequest, "this is the WebSocket endpoint: send an upgrade"}, http.StatusUpgradeRequired)
		return
	}
	forbidden := g.origins.check(r)
	offered, speaks := subprotocols(r.Header)
	upgrader := ws.HTTPUpgrader{
		Timeout:  handshakeTimeout,
		Protocol: func(name string) bool { return name == protocolName },
	}
	conn, buffered, _, err := upgrader.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return
	}
	early := make([]byte, min(buffered.Reader.Buffered(), readBytes))
	_, _ = buffered.Read(early)

	c, start := g.newSocket(conn) //nolint:contextcheck // The connection outlives the upgrade.
	uncertified := c.bring(r)
	if !g.admit(c) {
		g.turnAway(c.conn)
		return
	}
	switch {
	case forbidden != "":
		c.close(wire.CloseForbidden, forbidden)
	case uncertified != nil:
		c.close(wire.CloseUnauthenticated, uncertified.Error())
	case offered && !speaks:
		c.close(wire.CloseUnsupportedVersion, "this node speaks "+protocolName)
	}
	g.wheel.add(c, g.limits.HelloTimeout)
	start(early)
}

// newSocket makes a connection of an upgraded one, in the tier that it belongs to, and
// returns how its work is begun.
func (g *Gateway) newSocket(conn net.Conn) (c *connection, start func(early []byte)) {
	if g.polls {
		if polled := g.poller.takeOver(g, conn); polled != nil {
			c = newConnection(g, polled, polled)
			return c, func(early []byte) { polled.start(c, early) }
		}
	}
	c = newConnection(g, conn, newReceiver(g, conn))
	return c, func(early []byte) { go c.serve(early) }
}

// bring keeps what an upgrade shows of who asks, for hello.
func (c *connection) bring(r *http.Request) (err error) {
	if c.gateway.auth == nil {
		return nil
	}
	c.shown = &shown{bearer: bearerOf(r)}
	c.shown.certified, err = certified(r.TLS)
	return err
}

// turnAway closes a socket for which there is no place.
func (g *Gateway) turnAway(conn socket) {
	code, reason := wire.CloseShutdown, "too many connections"
	if g.isDraining() {
		code, reason = wire.CloseDrain, "the node takes no more connections"
	}
	g.meter.closed(ws.StatusCode(code))
	body := ws.NewCloseFrameBody(ws.StatusCode(code), code.String()+": "+reason)
	if bounded, ok := conn.(net.Conn); ok { // A socket of ours takes so little at once.
		_ = bounded.SetWriteDeadline(time.Now().Add(time.Second))
	}
	_, _ = conn.Write(ws.MustCompileFrame(ws.NewCloseFrame(body)))
	_ = conn.Close()
	release(conn)
}

// subprotocols tells whether any were offered, and ours among them.
func subprotocols(header http.Header) (offered, speaks bool) {
	for _, line := range header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			offered = true
			if strings.TrimSpace(name) == protocolName {
				speaks = true
			}
		}
	}
	return offered, speaks
}
