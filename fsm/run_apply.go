package fsm

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// runRetentionMS is for how long a run that has ended is kept, in milliseconds.
const runRetentionMS = DefaultRetentionMS

// carryOut does what a run has decided.
func (m *Machine) carryOut(r *run, h *happening, d *engine.Decision) { //nolint:revive,cyclop // A case for each kind.
	switch d.Kind {
	case engine.Visited: // For those who watch a run that is played.
	case engine.StartJob:
		m.startJob(r, h, d)
	case engine.StartChild:
		m.startChild(r, h, d)
	case engine.StopJobs:
		m.stopJobs(r, h)
	case engine.KeepOutput:
		m.keep(r, runOutput, appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runOutput), d.Step), appendPayloadRow(m.scratch.value[:0], d.Data))
	case engine.KeepItems:
		m.keepItems(r, d)
	case engine.KeepItem:
		value := command.AppendString(appendPayloadRow(m.scratch.value[:0], d.Data), d.Code)
		m.keep(r, runResult, appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runResult), d.Item), value)
	case engine.ForgetItem:
		m.remove(appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runResult), d.Item))
	case engine.KeepMemo:
		m.keepMemo(r, d)
	case engine.Register:
		m.registerEntry(r, d)
	case engine.Forget:
		m.forget(r, runEntry)
		m.forget(r, runUnknown)
	case engine.StartUndo:
		m.startUndo(r, h, d)
	case engine.Emit:
		m.emitOf(r, h, d)
	case engine.Notify:
		m.notifyOf(r, h, d)
	case engine.SetTimer:
		m.setRunTimer(r, d.DueMS, runTimer{timerOf(d.Timer), d.Step, d.Iteration, d.Part})
	case engine.ClearTimer:
		m.clearRunTimer(r, d.DueMS, timerOf(d.Timer), d.Part)
	case engine.Await:
		m.await(r, d)
	case engine.Unawait:
		m.unawait(r, d)
	case engine.RedriveJob:
		m.redriveJob(r, d)
	case engine.KeepHeld:
		m.keep(r, runHeld, keyRunPart(m.scratch.key[:0], r.id.Position, runHeld), appendPayloadRow(m.scratch.value[:0], d.Data))
	case engine.End:
		m.endRun(r, d)
	}
}

// taskKey is the idempotency key of a step's job, stable over attempts and redrives.
func (r *run) taskKey(prefix string, d *engine.Decision) string {
	b := append(append([]byte(prefix), r.id.String()...), '/')
	if program := r.def.program; program != nil && int(d.Step) < len(program.Steps) {
		b = append(b, program.Steps[d.Step].Name...)
	}
	for _, v := range []uint32{d.Iteration, d.Item} {
		b = strconv.AppendUint(append(b, '/'), uint64(v), 10)
	}
	return string(b)
}

// eventOfRun is an event that a run makes.
func (m *Machine) eventOfRun(r *run, h *happening) *event {
	e := &event{storedMS: m.counters.timeMS, whole: true, parent: r.id}
	if h.cause != nil {
		e.parent = h.cause.id
		e.Traceparent = h.cause.Traceparent
	}
	e.Tenant, e.ClientID, e.Key = m.names.text(nameTenant, r.tenant), r.client, r.key
	e.CorrelationID = r.correlation
	return e
}

// storeOfRun stores an event of a run here; the lineage leads to it by the attempt that
// it came of, or by an index of its own.
func (m *Machine) storeOfRun(h *happening, e *event) {
	m.store(e)
	if h.history != nil && len(h.history.emitted) < command.MaxEmits && h.cause != nil && h.cause.correlationID() == e.CorrelationID {
		h.history.emitted = append(h.history.emitted, e.id)
		return
	}
	m.indexLineage(e)
}

