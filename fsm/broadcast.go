package fsm

import (
	"fmt"

	"github.com/cespare/xxhash/v2"

	"github.com/batonmq/baton/fsm/command"
)

// broadcastQueue stands in the id of a broadcast where an event's has its sub-queue's
// number, which begin with 1: it is an id that no event has.
const broadcastQueue = 0

// broadcast notifies several clients of the same, all of them or none. It is an event
// to those who are told of it, with an id of its own, but nothing that a worker gets:
// no row but the notifications, and their arrivals for the lineage.
func (m *Machine) broadcast(c *command.Broadcast) command.Result {
	if refusal, refused := m.refuseBroadcast(c); refused {
		return refusal
	}
	mark := broadcastMark(c)
	if answer, found := m.recall(m.names.find(nameTenant, c.Tenant), &mark); found {
		return answer
	}
	id := m.eventID(broadcastQueue, m.counters.nextPosition)
	m.counters.nextPosition++
	n := command.Notification{
		Name: c.Name, Event: id, CorrelationID: c.CorrelationID, CausationID: c.CausationID,
		TimeMS: m.counters.timeMS, Payload: c.Payload,
	}
	if n.CausationID == "" {
		n.CausationID = id.String()
	}
	for _, client := range c.Clients {
		m.arriveNotification(m.post(c.Tenant, client, &n), c.Tenant, &n, "")
	}
	m.remember(&mark, &event{id: id, Event: command.Event{Tenant: c.Tenant, CorrelationID: c.CorrelationID}})
	return command.Result{Event: id, CorrelationID: c.CorrelationID}
}

// refuseBroadcast says what is wrong with a broadcast.
func (m *Machine) refuseBroadcast(c *command.Broadcast) (command.Result, bool) {
	if c.Tenant == "" || c.IdempotencyKey == "" || c.CorrelationID == "" {
		return refuse(command.BadRequest, "the broadcast lacks a tenant, idempotency key or correlation id"), true
	}
	if len(c.Tenant) > MaxNameBytes {
		return refuse(command.BadRequest, tooLong("tenant", c.Tenant)), true
	}
	if len(c.Clients) == 0 {
		return refuse(command.BadRequest, "the broadcast names no client"), true
	}
	for i, client := range c.Clients {
		switch {
		case client == "":
			return refuse(command.BadRequest, fmt.Sprintf("client %d of the broadcast has no name", i)), true
		case len(client) > MaxNameBytes:
			return refuse(command.BadRequest, tooLong("client", client)), true
		case !m.owns(command.SlotOf(c.Tenant, client)):
			return refuse(command.NoLeader, "a client's slot is not in this partition; ask again with a newer map"), true
		}
	}
	return command.Result{}, false
}

// broadcastMark is the mark of a broadcast: its idempotency key is the tenant's, apart
// from those of publishes and emits.
func broadcastMark(c *command.Broadcast) dedupeMark {
	var content xxhash.Digest
	content.Reset()
	for _, client := range c.Clients {
		_, _ = content.WriteString(client)
		_, _ = content.Write([]byte{0})
	}
	_, _ = content.WriteString(c.Name)
	_, _ = content.Write([]byte{0, byte(c.Payload.Codec)})
	_, _ = content.Write(c.Payload.Bytes)
	return dedupeMark{of: digestOf("broadcast", "", c.IdempotencyKey), content: content.Sum64()}
}
