package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

const unknownRun = "no such run"

// controlRun does what somebody asks of a run.
func (m *Machine) controlRun(c *command.ControlRun) command.Result {
	r := m.runOf(c.Run)
	if r == nil || m.names.text(nameTenant, r.tenant) != c.Tenant || c.ClientID != "" && r.client != c.ClientID {
		return refuse(command.NotFound, unknownRun)
	}
	mark := onceMark("run", c.Run, c.Once, "")
	var before dedupeRow
	if m.lookUp(r.tenant, &mark, &before) {
		return command.Result{Event: before.event, Duplicate: true}
	}
	if c.Action == command.RunFork {
		return m.forkRun(r, c, &mark)
	}
	h := &happening{run: r.id, Happening: engine.Happening{Code: c.Code, Message: c.Reason, Output: c.Data, NoUndo: c.NoUndo}}
	if refusal := m.asked(r, c, h); refusal != "" {
		return refuse(command.BadRequest, refusal)
	}
	m.happens(h)
	m.remember(&mark, &event{id: r.id, storedMS: m.counters.timeMS, Event: command.Event{Tenant: c.Tenant}})
	return command.Result{Event: r.id}
}

// asked makes a happening of what is asked of a run, or says why that cannot be.
func (m *Machine) asked(r *run, c *command.ControlRun, h *happening) (refusal string) {
	switch c.Action { //nolint:exhaustive // A fork is of another run.
	case command.RunCancel:
		h.Kind = engine.Cancel
		return endedAlready(r)
	case command.RunPause:
		h.Kind, refusal = engine.Pause, endedAlready(r)
		if refusal == "" {
			m.pausedRuns[r.id.Position] = struct{}{}
			m.set(keyPausedRun(m.scratch.key[:0], r.id.Position), append(m.scratch.value[:0], rowVersion))
		}
	case command.RunResume:
		h.Kind, refusal = engine.Resume, endedAlready(r)
		if refusal == "" {
			m.wakeHeld(r)
		}
	case command.RunRetry, command.RunSkip, command.RunFail:
		h.Kind = [...]engine.HappeningKind{engine.Retry, engine.Skip, engine.GiveUp}[c.Action-command.RunRetry]
		if r.State != engine.Stuck {
			return "the run has no incident: it is " + r.State.String()
		}
	case command.RunRedrive:
		return m.reopen(r, c, h)
	default:
		return fmt.Sprintf("action %d is not known", c.Action)
	}
	return refusal
}

func endedAlready(r *run) string {
	if r.State.Ended() {
		return "the run has ended: it is " + r.State.String()
	}
	return ""
}

// stepToEnter is the step at which a redrive or fork begins, and what it is given.
func (m *Machine) stepToEnter(r *run, d *definition, name string, data command.Payload) (step uint32, input command.Payload, refusal string) {
	program, err := d.compiled()
	if err != nil {
		return 0, input, err.Error()
	}
	step = r.Step
	if name != "" {
		at, found := program.Find(name)
		if !found {
			return 0, input, fmt.Sprintf("version %s of workflow %s has no step %s", d.version, d.name, name)
		}
		step = at
	} else if r.Error != nil {
		step = r.Error.Step
	}
	if data.Codec != command.CodecNone {
		return step, data, ""
	}
	return m.inputOf(r, step)
}

// inputOf is what a step of a run was given when it last began: the output of the step
// before it, as its own expressions see it.
func (m *Machine) inputOf(r *run, step uint32) (uint32, command.Payload, string) {
	if job := m.lastJob(r, step); job != nil {
		return step, job.Payload, ""
	}
	e := m.startOf(r)
	if e == nil {
		return step, command.Payload{}, "what the run began with is not kept any more: give the step's input"
	}
	program, err := r.def.compiled()
	if err == nil && int(step) == program.First {
		return step, e.Payload, ""
	}
	return step, command.Payload{}, "what the step was given is not kept: give its input"
}

// lastJob is the event of a step's last job, with its data: it is looked for along the
// run's lineage.
func (m *Machine) lastJob(r *run, step uint32) (last *event) {
	l := m.lineage(r.tenant, r.correlation)
	roots := append(m.lineageRoots(l), m.emittedBy(r.id, MaxCanceledEvents)...)
	m.walkLineage(l, roots, MaxLineageEvents, func(e *event) {
		t := &e.Task
		if t.Run == r.id && t.Step == step && t.Item == 0 && !t.Compensates && (last == nil || e.id.Position > last.id.Position) {
			last = e
		}
	})
	if last == nil {
		return nil
	}
	if stored := m.readStored(last.id.Queue, last.id.Position); stored != nil {
		stored.own()
		return stored
	}
	return nil
}

// reopen begins a run anew that has ended, at a step.
func (m *Machine) reopen(r *run, c *command.ControlRun, h *happening) (refusal string) {
	if !r.State.Ended() {
		return "the run has not ended: it is " + r.State.String()
	}
	d := m.definition(r.definition)
	if d == nil {
		return "the version that the run is pinned to was removed: fork it to another one"
	}
	r.def = d
	step, input, refusal := m.stepToEnter(r, d, c.Step, c.Data)
	e := m.loadEvent(r.id.Queue, r.id.Position)
	if refusal != "" || e == nil {
		return refusal
	}
	m.clearRunTimer(r, r.EndedMS+runRetentionMS, timerPurge, 0)
	m.remove(keyRunPart(m.scratch.key[:0], r.id.Position, runEnd))
	m.pin(d, 1)
	m.bind(r)
	q := m.queues[r.id.Queue]
	m.setAside(q, e)
	if m.counts(m.cursorOf(q.id, m.names.find(nameGroup, DefaultGroup)), e.id.Position) {
		m.opened(q, e, 1).publishedBy(e.ClientID)
	}
	h.Kind, h.Step, h.Output = engine.Reenter, step, input
	return ""
}

