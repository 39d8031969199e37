package gateway

import (
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// What a parser closes a connection with.
const (
	closeProtocol = ws.StatusCode(wire.CloseProtocolError)
	closeTooLarge = ws.StatusCode(wire.CloseTooLarge)
	closeNormal   = ws.StatusNormalClosure
)

// maxCloseReason is what a control frame has room for behind the code.
const maxCloseReason = maxControlBytes - 2

// close begins the closing handshake: everything queued so far is still
// written, then the close frame. The first call wins.
func (c *connection) close(code wire.CloseCode, reason string) {
	c.closeWith(ws.StatusCode(code), code.String()+": "+reason)
}

// closeWith is close with any status of RFC 6455; 0 closes without one.
func (c *connection) closeWith(code ws.StatusCode, reason string) {
	if !c.markClosing(code) {
		return
	}
	if code != closeNormal && code != 0 {
		c.gateway.logger.Debug("closing a connection", "session", c.session, "code", int(code), "reason", reason)
	}
	var frame [maxControlBytes]byte
	body := frame[:0]
	if code != 0 {
		body = binary.BigEndian.AppendUint16(body, uint16(code))
		body = append(body, clip(reason, maxCloseReason)...)
	}
	c.out.seal(body)
}

// abort ends a connection whose socket takes nothing any more: no close frame
// would get through.
func (c *connection) abort(code wire.CloseCode) {
	if c.markClosing(ws.StatusCode(code)) {
		c.gateway.logger.Debug("cutting a connection", "session", c.session, "code", int(code), "reason", code.String())
	}
	_ = c.conn.Close()
}

func (c *connection) markClosing(code ws.StatusCode) bool {
	if !c.closingSince.CompareAndSwap(0, time.Now().UnixNano()) {
		return false
	}
	c.gateway.meter.closed(code)
	c.announceEnd()
	if t := c.rest.Load(); t != nil {
		t.requests.close()
	}
	return true
}

func (c *connection) closing() bool { return c.closingSince.Load() != 0 }

// uponEnd has stop called once when the connection begins to close, or at once where
// it does already. It is for whatever the reader waits for; forget says that it
// waits no more.
func (c *connection) uponEnd(stop func()) (forget func()) {
	c.atEnd.Store(&stop)
	if c.closing() {
		c.announceEnd()
	}
	return func() { c.atEnd.Store(nil) }
}

func (c *connection) announceEnd() {
	if stop := c.atEnd.Swap(nil); stop != nil {
		(*stop)()
	}
}

// finishWriting is called by the flusher once the close frame is written, or
// the socket failed. Half-closing tells the other side that there is no more,
// while it may still be sending: a full close with unread bytes would reset the
// connection, and the close frame could be lost with it.
func (c *connection) finishWriting(err error) {
	if err != nil {
		c.markClosing(ws.StatusAbnormalClosure)
		_ = c.conn.Close()
		return
	}
	half, ok := c.conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		_ = c.conn.Close()
		return
	}
	c.finished.Store(time.Now().UnixNano())
	c.gateway.wheel.add(c, c.gateway.limits.CloseTimeout)
}

// peerClose answers a close frame. An empty one is answered by an empty one, a
// bad one by a protocol error.
func (c *connection) peerClose(body []byte) {
	switch {
	case len(body) == 0:
		c.closeWith(0, "")
	case len(body) == 1:
		c.close(wire.CloseProtocolError, "close frame with half a code")
	default:
		code := ws.StatusCode(binary.BigEndian.Uint16(body))
		switch {
		case !maySay(code):
			c.close(wire.CloseProtocolError, "close frame with a code that none may have")
		case !utf8.Valid(body[2:]):
			c.close(wire.CloseProtocolError, "close frame with a reason that is not valid UTF-8")
		default:
			c.closeWith(code, "")
		}
	}
}

// maySay tells whether a close frame may have this code: those of RFC 6455, section
// 7.4.1, with what IANA registered since (1012 to 1014), and those that are left to
// libraries and applications. 1005, 1006 and 1015 are for what was never sent.
func maySay(code ws.StatusCode) bool {
	switch {
	case code >= 3000:
		return code <= 4999
	case code >= 1007:
		return code <= 1014
	default:
		return code >= 1000 && code <= 1003
	}
}

// clip cuts text to limit bytes, between runes.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}
