package gateway

import (
	"encoding/base64"
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
	if !goodKey(r.Header) {
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "an upgrade has one Sec-WebSocket-Key: 16 bytes in base64"})
		return
	}
	forbidden := g.origins.check(r)
	offered, speaks := subprotocols(r.Header)
	upgrader := ws.HTTPUpgrader{
		Timeout: handshakeTimeout,
		// Of an offer that has none of ours any is taken up: without, browsers and other
		// clients end the connection before they see the code that it is closed with.
		Protocol: func(name string) bool {
			_, known := wire.EncodingOf(name)
			return known || !speaks
		},
	}
	conn, buffered, shaken, err := upgrader.Upgrade(r, w)
	if err != nil {
		if conn != nil {
			_ = conn.Close()
		}
		return
	}
	early := make([]byte, min(buffered.Reader.Buffered(), readBytes))
	_, _ = buffered.Read(early)

	encoding, _ := wire.EncodingOf(shaken.Protocol) // The first that was offered and is known; JSON where none was.
	place := g.sit(r)
	if no, ok := g.admit(&place); !ok {
		g.turnAway(conn, encoding, no)
		return
	}
	c, start := g.newSocket(conn, encoding) //nolint:contextcheck // The connection outlives the upgrade.
	c.seat = place
	uncertified := c.bring(r)
	draining := g.register(c)
	switch {
	case draining:
		c.close(wire.CloseDrain, "the node takes no more connections")
	case forbidden != "":
		c.close(wire.CloseForbidden, forbidden)
	case uncertified != nil:
		c.close(wire.CloseUnauthenticated, uncertified.Error())
	case offered && !speaks:
		c.close(wire.CloseUnsupportedVersion, "this node speaks "+strings.Join(wire.Protocols(), ", "))
	}
	g.wheel.add(c, g.limits.HelloTimeout)
	start(early)
}

// newSocket makes a connection of an upgraded one, in the tier that it belongs to, and
// returns how its work is begun.
func (g *Gateway) newSocket(conn net.Conn, encoding wire.Encoding) (c *connection, start func(early []byte)) {
	if g.polls {
		if polled := g.poller.takeOver(g, conn); polled != nil {
			c = newConnection(g, polled, polled, encoding)
			return c, func(early []byte) { polled.start(c, early) }
		}
	}
	c = newConnection(g, conn, newReceiver(g, conn), encoding)
	return c, c.serve
}

// goodKey tells whether the handshake's key is one of RFC 6455, section 4.2.1; the
// library that answers looks at no more than its length.
func goodKey(header http.Header) bool {
	keys := header.Values("Sec-WebSocket-Key")
	if len(keys) != 1 {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(raw) == 16
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

// subprotocols tells whether any were offered, and ours among them.
func subprotocols(header http.Header) (offered, speaks bool) {
	for _, line := range header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			offered = true
			if _, known := wire.EncodingOf(strings.TrimSpace(name)); known {
				speaks = true
			}
		}
	}
	return offered, speaks
}
