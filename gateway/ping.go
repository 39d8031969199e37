package gateway

import "github.com/batonmq/baton/transport/wire"

// ping answers the client's own probe.
func (c *connection) ping(m *wire.Ping) {
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendPong(buf, &wire.Pong{Time: m.Time}), at, wire.TypePong)
	}
}