func (m *Machine) startJob(r *run, h *happening, d *engine.Decision) {
	e := m.eventOfRun(r, h)
	e.Channel, e.Payload, e.Priority, e.Uses = d.Channel, d.Data, d.Priority, d.Uses
	e.IdempotencyKey = r.taskKey("", d)
	e.Task = command.Task{
		Run: r.id, Definition: r.definition, Step: d.Step, Iteration: d.Iteration, Item: d.Item, Depth: r.Depth,
	}
	m.storeOfRun(h, e)
	m.tellWay(h, e)
	m.keepJob(r, runJob{event: e.id, step: d.Step, iteration: d.Iteration, item: d.Item})
	if program := m.stepOf(&e.Task); program != nil {
		m.waitToStart(e, program.Steps[d.Step].Policy.ScheduleToStart)
	}
}

// startUndo stores the job of a compensation. Priorities, limits and the run's own time
// are not its concern.
func (m *Machine) startUndo(r *run, h *happening, d *engine.Decision) {
	e := m.eventOfRun(r, h)
	e.Channel, e.Payload, e.Priority = d.Channel, d.Data, undoPriority
	e.IdempotencyKey = r.taskKey("compensate/", d)
	e.Task = command.Task{
		Run: r.id, Definition: r.definition, Step: d.Step, Iteration: d.Iteration, Item: d.Item,
		Compensates: true, Entry: d.Entry, Depth: r.Depth,
	}
	if d.Unknown {
		e.Headers = []byte(`{"baton-outcome":"unknown"}`)
	}
	m.storeOfRun(h, e)
	m.keepJob(r, runJob{event: e.id, step: d.Step, iteration: d.Iteration, item: d.Item, entry: d.Entry})
	key := appendU32(keyRunPart(nil, r.id.Position, runEntry), d.Entry)
	if value, found := m.get(key); found {
		row := readEntry(value)
		row.job = e.id
		m.set(key, row.append(m.scratch.value[:0]))
	}
}

// ledKey is a way of runs, by the sub-queues at its ends.
type ledKey struct{ from, to uint32 }

// maxLed bounds how many ways of runs are remembered; then they are told anew.
const maxLed = 65_536

// tellWay tells the leader where the end of a job, or a beginning, has led.
func (m *Machine) tellWay(h *happening, e *event) {
	if !m.out.effects || h.cause == nil {
		return
	}
	key := ledKey{h.cause.id.Queue, e.id.Queue}
	if _, told := m.led[key]; told {
		return
	}
	if len(m.led) >= maxLed {
		clear(m.led)
	}
	m.led[key] = struct{}{}
	m.out.Led = append(m.out.Led, Led{From: h.cause.Channel, To: e.Channel, Queue: key.from})
}

// undoPriority is the class of compensations: apart from what steps ask for.
const undoPriority = command.MaxPriority

// startChild begins a run of another workflow, here or in the partition of its key.
func (m *Machine) startChild(r *run, h *happening, d *engine.Decision) {
	e := m.eventOfRun(r, h)
	e.Channel, e.Payload = command.RunChannelPrefix+d.Name, d.Data
	e.Key = cmp.Or(d.Key, r.key)
	e.IdempotencyKey = r.taskKey("", d)
	e.Task = command.Task{
		Run: r.id, Step: d.Step, Iteration: d.Iteration, Item: d.Item, Depth: r.Depth + 1, Alias: d.Alias, Detached: d.Detach,
	}
	if d.Detach {
		m.sendOfRun(r, h, e)
		return
	}
	r.jobs = append(r.jobs, runJob{child: true, step: d.Step, iteration: d.Iteration, item: d.Item})
	m.sendOfRun(r, h, e)
}

// sendOfRun stores an event of a run, or sends it to the partition of its key. A run's
// own events pass a relay's bound: they come of an entry in which nothing can be refused
// any more.
func (m *Machine) sendOfRun(r *run, h *happening, e *event) {
	target, sent := m.sendAway(r.tenant, e)
	if !sent {
		m.storeOfRun(h, e)
		return
	}
	if h.history != nil && len(h.history.relayed) < command.MaxEmits {
		h.history.relayed = append(h.history.relayed, relayedMark{target: target})
	}
}

