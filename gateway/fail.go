package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// fail ends a job with an error.
func (c *connection) fail(m *wire.Fail) {
	bench := c.bench
	if len(m.Error.Detail) > c.gateway.limits.MaxPayloadBytes {
		c.refuse(m.ID, wire.ReasonTooLarge, c.gateway.tooLarge.message)
		return
	}
	lease, route, ok := c.readLease(m.ID, m.Lease)
	if !ok {
		return
	}
	slot, ok := c.take(request{kind: requestFail, id: m.ID, lease: lease})
	if !ok {
		return
	}
	c.checkpointBefore(lease)
	bench.fail = command.Fail{
		Route:        route,
		Lease:        lease,
		Code:         alias(m.Error.Code),
		Message:      alias(m.Error.Message),
		Detail:       m.Error.Detail,
		Final:        m.Retryable == wire.No,
		Throttled:    m.Throttled,
		RetryAfterMS: uint64(m.RetryAfterMs), //nolint:gosec // not negative
	}
	bench.encoded = bench.fail.Append(bench.encoded[:0])
	bench.fail = command.Fail{}
	c.endLease(lease, bench.encoded, slot)
}
