package fsm

import (
	"encoding/json"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// How the end of a lineage is found out across partitions is Dijkstra and
// Scholten's ("Termination detection for diffusing computations", 1980): an event
// that is sent to another partition counts as open here until the answer comes that
// it has ended. A partition that had nothing of the lineage keeps the answer back
// until all has ended that it has then, and is a child of the sender meanwhile; one
// that has something already answers at once, for what it has is waited for
// elsewhere. So whoever has no parent knows the end of all that it began.

// The states in which a lineage ends.
const (
	LineageCompleted = "completed"
	LineageFailed    = "failed"
	LineageCanceled  = "canceled"
)

// endNews is the data of the notification of a lineage's end.
type endNews struct {
	CorrelationID string `json:"correlation_id"`
	EventID       string `json:"event_id"`
	State         string `json:"state"`
}

// beginCounting counts a stored event, which is in all groups there are but the
// group default of a fan-out. In a lineage that is canceled it has ended already.
func (m *Machine) beginCounting(q *queue, e *event) {
	if m.counters.countedFrom == 0 {
		return
	}
	e.size = int64(len(e.Payload.Bytes))
	own := m.names.find(nameGroup, DefaultGroup)
	groups := slices.DeleteFunc(slices.Clone(q.cursors), func(c *cursor) bool {
		return c.frontier > e.id.Position && (!e.aside || c.turns.group != own)
	})
	l := m.opened(q, e, len(groups))
	if !l.read && e.CorrelationID == "" && e.id.Position > m.counters.foreseen {
		l.begin()
	}
	if cancel := m.canceledLineage(q.tenant, e); cancel != nil && !e.Task.Compensates {
		for _, c := range groups {
			if c.frontier > e.id.Position {
				m.endWaiting(c, e, jobCanceled, cancel.reason)
			} else {
				m.void(c, e, jobCanceled, cancel.reason)
			}
		}
	}
}

// publishedInto takes note of whose lineage it is, and who wants to know its end.
func (m *Machine) publishedInto(e *event) {
	l := m.lineage(m.names.find(nameTenant, e.Tenant), e.correlationID())
	l.publishedBy(e.ClientID)
	if e.OnEnd != "" {
		row := m.rowOf(l)
		row.notices = append(row.notices, endNotice{client: e.ClientID, name: e.OnEnd, event: e.id})
		l.changed = true
	}
}

// refuseMore refuses a publish for what there is already: of its client's
// and tenant's unfinished work, or of wishes to know its lineage's end.
func (m *Machine) refuseMore(tenant uint32, c *command.Publish) (command.Result, bool) {
	e := &c.Event
	if tenant == 0 {
		return command.Result{}, false
	}
	if c.MaxUnfinished > 0 && e.ClientID != "" && m.unfinished(m.client(tenant, e.ClientID)) >= int64(c.MaxUnfinished) { //nolint:gosec // A limit that somebody set.
		r := refuse(command.TooManyUnfinished, "the client has as much unfinished work in the partition as it may")
		r.RetryAfterMS = unfinishedRetryMS
		return r, true
	}
	if c.MaxTenantBytes > 0 && m.unfinished(m.weight(tenant)) >= int64(c.MaxTenantBytes) { //nolint:gosec // A limit that somebody set.
		r := refuse(command.TenantLimit, "the tenant's unfinished events have as many bytes in the partition as they may")
		r.RetryAfterMS = unfinishedRetryMS
		return r, true
	}
	if refusal, refused := m.refuseBacklog(tenant); refused {
		return refusal, true
	}
	if e.OnEnd != "" && e.CorrelationID != "" && len(m.rowOf(m.lineage(tenant, e.CorrelationID)).notices) >= MaxEndNotices {
		return refuse(command.BadRequest, "too many events of the lineage have an on_end already"), true
	}
	return command.Result{}, false
}

// unfinishedRetryMS is when to try again what a client's limit refused.
const unfinishedRetryMS = 1000

// sendEmit sends an event of a job to the partition of its key, and counts it as
// open here until its end is told. That of a canceled lineage arrives canceled.
func (m *Machine) sendEmit(j *job, target uint32, fields *command.Event) {
	row := m.eventRow(j, fields)
	tenant := j.cursor.queue.tenant
	if cancel := m.canceledLineage(tenant, &event{Event: *fields}); cancel != nil {
		row.Lineage = command.RelayedLineage{Canceled: true, Client: cancel.client, Reason: cancel.reason, GraceMS: cancel.graceMS}
	}
	if l := m.sendOpen(tenant, target, &row); l != nil && fields.CorrelationID != j.event.correlationID() {
		l.publishedBy(fields.ClientID)
	}
}

// sendOpen sends an event to another partition, and counts it as open in its lineage here
// until its end is told. The lineage is nil in a state that does not count.
func (m *Machine) sendOpen(tenant, target uint32, row *command.RelayRow) *lineageTally {
	m.send(target, row)
	if m.counters.countedFrom == 0 {
		return nil
	}
	l := m.lineage(tenant, row.Event.CorrelationID)
	m.rowOf(l).sendTo(target)
	l.changed = true
	return l
}

// adopt takes note of where an event came from, before it is stored: that
// partition is told of its end, when all has ended that the lineage has here by
// then, or at once where the lineage is here already.
func (m *Machine) adopt(row *command.RelayRow, source relaySource) *lineageTally {
	l := m.lineage(m.intern(nameTenant, row.Event.Tenant, &m.counters.nextTenant), row.Event.CorrelationID)
	if m.isOpen(l) {
		m.sendEnded(source, l, command.RelayedLineage{})
		return l
	}
	l.row.relayed, l.row.parent, l.changed = true, source, true
	return l
}

// cancelArrived has a cancel follow what was sent here. What others published into
// the lineage here is not one client's to stop.
func (m *Machine) cancelArrived(l *lineageTally, cancel *command.RelayedLineage) {
	if !m.isOpen(l) || l.row.sharedWith(cancel.Client) {
		return
	}
	if m.stopLineage(l, &cancelRow{client: cancel.Client, reason: cancel.Reason, graceMS: cancel.GraceMS}) {
		m.cancelEvents(l, &command.CancelLineage{Reason: cancel.Reason, GraceMS: cancel.GraceMS}, true)
	}
}

// endArrived counts an event as ended that was sent to a source.
func (m *Machine) endArrived(l *lineageTally, source uint32, end *command.RelayedLineage) {
	if end.Epoch != m.counters.epoch {
		return // It was sent before this partition was restored.
	}
	row := m.rowOf(l)
	if !row.told(source) {
		return // A build that did not count sent it.
	}
	row.failed, row.stopped, l.changed = row.failed || end.Failed, row.stopped || end.Stopped, true
}

func (m *Machine) sendEnded(to relaySource, l *lineageTally, end command.RelayedLineage) {
	end.Epoch = to.epoch
	m.send(to.partition, &command.RelayRow{
		Kind: command.RelayEnded, TimeMS: m.counters.timeMS, Lineage: end,
		Event: command.Event{Tenant: m.names.text(nameTenant, l.tenant), CorrelationID: l.text},
	})
}

// tellEnd tells that all has ended that this partition had of a lineage: the
// partition that it came from, and those who asked.
func (m *Machine) tellEnd(l *lineageTally, id lineageID) {
	row := &l.row
	if row.relayed {
		m.sendEnded(row.parent, l, command.RelayedLineage{Failed: row.failed, Stopped: row.stopped})
	}
	_, canceled := m.canceled[id]
	state := row.state(canceled)
	for i := range row.notices {
		m.notifyEnd(l, &row.notices[i], state)
	}
}

// state is how a lineage has ended.
func (l *lineageRow) state(canceled bool) string {
	switch {
	case canceled:
		return LineageCanceled
	case l.failed:
		return LineageFailed
	case l.stopped:
		return LineageCanceled
	default:
		return LineageCompleted
	}
}

// notifyEnd puts the news of a lineage's end into a client's stream, wherever that
// is. In the lineage its mark is that of a notification from elsewhere: no job made
// it.
func (m *Machine) notifyEnd(l *lineageTally, n *endNotice, state string) {
	data, err := json.Marshal(endNews{CorrelationID: l.text, EventID: n.event.String(), State: state})
	invariants.Check(err == nil, "three strings are JSON: %v", err)
	q := m.queues[n.event.Queue]
	invariants.Check(q != nil, "event %v, which is to be told of its lineage's end, is in no sub-queue", n.event)
	row := command.RelayRow{
		Kind: command.RelayNotification, Parent: n.event, TimeMS: m.counters.timeMS, Name: n.name,
		Event: command.Event{
			Channel: m.names.text(nameChannel, q.channel), Tenant: m.names.text(nameTenant, l.tenant),
			ClientID: n.client, CorrelationID: l.text, Payload: command.Payload{Codec: command.CodecJSON, Bytes: data},
		},
	}
	if target, foreign := m.elsewhere(row.Event.Tenant, n.client); foreign {
		m.send(target, &row)
		return
	}
	m.deliver(&row)
}