// sendAway sends an event to the partition of its key; sent is false where that is this one.
func (m *Machine) sendAway(tenant uint32, e *event) (target uint32, sent bool) {
	target, foreign := m.elsewhere(e.Tenant, e.Key)
	if !foreign {
		return target, false
	}
	if e.DelayMS > 0 {
		e.DeliverAtMS, e.DelayMS = uint64(dueOf(&e.Event, m.counters.timeMS)), 0 //nolint:gosec // Due times are not negative.
	}
	row := command.RelayRow{Kind: command.RelayEvent, Event: e.Event, Parent: e.parent, TimeMS: m.counters.timeMS}
	m.sendOpen(tenant, target, &row)
	return target, true
}

func (m *Machine) emitOf(r *run, h *happening, d *engine.Decision) {
	e := m.eventOfRun(r, h)
	e.Channel, e.Payload, e.DelayMS = d.Channel, d.Data, d.DelayMS
	e.Key, e.ClientID = cmp.Or(d.Key, r.key), cmp.Or(d.Client, r.client)
	m.sendOfRun(r, h, e)
}

func (m *Machine) notifyOf(r *run, h *happening, d *engine.Decision) {
	client := cmp.Or(d.Client, r.client)
	if client == "" || len(client) > MaxNameBytes {
		return // Nobody is named: there is nobody to tell.
	}
	parent := h.cause
	if parent == nil {
		parent = m.startOf(r)
	}
	if parent == nil {
		return
	}
	n := &command.Notify{ClientID: client, Name: d.Name, Payload: d.Data}
	if h.history != nil && len(h.history.notified)+len(h.history.relayed) < command.MaxNotifies {
		m.notify(parent, n, h.history)
		return
	}
	row := m.notificationRow(parent, n)
	if target, foreign := m.elsewhere(parent.Tenant, client); foreign {
		m.send(target, &row)
		return
	}
	m.deliver(&row)
}

// keepItems keeps a map's items, and forgets those of the map before it.
func (m *Machine) keepItems(r *run, d *engine.Decision) {
	m.forgetItems(r)
	for i, item := range d.List {
		key := appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runItem), uint32(i)+1)
		m.keep(r, runItem, key, append(append(m.scratch.value[:0], rowVersion), item...))
	}
}

func (m *Machine) forgetItems(r *run) {
	m.forget(r, runItem)
	m.forget(r, runResult)
}

func (m *Machine) keepMemo(r *run, d *engine.Decision) {
	facts := &runFacts{machine: m, run: r}
	of := facts.memoOf(d.Key)
	expiresMS := m.counters.timeMS + cmp.Or(d.TTLMS, runRetentionMS)
	m.set(keyMemo(m.scratch.key[:0], r.tenant, of), command.AppendPayload(command.AppendInt(append(m.scratch.value[:0], rowVersion), expiresMS), d.Data))
	m.setKeptTimer(expiresMS, timerMemo, keyMemo(nil, r.tenant, of)[1:])
}

// registerEntry keeps a compensation. The one that was registered when its job was
// granted gives way: now it is known what came of it.
func (m *Machine) registerEntry(r *run, d *engine.Decision) {
	if before := (&runFacts{machine: m, run: r}).Unknown(d.Step, d.Iteration, d.Item); before != 0 {
		m.remove(appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runEntry), before))
		m.remove(keyUnknown(m.scratch.key[:0], r.id.Position, d.Step, d.Iteration, d.Item))
	}
	row := entryRow{Entry: engine.Entry{Step: d.Step, Iteration: d.Iteration, Item: d.Item, Unknown: d.Unknown, Input: d.Data}}
	m.keep(r, runEntry, appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runEntry), d.Entry), row.append(m.scratch.value[:0]))
	if d.Unknown {
		m.keep(r, runUnknown, keyUnknown(m.scratch.key[:0], r.id.Position, d.Step, d.Iteration, d.Item), command.AppendUint(append(m.scratch.value[:0], rowVersion), uint64(d.Entry)))
	}
}

