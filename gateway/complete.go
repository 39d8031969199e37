package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// complete ends a job: acknowledgement, emits and notifications in one command.
func (c *connection) complete(m *wire.Complete) {
	who := c.who.Load()
	if c.denied(m.ID, refuseEnding(who)) || c.denied(m.ID, refuseEmits(who, m)) || c.denied(m.ID, c.gateway.refuseComplete(m)) {
		return
	}
	lease, route, ok := c.readLease(m.ID, m.Lease)
	if !ok {
		return
	}
	slot, ok := c.take(request{kind: requestComplete, id: m.ID, lease: lease})
	if !ok {
		return
	}
	c.closeWriters(lease, true)
	c.endLease(lease, c.bench.encodeComplete(route, lease, c.bound(), m), slot)
}

// encodeComplete encodes what a worker, or somebody in its place, says of a job.
func (b *workbench) encodeComplete(route command.Route, lease command.LeaseID, tenant string, m *wire.Complete) []byte {
	done := &b.complete
	done.Route, done.Lease, done.Result, done.Usage = route, lease, rawPayload(m.Result), m.Usage
	done.Tenant, done.Emits, done.Notifies = tenant, done.Emits[:0], done.Notifies[:0]
	for i := range m.Emit {
		var event command.Event
		b.fillEvent(&event, &m.Emit[i].EventFields)
		event.ClientID = alias(m.Emit[i].ClientID)
		done.Emits = append(done.Emits, event)
	}
	for i := range m.Notify {
		done.Notifies = append(done.Notifies, command.Notify{
			ClientID: alias(m.Notify[i].ClientID),
			Name:     alias(m.Notify[i].Name),
			Payload:  commandPayload(m.Notify[i].Payload),
		})
	}
	b.encoded = done.Append(b.encoded[:0])
	clear(done.Emits)
	clear(done.Notifies)
	done.Result, done.Usage = command.Payload{}, nil
	b.headers = b.headers[:0]
	return b.encoded
}

func (g *Gateway) refuseComplete(m *wire.Complete) refusal {
	limit := g.limits.MaxPayloadBytes
	if len(m.Result) > limit || len(m.Usage) > limit {
		return g.tooLarge
	}
	for i := range m.Emit {
		if r := g.refuseEvent(&m.Emit[i].EventFields); r.any() {
			return r
		}
	}
	for i := range m.Notify {
		switch {
		case len(m.Notify[i].Payload.Bytes) > limit:
			return g.tooLarge
		case len(m.Notify[i].Name) == 0:
			return refusal{wire.ReasonBadRequest, "notify must have a name"}
		}
	}
	return refusal{}
}

// replyComplete answers a complete with the ids of what it emitted; an event on
// its way to another partition has none yet.
func (c *connection) replyComplete(id uint64, result *command.Result) {
	ok := wire.OK{ID: id, HasEvents: true, Duplicate: result.Duplicate}
	var few [8][]byte
	ok.Events = few[:0]
	text := make([]byte, 0, len(result.Events)*command.EventIDLength)
	for _, event := range result.Events {
		start := len(text)
		text = event.Append(text)
		ok.Events = append(ok.Events, text[start:])
	}
	c.sendOK(&ok)
}
