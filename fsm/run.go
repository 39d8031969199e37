package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// A run of a workflow is a row, and rows beside it. Its id is that of the event that it
// began with, which stays open in the group default until the run ends: so a lineage, a
// client's unfinished work and retention know of a run without knowing what it is. What
// its steps ask of workers are ordinary events with a command.Task.
//
// engine.Advance decides how a run goes on; what happens to runs within a command is
// gathered in Machine.happened, and worked off before the next command: see settleRuns.

// run is one run during an Apply.
type run struct {
	runRow

	id     command.EventID
	tenant uint32
	// def is the version it is pinned to.
	def   *definition
	start *event
	dirty bool
}

// runRow is what is kept of a run.
type runRow struct {
	engine.Run

	definition uint32
	queue      uint32
	// key is the run's partition key; client and correlation its event's.
	key, client, correlation string
	// jobs are what lives of the run, but a map's items, which have rows of their own.
	jobs []runJob
	// name and version are those of its definition, once it has ended: that may be gone.
	name, version string
	// from is the run that it was forked from.
	from command.EventID
	// kept are the kinds of rows that there may be beside it, a bit each: see keptOf.
	kept uint32
	// called means that another run began it, size is the bytes of its event's data.
	called bool
	size   int64
}

// runJob is a job, or a child run, of a run that has not ended.
type runJob struct {
	event command.EventID
	// child means that it is a run; one of another partition is not known until it says
	// so: then event is zero.
	child                        bool
	step, iteration, item, entry uint32
	// stop means that a child is to be stopped when it makes itself known.
	stop bool
}

// happening is what happened to a run within an entry, to be worked off.
type happening struct {
	engine.Happening

	run command.EventID
	// cause is the event whose job it came of, nil for none; history its attempt.
	cause   *event
	history *attemptRow
	// job is what has ended with it, zero for nothing.
	job command.EventID
}

// runOf is a run of this partition, or nil. What is changed of it is written at the
// entry's end.
func (m *Machine) runOf(id command.EventID) *run {
	if r := m.runs[id.Position]; r != nil {
		r.def = m.definition(r.definition)
		return r
	}
	q := m.queues[id.Queue]
	if q == nil || !m.isHere(id) {
		return nil
	}
	value, found := m.get(keyRun(m.scratch.key[:0], q.tenant, id.Position))
	if !found {
		return nil
	}
	r := &run{id: id, tenant: q.tenant}
	r.read(value)
	r.def = m.definition(r.definition)
	m.runs[id.Position] = r
	return r
}

// touchRun has a run's row written at the entry's end.
func (m *Machine) touchRun(r *run) {
	if !r.dirty {
		r.dirty = true
		m.changed = append(m.changed, r)
	}
}

// saveRuns writes the runs that the entry changed.
func (m *Machine) saveRuns() {
	for _, r := range m.changed {
		m.set(keyRun(m.scratch.key[:0], r.tenant, r.id.Position), r.append(m.scratch.value[:0]))
		if m.out.effects {
			m.out.Runs = append(m.out.Runs, RunChange{ID: r.id, Tenant: m.names.text(nameTenant, r.tenant), Ended: r.State.Ended()})
		}
	}
	for _, r := range m.changed {
		r.dirty, r.start = false, nil
	}
	m.changed = m.changed[:0]
	if len(m.runs) > maxRunsInMemory {
		clear(m.runs)
	}
}

// maxRunsInMemory bounds the runs that are kept from one entry to the next.
const maxRunsInMemory = 8192

// RunChange is a run that an entry changed.
type RunChange struct {
	ID     command.EventID
	Tenant string
	Ended  bool
}

// happens takes note of what happened to a run; settleRuns works it off.
func (m *Machine) happens(h *happening) { m.happened = append(m.happened, h) }

// settleRuns works off what happened to runs, and what came of that.
func (m *Machine) settleRuns() {
	for len(m.happened) > 0 {
		h := m.happened[0]
		m.happened = m.happened[1:]
		m.settleRun(h)
	}
	m.happened = nil
}

func (m *Machine) settleRun(h *happening) {
	r := m.runOf(h.run)
	if r == nil {
		return
	}
	if !h.job.IsZero() {
		m.forgetJob(r, h.job)
	}
	m.touchRun(r)
	m.advanceRun(r, h)
}

