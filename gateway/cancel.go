package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// cancelGraceMs is how long the worker of a canceled event may still answer.
const cancelGraceMs = 5000

// cancel stops one event. A session with a client id cancels its own only.
func (c *connection) cancel(m *wire.Cancel) {
	if len(m.EventID) == 0 {
		c.unavailable(m.ID, "cancel by correlation_id or run is not available yet: name an event_id")
		return
	}
	event, err := command.ParseEventID(alias(m.EventID))
	if err != nil {
		c.refuse(m.ID, wire.ReasonBadRequest, "event_id is not an event id")
		return
	}
	route, ok := c.gateway.partitionRoute(uint32(event.Partition))
	if !ok {
		c.refuse(m.ID, wire.ReasonNotFound, "there is no such event")
		return
	}
	slot, ok := c.take(request{kind: requestCancel, id: m.ID})
	if !ok {
		return
	}
	stop := command.Cancel{
		Route:    route,
		Tenant:   c.identity.tenant,
		ClientID: c.identity.clientID,
		Event:    event,
		Reason:   alias(m.Reason),
		GraceMS:  cancelGraceMs,
	}
	c.bench.encoded = stop.Append(c.bench.encoded[:0])
	c.gateway.broker.Submit(uint32(event.Partition), c.bench.encoded, c, slot)
}
