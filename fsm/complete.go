package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// complete acknowledges a lease; what the worker emits and notifies happens
// with it or not at all.
func (m *Machine) complete(c *command.Complete) command.Result {
	if m.foreign(c.Lease.Event, c.Tenant) {
		return lostLease()
	}
	j, answer := m.inForce(c.Lease, endCompleted)
	if j == nil {
		return answer
	}
	if refusal, ok := m.checkComplete(j, c); !ok {
		return refusal
	}
	row := attemptRow{how: endCompleted, result: c.Result, usage: c.Usage}
	spawned := m.spawn(j, c)
	for i := range c.Emits {
		row.emitted = append(row.emitted, m.emit(j, &c.Emits[i], &row))
	}
	for i := range c.Notifies {
		m.notify(j.event, &c.Notifies[i], &row)
	}
	emitted := row.emitted
	m.jobCompleted(j, c, spawned, &row)
	m.end(j, &row)
	m.dropActive(j)
	m.finished(j.cursor, j.event, 0)
	m.passKey(j.cursor, j.event)
	return command.Result{Events: emitted}
}

// checkComplete refuses what cannot take effect, before anything is written.
func (m *Machine) checkComplete(j *job, c *command.Complete) (command.Result, bool) {
	dynamic, wrong := m.dynamicOf(j, c)
	if wrong != "" {
		return refuse(command.BadRequest, wrong), false
	}
	for i := range c.Emits {
		e := &c.Emits[i]
		if dynamic {
			e.Key = j.event.Key // They are jobs of its run.
		}
		inherit(e, j.event)
		if e.OnEnd != "" {
			return refuse(command.BadRequest, fmt.Sprintf("emit %d: on_end is for what clients publish", i)), false
		}
		if wrong := wrongNames(e); wrong != "" {
			return refuse(command.BadRequest, fmt.Sprintf("emit %d: %s", i, wrong)), false
		}
		if wrong := wrongTimes(e, m.counters.timeMS); wrong != "" {
			return refuse(command.BadRequest, fmt.Sprintf("emit %d: %s", i, wrong)), false
		}
		if target, foreign := m.elsewhere(e.Tenant, e.Key); foreign {
			row := m.eventRow(j, e)
			if refusal, refused := m.refuseRelay(target, &row); refused {
				return refusal, false
			}
		}
	}
	for i := range c.Notifies {
		if refusal, ok := m.checkNotify(j, i, &c.Notifies[i]); !ok {
			return refusal, false
		}
	}
	return command.Result{}, true
}

func (m *Machine) checkNotify(j *job, i int, n *command.Notify) (command.Result, bool) {
	client := clientOf(n, j.event)
	if client == "" {
		return refuse(command.BadRequest, fmt.Sprintf(
			"notify %d names no client_id, and the job's event has none", i,
		)), false
	}
	if len(client) > MaxNameBytes {
		return refuse(command.BadRequest, fmt.Sprintf("notify %d: %s", i, tooLong("client", client))), false
	}
	if target, foreign := m.elsewhere(j.event.Tenant, client); foreign {
		row := m.notificationRow(j.event, n)
		if refusal, refused := m.refuseRelay(target, &row); refused {
			return refusal, false
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

// emit stores an event of a job, or sends it to the partition of its key, where
// it has no id yet.
func (m *Machine) emit(j *job, fields *command.Event, history *attemptRow) command.EventID {
	if target, foreign := m.elsewhere(fields.Tenant, fields.Key); foreign {
		m.sendEmit(j, target, fields)
		history.relayed = append(history.relayed, relayedMark{target: target})
		return command.EventID{}
	}
	e := &event{storedMS: m.counters.timeMS, whole: true, parent: j.event.id, Event: *fields}
	other := e.CorrelationID != j.event.correlationID()
	if !e.Task.Run.IsZero() {
		m.store(e)
		if r := m.runOf(e.Task.Run); r != nil {
			m.keepJob(r, runJob{event: e.id, step: e.Task.Step, iteration: e.Task.Iteration, item: e.Task.Item})
		}
		return e.id
	}
	id := m.storeEmit(e, m.groupOf(j), other)
	if other && id == e.id {
		// A lineage that a job begins is that of the event's client.
		m.lineage(m.names.find(nameTenant, e.Tenant), e.CorrelationID).publishedBy(e.ClientID)
	}
	return id
}

// groupOf is the name of the job's group, empty for default.
func (m *Machine) groupOf(j *job) string {
	if group := m.names.text(nameGroup, j.key.group); group != DefaultGroup {
		return group
	}
	return ""
}

// storeEmit stores an event that a job of a group emitted, here or elsewhere. An
// idempotency key that the group used before in the channel leads to the first
// event, whatever the data: the emit has happened.
func (m *Machine) storeEmit(e *event, group string, index bool) command.EventID { //nolint:revive // Where the lineage leads to the event is all that differs.
	mark := emitMark(e, group)
	var earlier dedupeRow
	if m.lookUp(m.names.find(nameTenant, e.Tenant), &mark, &earlier) {
		return earlier.event
	}
	m.store(e)
	if index {
		m.indexLineage(e)
	}
	m.remember(&mark, e)
	return e.id
}

// notify appends to a client's stream, here or in the partition of the client.
func (m *Machine) notify(parent *event, n *command.Notify, history *attemptRow) {
	client := clientOf(n, parent)
	if target, foreign := m.elsewhere(parent.Tenant, client); foreign {
		row := m.notificationRow(parent, n)
		m.send(target, &row)
		history.relayed = append(history.relayed, relayedMark{target: target, client: client, name: n.Name})
		return
	}
	history.notified = append(history.notified, m.post(parent.Tenant, client, &command.Notification{
		Name: n.Name, Event: parent.id, CorrelationID: parent.correlationID(),
		CausationID: parent.id.String(), TimeMS: m.counters.timeMS, Payload: n.Payload,
	}))
}
