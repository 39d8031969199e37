package gateway

import (
	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// cancelGraceMs is how long the worker of a canceled event may still answer.
const cancelGraceMs = 5000

// cancel stops one event, or a lineage. A session with a client id cancels its own
// only.
func (c *connection) cancel(m *wire.Cancel) {
	if c.denied(m.ID, c.refuseCancel()) {
		return
	}
	switch {
	case len(m.Run) > 0:
		c.cancelRun(m)
	case len(m.CorrelationID) > 0:
		c.cancelLineage(m)
	default:
		c.cancelEvent(m)
	}
}

// cancelLineage stops all events of a correlation id, in every partition.
func (c *connection) cancelLineage(m *wire.Cancel) {
	slot, ok := c.take(request{kind: requestCancel, id: m.ID, target: c.cancels(m)})
	if !ok {
		return
	}
	stop := command.CancelLineage{
		Route:         command.Route{SlotMap: command.SlotMapVersion},
		Tenant:        c.identity.tenant,
		ClientID:      c.identity.clientID,
		CorrelationID: alias(m.CorrelationID),
		Reason:        alias(m.Reason),
		GraceMS:       cancelGraceMs,
	}
	c.bench.encoded = stop.Append(c.bench.encoded[:0])
	c.gateway.broker.CancelLineage(c.bench.encoded, c, slot)
}

// cancels is what a cancel of others' work names, for the audit log; empty for a
// client's own.
func (c *connection) cancels(m *wire.Cancel) string {
	switch {
	case c.identity.clientID != "":
		return ""
	case len(m.CorrelationID) > 0:
		return "lineage " + string(m.CorrelationID)
	case len(m.Run) > 0:
		return "run " + string(m.Run)
	default:
		return "event " + string(m.EventID)
	}
}

func (c *connection) cancelEvent(m *wire.Cancel) {
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
	slot, ok := c.take(request{kind: requestCancel, id: m.ID, target: c.cancels(m)})
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

// cancelRun cancels a run, which its workflow may answer with compensations.
func (c *connection) cancelRun(m *wire.Cancel) {
	run, err := command.ParseEventID(alias(m.Run))
	if err != nil {
		c.refuse(m.ID, wire.ReasonNotFound, cluster.ErrNoRun.Error())
		return
	}
	route, ok := c.gateway.partitionRoute(uint32(run.Partition))
	if !ok {
		c.refuse(m.ID, wire.ReasonNotFound, cluster.ErrNoRun.Error())
		return
	}
	slot, ok := c.take(request{kind: requestCancel, id: m.ID, target: c.cancels(m)})
	if !ok {
		return
	}
	c.bench.made = c.appendMadeKey(c.bench.made[:0])
	stop := command.ControlRun{
		Route: route, Run: run, Tenant: c.identity.tenant, ClientID: c.identity.clientID,
		Action: command.RunCancel, Reason: alias(m.Reason), Once: alias(c.bench.made),
	}
	c.bench.encoded = stop.Append(c.bench.encoded[:0])
	c.gateway.broker.Submit(uint32(run.Partition), c.bench.encoded, c, slot)
}
