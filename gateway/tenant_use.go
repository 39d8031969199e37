package gateway

import (
	"fmt"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// rates are the gateway's, as the limits have them.
type rates struct {
	publish, tenantPublish, nodePublish rate
	connect, addressConnect             rate
	control                             rate
}

func newRates(l *Limits) rates {
	return rates{
		publish:        newRate(l.PublishRate, l.PublishBurst),
		tenantPublish:  newRate(l.TenantPublishRate, l.TenantPublishBurst),
		nodePublish:    newRate(l.NodePublishRate, l.NodePublishBurst),
		connect:        newRate(l.ConnectRate, l.ConnectBurst),
		addressConnect: newRate(l.AddressConnectRate, l.AddressConnectBurst),
		control:        newRate(l.MaxControlFrames, l.MaxControlFrames),
	}
}

// joinTenant counts a session among its tenant's; a refusal closes it.
func (c *connection) joinTenant() bool {
	g := c.gateway
	use := g.tenants.hold(c.identity.tenant, g.clock())
	if !within(&use.connections, g.limits.MaxTenantConnections) {
		g.tenants.drop(use)
		const sentence = "the tenant has as many connections at this node as it may have"
		g.meter.refusedBy(limitTenantConnections)
		after := jitter()
		e := excess{refusal{wire.ReasonTenantLimit, sentence}, limitTenantConnections, after}.wireError()
		c.sendError(&e)
		c.sendAway(&wire.Bye{Reason: []byte("limit"), Reconnect: true, AfterMs: after, Nodes: g.clientSockets()})
		return false
	}
	c.belong(use)
	return true
}

// belong has a session counted with what its tenant uses; before hello, with nobody.
func (c *connection) belong(use *usage) {
	c.tenant = use
	if t := c.rest.Load(); t != nil {
		t.belong(use)
	}
}

// sendAway closes a connection that is beyond a limit.
func (c *connection) sendAway(b *wire.Bye) {
	c.dismissed.Store(true)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendBye(buf, b), at, wire.TypeBye)
	}
	c.close(wire.CloseAbuse, "a limit of the tenant")
}

// leaveTenant is the end of joinTenant, once its table of subscriptions is empty.
func (c *connection) leaveTenant() {
	if c.tenant != &c.gateway.nobody {
		c.tenant.connections.Add(-1)
		c.gateway.tenants.drop(c.tenant)
	}
}

// begin counts a request among its tenant's and the node's. What may be refused is,
// where there are as many as may be; the rest is only counted.
func (g *Gateway) begin(tenant *usage, mayRefuse bool) excess { //nolint:revive // The flag is the request's kind.
	most, mostOfAll := g.limits.MaxTenantInFlight, g.limits.MaxNodeInFlight
	if !mayRefuse {
		most, mostOfAll = 0, 0
	}
	if !within(&tenant.requests, most) {
		return excess{refusal{
			wire.ReasonTenantLimit, fmt.Sprintf("the tenant has %d requests under way at this node, as many as it may have", most),
		}, limitTenantInFlight, retryInFlightMs}
	}
	if !within(&g.requests, mostOfAll) {
		tenant.requests.Add(-1)
		return excess{refusal{
			wire.ReasonTooManyInFlight, fmt.Sprintf("%d requests are under way at this node, as many as may be", mostOfAll),
		}, limitNodeInFlight, retryInFlightMs}
	}
	g.meter.inFlight.Inc()
	return excess{}
}

// end is the end of a request that was begun.
func (g *Gateway) end(tenant *usage) {
	tenant.requests.Add(-1)
	g.requests.Add(-1)
	g.meter.inFlight.Dec()
}

// pace takes an event of the rates of its connection, its tenant and the node, or
// refuses it and takes none. own is nil where there is no connection; before is how
// many events of the same request were refused already, and come before this one.
func (g *Gateway) pace(own *bucket, tenant *usage, before int) excess {
	now := g.clock()
	levels := [...]struct {
		rate   rate
		bucket *bucket
		limit  limitName
	}{
		{g.rates.publish, own, limitPublishRate},
		{g.rates.tenantPublish, &tenant.publishes, limitTenantPublishRate},
		{g.rates.nodePublish, &g.publishes, limitNodePublishRate},
	}
	for i := range levels { //nolint:gosec // The array has a fixed length.
		if levels[i].bucket == nil || levels[i].rate.take(levels[i].bucket, now) {
			continue
		}
		for j := range i {
			if levels[j].bucket != nil {
				levels[j].rate.giveBack(levels[j].bucket)
			}
		}
		x := excess{refusal{wire.ReasonRateLimited, levels[i].limit.sentence()}, levels[i].limit, 0} //nolint:gosec // As above.
		for j := range levels {
			if levels[j].bucket != nil {
				x.retryMs = max(x.retryMs, waitMs(levels[j].rate.wait(levels[j].bucket, now, before)))
			}
		}
		return x
	}
	return excess{}
}

// paceControl bounds pings and pongs, which cost an answer or nothing and are no
// requests.
func (c *connection) paceControl() bool {
	if c.gateway.rates.control.take(&c.controls, c.gateway.clock()) {
		return true
	}
	c.gateway.meter.refusedBy(limitControlFrames)
	c.closeWith(ws.StatusCode(wire.CloseAbuse), wire.CloseAbuse.String()+": more pings and pongs than max_control_frames a second")
	return false
}
