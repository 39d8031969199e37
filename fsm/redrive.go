package fsm

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/fsm/command"
)

// notDead is the answer about an event that is no dead letter, or none any more.
const notDead = "no dead letter of that event: it is not known here, is not dead, or was redriven or discarded"

// MaxNoteBytes is how long the note of a discard may be.
const MaxNoteBytes = 1024

// redrive puts a dead letter back in line, in the groups that the command names:
// its failures are forgotten, its attempts count on.
func (m *Machine) redrive(c *command.Redrive) command.Result {
	mark := onceMark("redrive", c.Event, c.Once, c.Group)
	if m.recallOnce(c.Tenant, &mark) {
		return command.Result{Event: c.Event, Duplicate: true}
	}
	e, dead := m.lettersOf(c.Tenant, c.Event, c.Group)
	if len(dead) == 0 {
		return refuse(command.NotFound, notDead)
	}
	if e.lapsed(m.counters.timeMS) {
		return refuse(command.BadRequest, "the event's ttl_ms is over: publish it anew")
	}
	if m.canceledLineage(m.queues[e.id.Queue].tenant, e) != nil {
		return refuse(command.BadRequest, "the event's lineage is canceled, and some of it has not stopped yet: redrive it when it has")
	}
	if refusal := m.reviveRefused(e); refusal != "" {
		return refuse(command.BadRequest, refusal)
	}
	for _, j := range dead {
		m.keepEnd(j, &attemptRow{how: endRedriven, code: editedCode(c.Edited)})
		if c.Edited {
			m.revise(j, c)
		}
		j.failures, j.losses, j.reason = 0, 0, ""
		m.remove(keyJob(m.scratch.key[:0], kindParked, j.key))
		m.requeue(j)
		if m.counts(j.cursor, e.id.Position) {
			m.opened(j.cursor.queue, e, 1).publishedBy(e.ClientID)
		}
		m.jobRevived(j.cursor, e)
	}
	m.remember(&mark, e)
	return command.Result{Event: e.id}
}

// discard gives a dead letter up: its job is gone, and the event has ended.
func (m *Machine) discard(c *command.Discard) command.Result {
	if len(c.Note) > MaxNoteBytes {
		return refuse(command.BadRequest, fmt.Sprintf("the note has %d bytes, %d are allowed", len(c.Note), MaxNoteBytes))
	}
	mark := onceMark("discard", c.Event, c.Once, c.Group)
	if m.recallOnce(c.Tenant, &mark) {
		return command.Result{Event: c.Event, Duplicate: true}
	}
	e, dead := m.lettersOf(c.Tenant, c.Event, c.Group)
	if len(dead) == 0 {
		return refuse(command.NotFound, notDead)
	}
	for _, j := range dead {
		m.keepEnd(j, &attemptRow{how: endDiscarded, code: c.Note})
		m.remove(keyJob(m.scratch.key[:0], kindParked, j.key))
	}
	m.remember(&mark, e)
	return command.Result{Event: e.id}
}

// lettersOf is a tenant's event and its dead jobs, in one group or in each.
func (m *Machine) lettersOf(tenant string, id command.EventID, group string) (*event, []*job) {
	e := m.loadEvent(id.Queue, id.Position)
	if e == nil || e.id != id || e.Tenant != tenant {
		return nil, nil
	}
	var dead []*job
	for _, c := range m.queues[id.Queue].cursors {
		if group != "" && group != m.names.text(nameGroup, c.turns.group) {
			continue
		}
		j := &job{key: jobKey{c.turns.group, id.Queue, id.Position}, cursor: c, event: e}
		if value, found := m.get(keyJob(m.scratch.key[:0], kindParked, j.key)); found {
			j.read(value)
		}
		if j.state == jobDead {
			dead = append(dead, j)
		}
	}
	return e, dead
}

