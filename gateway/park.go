package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// park takes a job from its worker, to be ended from outside.
func (c *connection) park(m *wire.Park) {
	if m.TimeoutMs > c.gateway.limits.MaxPark.Milliseconds() {
		c.refuse(m.ID, c.gateway.parkTooLong.reason, c.gateway.parkTooLong.message)
		return
	}
	if c.denied(m.ID, refuseEnding(c.who.Load())) {
		return
	}
	lease, route, ok := c.readLease(m.ID, m.Lease)
	if !ok {
		return
	}
	slot, ok := c.take(request{kind: requestPark, id: m.ID, lease: lease})
	if !ok {
		return
	}
	c.checkpointBefore(lease)
	park := command.Park{Route: route, Lease: lease, Tenant: c.bound(), TimeoutMS: uint64(m.TimeoutMs)} //nolint:gosec // not negative
	c.bench.encoded = park.Append(c.bench.encoded[:0])
	c.closeWriters(lease, false)
	c.endLease(lease, c.bench.encoded, slot)
}
