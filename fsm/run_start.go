package fsm

import (
	"fmt"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// maxChildStarts bounds how many child runs one entry begins: those beyond begin with
// the next, so that workflows which call each other cannot hold an entry up.
const maxChildStarts = 256

// startRun begins a run that somebody asked for.
func (m *Machine) startRun(c *command.StartRun) command.Result {
	if !m.owns(c.Slot) {
		return refuse(command.NoLeader, "the slot is not in this partition; ask again with a newer map")
	}
	c.Event.Channel = command.RunChannelPrefix + c.Workflow
	c.Event.Task = command.Task{}
	if wrong := wrongNames(&c.Event); wrong != "" {
		return refuse(command.BadRequest, wrong)
	}
	e := &event{storedMS: m.counters.timeMS, whole: true, Event: c.Event}
	tenant := m.names.find(nameTenant, e.Tenant)
	mark := publishMark(e)
	if answer, found := m.recall(tenant, &mark); found {
		return m.attach(answer)
	}
	d := m.pickDefinition(tenant, c.Workflow, c.Alias, m.runSeed(e))
	if d == nil {
		return refuse(command.NotFound, noSuchWorkflow(c.Workflow, c.Alias))
	}
	if refusal, refused := m.refuseMore(tenant, &command.Publish{Event: c.Event, MaxUnfinished: c.MaxUnfinished, MaxTenantBytes: c.MaxTenantBytes}); refused {
		return refusal
	}
	e.begins = d
	m.store(e)
	m.publishedInto(e)
	if e.CorrelationID != "" {
		m.indexLineage(e)
	}
	m.remember(&mark, e)
	return command.Result{Event: e.id, Offset: e.id.Position, CorrelationID: e.CorrelationID}
}

func noSuchWorkflow(name, alias string) string {
	if alias == "" {
		alias = DefaultAlias
	}
	return fmt.Sprintf("workflow %s has no alias or version %s", name, alias)
}

// attach is the answer to a start whose idempotency key was used before: the run that
// there is, unless its workflow says that a second start is a mistake.
func (m *Machine) attach(answer command.Result) command.Result {
	r := m.runOf(answer.Event)
	if answer.Reason != command.Done || r == nil || r.def == nil {
		return answer
	}
	if program, err := r.def.compiled(); err == nil && program.OnDuplicate != 0 {
		return refuse(command.IdempotencyConflict, "the idempotency key has started run "+r.id.String()+" already")
	}
	return answer
}

// runSeed shares out runs among the versions of an alias: the same start, tried again,
// falls to the same version.
func (m *Machine) runSeed(e *event) uint64 {
	if e.IdempotencyKey != "" {
		return xxhash.Sum64String(e.Key + "\x00" + e.IdempotencyKey)
	}
	return xxhash.Sum64(appendU64(nil, m.counters.nextPosition))
}

// findRuns finds the runs that an event starts as it is stored: its own, and others. An
// event of a step's job starts none, whatever its channel.
func (m *Machine) findRuns(q *queue, e *event) {
	name, called := strings.CutPrefix(e.Channel, command.RunChannelPrefix)
	switch {
	case e.begins != nil:
	case called:
		e.begins = m.pickDefinition(q.tenant, name, e.Task.Alias, m.runSeed(e))
	case len(m.workflows.starts) > 0 && e.Task.Run.IsZero():
		if all := m.startedBy(q.tenant, e.Channel, m.runSeed(e)); len(all) > 0 {
			e.begins, e.others = all[0], all[1:]
		}
	}
	e.aside = called || e.begins != nil
}

// beginRuns begins the runs that a stored event starts. The first is the event's own: it
// stays open in the group default for as long as the run goes on.
func (m *Machine) beginRuns(q *queue, e *event) {
	switch {
	case !e.aside || m.canceledLineage(q.tenant, e) != nil:
		return
	case e.begins == nil:
		m.noRun(q, e)
		return
	}
	m.beginRun(q, e, e.begins)
	for _, d := range e.others {
		again := &event{storedMS: e.storedMS, whole: true, parent: e.id, Event: e.Event, begins: d}
		again.Channel, again.CorrelationID = command.RunChannelPrefix+d.name, e.correlationID()
		again.IdempotencyKey, again.OnEnd, again.DelayMS, again.DeliverAtMS = "", "", 0, 0
		m.store(again)
		m.indexLineage(again)
	}
}

// noRun ends the event of a child run whose workflow is not there.
func (m *Machine) noRun(q *queue, e *event) {
	m.setAside(q, e)
	m.endAside(e, jobRunFailed, codeNoWorkflow)
	m.childEnded(e, command.RunNews{
		Failed: true, Code: codeNoWorkflow, Message: noSuchWorkflow(strings.TrimPrefix(e.Channel, command.RunChannelPrefix), e.Task.Alias),
	}, command.Payload{})
}

const codeNoWorkflow = "no_such_workflow"

// beginRun begins the run of an event.
func (m *Machine) beginRun(q *queue, e *event, d *definition) {
	r := &run{id: e.id, tenant: q.tenant, def: d, start: e, runRow: runRow{
		definition: d.number, queue: q.id, key: e.Key, client: e.ClientID, correlation: e.correlationID(),
		called: !e.Task.Run.IsZero(), size: int64(len(e.Payload.Bytes)),
	}}
	r.State, r.StartedMS, r.Depth = engine.Running, m.counters.timeMS, e.Task.Depth
	m.runs[e.id.Position] = r
	m.touchRun(r)
	m.pin(d, 1)
	m.bind(r)
	m.setAside(q, e)
	if e.forks {
		return
	}
	if !e.Task.Run.IsZero() {
		m.childBegan(e)
		if m.childStarts++; m.childStarts > maxChildStarts {
			m.setRunTimer(r, m.counters.timeMS, runTimer{what: timerBegin})
			return
		}
	}
	m.happens(&happening{run: r.id, cause: e, Happening: engine.Happening{Kind: engine.Began, Output: e.Payload}})
}

// setAside takes an event out of the line of the group default, for as long as its run
// goes on.
func (m *Machine) setAside(q *queue, e *event) {
	c := m.cursorOf(q.id, m.names.find(nameGroup, DefaultGroup))
	key := jobKey{c.turns.group, q.id, e.id.Position}
	if e.id.Position >= c.frontier {
		m.voids[key] = struct{}{}
		m.set(keyJob(m.scratch.key[:0], kindVoid, key), append(m.scratch.value[:0], rowVersion))
	}
	row := jobRow{state: jobRuns}
	m.set(keyJob(m.scratch.key[:0], kindParked, key), row.append(m.scratch.value[:0]))
}

// endAside ends the event of a run, as completed where state is 0.
func (m *Machine) endAside(e *event, state jobState, reason string) {
	c := m.cursorOf(e.id.Queue, m.names.find(nameGroup, DefaultGroup))
	key := jobKey{c.turns.group, e.id.Queue, e.id.Position}
	if state == 0 {
		m.remove(keyJob(m.scratch.key[:0], kindParked, key))
	} else {
		row := jobRow{state: state, reason: reason, dueMS: m.counters.timeMS}
		m.set(keyJob(m.scratch.key[:0], kindParked, key), row.append(m.scratch.value[:0]))
	}
	m.finished(c, e, state)
}