// keepEnd writes what became of a dead letter among its attempts, under a fence
// of its own: when and why it died, which its job does not tell any more, and
// that it was redriven or discarded now. The row's code says more of that: see
// codeEdited and Discard.Note.
func (m *Machine) keepEnd(j *job, row *attemptRow) {
	row.attempt, row.group = j.attempt, j.key.group
	row.grantedMS, row.endedMS, row.message = j.dueMS, m.counters.timeMS, j.reason
	m.set(keyAttempt(m.scratch.key[:0], j.key.queue, j.key.position, m.counters.nextFence), row.append(m.scratch.value[:0]))
	m.counters.nextFence++
	if m.out.effects {
		m.out.Letters = append(m.out.Letters, LetterChange{j.event.Channel, row.how.word()})
	}
}

// onceMark is the mark of a request about a dead letter, in one group or all. What
// it begins with, and the number of its parts, keep it apart from the marks of
// publishes and emits.
func onceMark(what string, id command.EventID, once, group string) dedupeMark {
	if once == "" {
		return dedupeMark{keyless: true}
	}
	if group != "" {
		return dedupeMark{of: digestOf(what, id.String(), once, group)}
	}
	return dedupeMark{of: digestOf(what, id.String(), once)}
}

// recallOnce tells whether this very request took effect before.
func (m *Machine) recallOnce(tenant string, mark *dedupeMark) bool {
	var row dedupeRow
	return m.lookUp(m.names.find(nameTenant, tenant), mark, &row)
}

// revisionRow is what the workers of a redriven job get in the place of the
// event's data. The event's own row stays as it was published.
type revisionRow struct {
	contentType string
	payload     command.Payload
}

func (r *revisionRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	dst = command.AppendString(dst, r.contentType)
	return command.AppendPayload(dst, r.payload)
}

// readRevision reads a row; the payload aliases value.
func readRevision(value []byte) revisionRow {
	r := openRow(value)
	row := revisionRow{contentType: r.String(), payload: r.Payload()}
	closeRow(&r)
	return row
}

// over is the event with the revision's data.
func (r *revisionRow) over(e *event) *event {
	revised := *e
	revised.Payload = r.payload
	if r.contentType != "" {
		revised.ContentType = r.contentType
	}
	return &revised
}

// revise gives a job other data. Progress that was made on the former is void.
func (m *Machine) revise(j *job, c *command.Redrive) {
	row := revisionRow{contentType: c.ContentType, payload: c.Payload}
	m.set(keyJob(m.scratch.key[:0], kindRevision, j.key), row.append(m.scratch.value[:0]))
	j.edited, j.checkpoint = true, nil
}

// revised is an event as the workers of an edited job get it.
func (m *Machine) revised(key jobKey, e *event) *event {
	value, found := m.get(keyJob(m.scratch.key[:0], kindRevision, key))
	if !found {
		return e
	}
	row := readRevision(value)
	revised := row.over(e)
	revised.own()
	return revised
}

// The words that a dead job's reason begins with.
const (
	diedFinal     = "failed for good: "
	diedExhausted = "retries exhausted: "
	diedLost      = "leases lost: "
)

// The reasons of dead letters.
const (
	// DeadPermanent: a worker said that it must not be tried again.
	DeadPermanent = "permanent"
	// DeadExhausted: it failed as often as it may.
	DeadExhausted = "retries_exhausted"
	// DeadLost: as many leases were lost on it as the channel allows, because its
	// workers died or stalled.
	DeadLost = "leases_lost"
)

// deadReason is the stable word for why a job died, and the worker's code.
func deadReason(text string) (reason, code string) {
	if final, found := strings.CutPrefix(text, diedFinal); found {
		return DeadPermanent, final
	}
	if strings.HasPrefix(text, diedLost) {
		return DeadLost, ""
	}
	return DeadExhausted, strings.TrimPrefix(text, diedExhausted)
}

// codeEdited marks a redrive that brought other data.
const codeEdited = "edited"

func editedCode(edited bool) string { //nolint:revive // The flag is the value, it controls nothing.
	if edited {
		return codeEdited
	}
	return ""
}