// forkRun begins another run like this one, at a step: with the outputs of the steps
// before it.
func (m *Machine) forkRun(r *run, c *command.ControlRun, mark *dedupeMark) command.Result {
	d := r.def
	if d == nil || c.Code != "" {
		d = m.pickDefinition(r.tenant, m.runName(r), c.Code, r.id.Position)
	}
	start := m.startOf(r)
	if d == nil || start == nil {
		return refuse(command.BadRequest, "there is no such version, or what the run began with is not kept any more")
	}
	from := r.def
	if from == nil {
		from = d
	}
	step, input, refusal := m.stepToEnter(r, from, c.Step, c.Data)
	if refusal != "" {
		return refuse(command.BadRequest, refusal)
	}
	if d != from {
		if step, refusal = m.sameStep(from, d, step); refusal != "" {
			return refuse(command.BadRequest, refusal)
		}
	}
	e := &event{storedMS: m.counters.timeMS, whole: true, parent: r.id, Event: start.Event, begins: d, forks: true}
	e.Channel, e.CorrelationID = command.RunChannelPrefix+d.name, ""
	e.IdempotencyKey, e.OnEnd, e.DelayMS, e.DeliverAtMS, e.Task = "", "", 0, 0, command.Task{}
	m.store(e)
	m.publishedInto(e)
	forked := m.runs[e.id.Position]
	if forked == nil {
		return refuse(command.BadRequest, "the run cannot be begun")
	}
	forked.from, forked.Vars = r.id, r.Vars
	m.copyOutputs(r, forked, from, d)
	m.happens(&happening{run: forked.id, cause: e, Happening: engine.Happening{Kind: engine.Reenter, Step: step, Output: input}})
	m.remember(mark, &event{id: e.id, storedMS: m.counters.timeMS, Event: command.Event{Tenant: c.Tenant}})
	return command.Result{Event: e.id}
}

// sameStep is the step of another version that has a step's name.
func (m *Machine) sameStep(from, to *definition, step uint32) (uint32, string) {
	old, err := from.compiled()
	if err != nil {
		return 0, err.Error()
	}
	program, err := to.compiled()
	if err != nil {
		return 0, err.Error()
	}
	at, found := program.Find(old.Steps[step].Name)
	if !found {
		return 0, fmt.Sprintf("version %s of workflow %s has no step %s", to.version, to.name, old.Steps[step].Name)
	}
	return at, ""
}

// copyOutputs gives a forked run the outputs that expressions may ask for.
func (m *Machine) copyOutputs(r, forked *run, from, to *definition) {
	prefix := keyRunPart(nil, r.id.Position, runOutput)
	var steps []uint32
	must(m.tx.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		steps = append(steps, u32At(key, len(prefix)))
		return true, nil
	}))
	for _, step := range steps {
		at, refusal := m.sameStep(from, to, step)
		if refusal != "" {
			continue
		}
		output, _ := (&runFacts{machine: m, run: r}).Output(step)
		m.keep(forked, runOutput, appendU32(keyRunPart(m.scratch.key[:0], forked.id.Position, runOutput), at), appendPayloadRow(m.scratch.value[:0], output))
	}
}

// wakeHeld has jobs go on that were set aside while their run was paused.
func (m *Machine) wakeHeld(r *run) {
	m.unpause(r)
	group := m.names.find(nameGroup, DefaultGroup)
	for _, job := range m.liveJobs(r) {
		if job.child || job.event.IsZero() {
			continue
		}
		key := jobKey{group, job.event.Queue, job.event.Position}
		if j := m.readParked(key); j != nil && j.state == jobHeld {
			m.remove(keyJob(m.scratch.key[:0], kindParked, key))
			m.requeue(j)
		}
	}
}

func (m *Machine) unpause(r *run) {
	if _, paused := m.pausedRuns[r.id.Position]; paused {
		delete(m.pausedRuns, r.id.Position)
		m.remove(keyPausedRun(m.scratch.key[:0], r.id.Position))
	}
}

// held tells whether an event about to be granted is of a run that is paused.
func (m *Machine) held(c *cursor, e *event) bool {
	if len(m.pausedRuns) == 0 || e.Task.Compensates {
		return false
	}
	t := m.runTask(c, e)
	if t == nil {
		return false
	}
	_, paused := m.pausedRuns[t.Run.Position]
	return paused
}

// hold sets a job aside until its run goes on.
func (m *Machine) hold(j *job) {
	if j.state == jobCalled {
		m.uncall(j)
	}
	j.state = jobHeld
	m.park(j)
}

func (m *Machine) loadPaused(from reader) error {
	prefix := []byte{kindPausedRun}
	return from.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		m.pausedRuns[u64At(key, 1)] = struct{}{}
		return true, nil
	})
}
