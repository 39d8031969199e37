package gateway

import (
	"github.com/batonmq/baton/transport/wire"
)

// bye ends the session at the client's wish: its jobs go back at once.
func (c *connection) bye() {
	t := c.tables()
	for _, s := range t.subscriptions.takeAll() {
		s.handle.Close()
		t.jobs.orphan(s)
	}
	c.saidBye = true
	c.releaseAll()
	c.closeWith(closeNormal, "bye")
}

// dismiss is the server's bye.
func (c *connection) dismiss(b *wire.Bye, code wire.CloseCode) {
	c.dismissed.Store(true)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendBye(buf, b), at, wire.TypeBye)
	}
	c.close(code, string(b.Reason))
}
