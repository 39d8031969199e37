package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// complete acknowledges a lease; what the worker emits and notifies happens
// with it or not at all.
func (m *Machine) complete(c *command.Complete) command.Result {
	j, answer := m.leased(c.Lease, endCompleted)
	if j == nil {
		return answer
	}
	if refusal, ok := m.checkComplete(j, c); !ok {
		return refusal
	}
	row := attemptRow{how: endCompleted, result: c.Result, usage: c.Usage}
	for i := range c.Emits {
		row.emitted = append(row.emitted, m.emit(j.event, &c.Emits[i]))
	}
	for i := range c.Notifies {
		row.notified = append(row.notified, m.notify(j.event, &c.Notifies[i]))
	}
	m.end(j, &row)
	m.dropActive(j)
	return command.Result{Events: row.emitted}
}

// checkComplete refuses what cannot take effect here, before anything is
// written. Another partition is reached through a relay, which this build does
// not have.
func (m *Machine) checkComplete(j *job, c *command.Complete) (command.Result, bool) {
	for i := range c.Emits {
		e := &c.Emits[i]
		inherit(e, j.event)
		if wrong := wrongNames(e); wrong != "" {
			return refuse(command.BadRequest, fmt.Sprintf("emit %d: %s", i, wrong)), false
		}
		if !m.owns(command.SlotOf(e.Tenant, e.Key)) {
			return refuse(command.NotAvailable, fmt.Sprintf(
				"emit %d names key %q, which another partition holds: leave key and client_id out to stay with the job's",
				i, e.Key,
			)), false
		}
	}
	for i := range c.Notifies {
		client := clientOf(&c.Notifies[i], j.event)
		if client == "" {
			return refuse(command.BadRequest, fmt.Sprintf(
				"notify %d names no client_id, and the job's event has none", i,
			)), false
		}
		if len(client) > MaxNameBytes {
			return refuse(command.BadRequest, fmt.Sprintf("notify %d: %s", i, tooLong("client", client))), false
		}
		if !m.owns(command.SlotOf(j.event.Tenant, client)) {
			return refuse(command.NotAvailable, fmt.Sprintf(
				"notify %d is for client %q, whose stream another partition holds: publish the event with the client's own key",
				i, client,
			)), false
		}
	}
	return command.Result{}, true
}

// inherit fills in what an emitted event takes from the job's.
func inherit(e *command.Event, parent *event) {
	e.Tenant = parent.Tenant
	if e.ClientID == "" {
		e.ClientID = parent.ClientID
	}
	if e.Key == "" {
		e.Key = parent.Key
	}
	if e.CorrelationID == "" {
		e.CorrelationID = parent.correlationID()
	}
	if e.Traceparent == "" {
		e.Traceparent = parent.Traceparent
	}
}

func clientOf(n *command.Notify, parent *event) string {
	if n.ClientID != "" {
		return n.ClientID
	}
	return parent.ClientID
}

// emit stores an event of a job. An idempotency key that was used before in
// the channel leads to the first event, whatever the data: the emit has happened.
func (m *Machine) emit(parent *event, fields *command.Event) command.EventID {
	e := &event{storedMS: m.counters.timeMS, whole: true, parent: parent.id, Event: *fields}
	mark := emitMark(e)
	var earlier dedupeRow
	if m.lookUp(m.names.find(nameTenant, e.Tenant), &mark, &earlier) {
		return earlier.event
	}
	m.store(e)
	if e.CorrelationID != parent.correlationID() {
		m.indexLineage(e)
	}
	m.remember(&mark, e)
	return e.id
}