// stopJobs stops what lives of a run, but what it is about to take note of, and its
// compensations.
func (m *Machine) stopJobs(r *run, h *happening) {
	for _, j := range m.liveJobs(r) {
		switch {
		case j.entry != 0 || j.event == h.job && !j.event.IsZero():
		case j.child:
			m.stopChild(r, &j)
		default:
			m.stopJob(j.event)
		}
	}
}

// stopGraceMS is for how long the worker of a step's job may go on that is not wanted any
// more.
const stopGraceMS = 5000

func (m *Machine) stopJob(id command.EventID) {
	e := m.loadEvent(id.Queue, id.Position)
	c := m.cursorOf(id.Queue, m.names.find(nameGroup, DefaultGroup))
	if e != nil && c != nil {
		m.cancelIn(c, e, &command.Cancel{Reason: "the run does not need it any more", GraceMS: stopGraceMS})
	}
}

// endRun ends a run: its event has ended with it.
func (m *Machine) endRun(r *run, d *engine.Decision) {
	m.set(keyRunPart(m.scratch.key[:0], r.id.Position, runEnd), appendPayloadRow(m.scratch.value[:0], d.Data))
	m.forgetItems(r)
	m.forget(r, runHeld)
	m.forget(r, runPending)
	m.pin(r.def, -1)
	r.name, r.version = r.def.name, r.def.version
	m.setRunTimer(r, m.counters.timeMS+runRetentionMS, runTimer{what: timerPurge})
	m.unpause(r)
	m.unbind(r)
	switch r.State { //nolint:exhaustive // A run ends in one of these.
	case engine.Succeeded:
		m.endAside(m.shadowOf(r), 0, "")
	case engine.Canceled:
		m.endAside(m.shadowOf(r), jobCanceled, r.Error.Message)
	default:
		m.endAside(m.shadowOf(r), jobRunFailed, r.State.String())
	}
	if r.has(runSchedule) {
		m.scheduledEnded(r)
	}
	if !r.called {
		return
	}
	if e := m.loadEvent(r.id.Queue, r.id.Position); e != nil {
		m.childEnded(e, m.newsOfEnd(r), d.Data)
	}
}

// shadowOf is as much of the event that a run began with as its end has to know.
func (m *Machine) shadowOf(r *run) *event {
	e := &event{id: r.id, size: r.size}
	e.Tenant, e.ClientID, e.CorrelationID = m.names.text(nameTenant, r.tenant), r.client, r.correlation
	return e
}

func (m *Machine) newsOfEnd(r *run) command.RunNews {
	news := command.RunNews{Usage: r.Usage.JSON()}
	if r.State != engine.Succeeded {
		news.Failed, news.Canceled = true, r.State == engine.Canceled
		news.Code, news.Message = "child_"+r.State.String(), ""
		if r.Error != nil {
			news.Code, news.Message = r.Error.Code, r.Error.Message
		}
	}
	return news
}

// purgeRun deletes what is kept of a run that has ended long ago.
func (m *Machine) purgeRun(tenant uint32, position uint64) {
	if r := m.runAt(tenant, position); r != nil {
		for what := byte('a'); what < 'z'; what++ {
			m.forget(r, what)
		}
		r.dirty = true // It is not written any more.
		m.changed = slices.DeleteFunc(m.changed, func(of *run) bool { return of == r })
	}
	m.remove(keyRunPart(m.scratch.key[:0], position, runEnd))
	m.remove(keyRun(m.scratch.key[:0], tenant, position))
	delete(m.runs, position)
}
