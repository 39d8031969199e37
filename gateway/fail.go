package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// fail ends a job with an error.
func (c *connection) fail(m *wire.Fail) {
	if c.denied(m.ID, refuseEnding(c.who.Load())) || c.denied(m.ID, c.gateway.refuseFail(m)) {
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
	c.closeWriters(lease, false)
	c.endLease(lease, c.bench.encodeFail(route, lease, c.bound(), m), slot)
}

func (g *Gateway) refuseFail(m *wire.Fail) refusal {
	if len(m.Error.Detail) > g.limits.MaxPayloadBytes {
		return g.tooLarge
	}
	return refusal{}
}

// encodeFail encodes what went wrong with a job.
func (b *workbench) encodeFail(route command.Route, lease command.LeaseID, tenant string, m *wire.Fail) []byte {
	b.fail = command.Fail{
		Route:        route,
		Lease:        lease,
		Tenant:       tenant,
		Code:         alias(m.Error.Code),
		Message:      alias(m.Error.Message),
		Detail:       m.Error.Detail,
		Final:        m.Retryable == wire.No,
		Throttled:    m.Throttled,
		RetryAfterMS: uint64(m.RetryAfterMs), //nolint:gosec // not negative
	}
	b.encoded = b.fail.Append(b.encoded[:0])
	b.fail = command.Fail{}
	return b.encoded
}
