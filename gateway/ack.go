package gateway

import "github.com/batonmq/baton/transport/wire"

// ack moves the device's cursor.
func (c *connection) ack(m *wire.Ack) {
	if len(m.Subscription) > 0 {
		c.ackListen(m)
		return
	}
	s := c.stream.Load()
	if s == nil {
		c.refuseUnasked(wire.ReasonBadRequest, "there is nothing to acknowledge: hello named no client_id")
		return
	}
	times, ok := s.sent.take(m.Seq, c.bench.times[:0])
	c.bench.times = times
	if !ok {
		c.refuseUnasked(wire.ReasonBadRequest, neverSent)
		return
	}
	s.handle.Ack(m.Seq, times)
}

const neverSent = "seq was never sent"