// advanceRun decides how a run goes on, and carries that out.
func (m *Machine) advanceRun(r *run, h *happening) {
	if r.def == nil {
		return // It has ended, and its definition is gone.
	}
	program, err := r.def.compiled()
	if err != nil {
		m.stickRun(r, err.Error())
		return
	}
	facts := &runFacts{machine: m, run: r}
	next, decisions, pending := engine.Advance(program, &r.Run, &h.Happening, facts)
	r.Run = *next
	switch {
	case pending != nil:
		m.keep(r, runPending, keyRunPart(m.scratch.key[:0], r.id.Position, runPending), appendHappening(m.scratch.value[:0], pending))
	case facts.pendingRead:
		m.remove(keyRunPart(m.scratch.key[:0], r.id.Position, runPending))
	}
	for i := range decisions {
		m.carryOut(r, h, &decisions[i])
	}
}

// stickRun stops a run whose definition this build cannot compile.
func (m *Machine) stickRun(r *run, why string) {
	if r.State.Ended() || r.State == engine.Stuck {
		return
	}
	r.Incident = &engine.Incident{Kind: engine.BadExpression, Message: why, Was: r.State}
	r.State = engine.Stuck
}

// keptOf is the bit of a kind of rows beside a run.
func keptOf(what byte) uint32 { return 1 << (what - 'a') }

// has tells whether there may be rows of a kind beside a run.
func (r *run) has(what byte) bool { return r.kept&keptOf(what) != 0 }

// keep writes a row beside a run: key is one of keyRunPart and what follows it.
func (m *Machine) keep(r *run, what byte, key, value []byte) {
	r.kept |= keptOf(what)
	m.touchRun(r)
	m.set(key, value)
}

// forget deletes all rows of a kind beside a run.
func (m *Machine) forget(r *run, what byte) {
	if r.has(what) {
		must(m.tx.DeleteRange(keyRunPart(nil, r.id.Position, what), keyRunPart(nil, r.id.Position, what+1)))
		r.kept &^= keptOf(what)
	}
}

// keepJob takes note of what lives of a run.
func (m *Machine) keepJob(r *run, j runJob) {
	if j.item != 0 && !j.child && j.entry == 0 {
		key := keyRunEvent(m.scratch.key[:0], r.id.Position, runLive, j.event)
		m.keep(r, runLive, key, command.AppendUint(append(m.scratch.value[:0], rowVersion), uint64(j.item)))
		return
	}
	r.jobs = append(r.jobs, j)
}

// forgetJob is called when something of a run has ended.
func (m *Machine) forgetJob(r *run, id command.EventID) {
	for i := range r.jobs {
		if r.jobs[i].event == id {
			r.jobs = slices.Delete(r.jobs, i, i+1)
			return
		}
	}
	if r.has(runLive) {
		m.remove(keyRunEvent(m.scratch.key[:0], r.id.Position, runLive, id))
	}
}

// liveJobs are what lives of a run: those of a map's items in the order of their events.
func (m *Machine) liveJobs(r *run) []runJob {
	jobs := slices.Clone(r.jobs)
	if !r.has(runLive) {
		return jobs
	}
	prefix := keyRunPart(nil, r.id.Position, runLive)
	must(m.tx.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		row := openRow(value)
		jobs = append(jobs, runJob{
			event: m.eventID(u32At(key, len(prefix)), u64At(key, len(prefix)+4)), item: row.Uint32(),
		})
		closeRow(&row)
		return true, nil
	}))
	return jobs
}

// runTask is the task of a job in the group that owns it: another group on a step's
// channel only watches.
func (m *Machine) runTask(c *cursor, e *event) *command.Task {
	if e.Task.Run.IsZero() || c.turns.group != m.names.find(nameGroup, DefaultGroup) {
		return nil
	}
	return &e.Task
}

// stepOf is the definition of a task's step, nil where that cannot be had any more.
func (m *Machine) stepOf(t *command.Task) *engine.Program {
	d := m.definition(t.Definition)
	if d == nil {
		return nil
	}
	program, err := d.compiled()
	if err != nil || int(t.Step) >= len(program.Steps) {
		return nil
	}
	return program
}

// find is the job of a run for a step, or a compensation's entry.
func (r *run) find(match func(*runJob) bool) *runJob {
	for i := range r.jobs {
		if match(&r.jobs[i]) {
			return &r.jobs[i]
		}
	}
	return nil
}

func (m *Machine) runName(r *run) string {
	if r.def != nil {
		return r.def.name
	}
	return r.name
}
