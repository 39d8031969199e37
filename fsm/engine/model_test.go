package engine

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// TestModel: whatever happens to a run of any definition, in whatever order, it keeps its
// promises, and can be brought to an end.
func TestModel(t *testing.T) {
	for range 10 { // What goes wrong takes some coming together.
		rapid.Check(t, func(t *rapid.T) {
			m := newModel(t, anyProgram(t))
			m.happen(&Happening{Kind: Began, Output: m.output()})
			for range rapid.IntRange(0, 40).Draw(t, "happenings") {
				m.act()
			}
			m.finish()
		})
	}
}

// model is a run, what its owner keeps of it, and what must be true of that.
type model struct {
	*rapid.T
	*kept

	program *Program
	run     *Run
	// live are the jobs and child runs that have not ended, by what stops them; undoing the
	// compensations at work.
	live    map[jobOf]bool
	undoing map[uint32]bool
	timers  map[timerOf]Decision
	awaits  map[uint32]Decision
	// owed are the jobs whose effect has to be undone, by their step; undone how often
	// they were, and begun the entries that were begun, in their order.
	owed   map[jobOf]bool
	undone map[uint32]int
	begun  []uint32
	noUndo bool
	// ways counts how often the run was set on its way: by its start, or by an operator.
	ways    uint64
	happens []string
}

func newModel(t *rapid.T, p *Program) *model {
	return &model{
		T: t, kept: newKept(), program: p, run: &Run{State: Running}, live: make(map[jobOf]bool), undoing: make(map[uint32]bool),
		timers: make(map[timerOf]Decision), awaits: make(map[uint32]Decision), owed: make(map[jobOf]bool), undone: make(map[uint32]int),
	}
}

// output is a result that some expressions can do with, and others not.
func (m *model) output() command.Payload {
	return jsonPayload([]byte(rapid.SampledFrom([]string{
		`{"go":false,"x":1,"undo":1,"list":[1,2],"key":"k","end":1}`, `{"go":true,"x":1,"undo":1,"list":[1],"key":"k","end":1}`,
		`{"go":false,"x":1,"undo":1,"list":[],"key":"k"}`, `{}`, `7`,
	}).Draw(m.T, "output")))
}

// good is an output that every expression can do with.
func good() command.Payload {
	return jsonPayload([]byte(`{"go":false,"x":1,"undo":1,"list":[1,2],"key":"k","end":1}`))
}

// happen has something happen to the run, and checks what comes of it.
func (m *model) happen(h *Happening) {
	m.Helper()
	before, given := m.run.clone(), *h
	m.happens = append(m.happens, fmt.Sprintf("%d of %d/%d/%d part %d entry %d %s %s", h.Kind, h.Step, h.Iteration, h.Item, h.Part, h.Entry, h.Output.Bytes, h.Code))
	m.note(h)
	switch h.Kind { //nolint:exhaustive // The others lead on.
	case Began, Retry, Skip, Reenter:
		m.ways++
	}
	again := *h
	next, decisions, pending := Advance(m.program, m.run, h, m.kept)
	if !reflect.DeepEqual(before, m.run) {
		m.fail("the run that was given has changed")
	}
	next2, decisions2, pending2 := Advance(m.program, m.run, &again, m.clone())
	if !reflect.DeepEqual(next, next2) || !reflect.DeepEqual(decisions, decisions2) || !reflect.DeepEqual(pending, pending2) {
		m.fail("the same again gave something else")
	}
	if before.State.Ended() && given.Kind != Reenter {
		before.Live = next.Live
		if !reflect.DeepEqual(before, next) || len(decisions) > 0 {
			m.fail("a run that had ended has changed")
		}
	}
	m.run = next
	if pending != nil {
		m.pending = pending
	}
	m.happens = append(m.happens, fmt.Sprintf("  %s at %s live %d", next.State, m.program.Steps[next.Step].Name, next.Live))
	for i := range decisions {
		d := &decisions[i]
		m.happens = append(m.happens, fmt.Sprintf("    decision %d: %d/%d/%d part %d entry %d %s %s", d.Kind, d.Step, d.Iteration, d.Item, d.Part, d.Entry, d.Data.Bytes, d.Code))
		m.carryOut(d)
	}
	m.check()
}

func (m *model) fail(format string, args ...any) {
	m.Helper()
	for _, text := range m.happens {
		m.Logf("%s", text)
	}
	m.Logf("%+v", m.run)
	m.Fatalf(format, args...)
}

// note takes note of what a happening means before the run hears of it.
func (m *model) note(h *Happening) {
	of := jobOf{h.Step, h.Iteration, h.Item}
	switch h.Kind { //nolint:exhaustive // The others mean nothing here.
	case Done, Died, Stopped:
		delete(m.live, of)
		switch h.Kind { //nolint:exhaustive // What was stopped leaves nothing.
		case Done:
			m.acknowledged(h)
		case Died:
			m.dead[of] = true
		}
	case Granted:
		m.owe(of)
	case Revived:
		delete(m.dead, of)
		m.live[of] = false
	case Undone, UndoDied:
		delete(m.undoing, h.Entry)
		m.undead[h.Entry] = h.Kind == UndoDied
		if h.Kind == Undone {
			m.undone[h.Entry]++
		}
	default:
		m.noteOperator(h)
	}
}

// acknowledged takes note of a job that has succeeded: it has to be undone, and what was
// before a pivot has not.
func (m *model) acknowledged(h *Happening) {
	s := &m.program.Steps[h.Step]
	if s.Pivot && (m.run.Present(h) || m.run.stalled(h)) {
		clear(m.owed)
	}
	if s.Compensation != nil {
		m.owe(jobOf{h.Step, h.Iteration, h.Item})
	}
}

func (m *model) owe(of jobOf) {
	if !m.noUndo && !m.run.State.Ended() {
		m.owed[of] = true
	}
}

func (m *model) noteOperator(h *Happening) {
	switch h.Kind { //nolint:exhaustive // The others mean nothing here.
	case Cancel:
		if h.NoUndo && m.cancels() {
			clear(m.owed)
			m.noUndo = true
		}
	case Skip:
		if i := m.run.Incident; i != nil && i.Kind == UndoFailed && h.Output.Codec != command.CodecNone {
			m.undone[i.Item]++ // An operator has undone it.
		}
	case Reenter:
		m.noUndo, m.begun = false, nil
		if m.run.State != Succeeded {
			clear(m.owed)
		}
	}
}

// cancels tells whether the run can be canceled yet.
func (m *model) cancels() bool {
	return m.run.State == Running || m.run.State == Stuck && m.run.Incident.Was == Running
}

// carryOut does what the run has decided, and checks whether it may.
func (m *model) carryOut(d *Decision) {
	m.Helper()
	of := jobOf{d.Step, d.Iteration, d.Item}
	switch d.Kind { //nolint:exhaustive // keep does the others.
	case StartJob, StartChild:
		if d.Detach {
			return
		}
		if m.run.State != Running || m.run.Paused {
			m.fail("a job starts while the run is %s, paused %v", m.run.State, m.run.Paused)
		}
		if _, twice := m.live[of]; twice {
			m.fail("job %v is started twice", of)
		}
		m.live[of] = d.Kind == StartChild
	case RedriveJob:
		m.redrive(d)
	case StartUndo:
		m.startUndo(d)
	case SetTimer:
		m.timers[timerOf{d.Timer, d.DueMS, d.Part}] = *d
	case ClearTimer:
		delete(m.timers, timerOf{d.Timer, d.DueMS, d.Part})
	case Await:
		m.awaits[d.Part] = *d
	case Unawait:
		delete(m.awaits, d.Part)
	case End:
		m.ended()
	}
	m.keep(d)
}

func (m *model) redrive(d *Decision) {
	m.Helper()
	of := jobOf{d.Step, d.Iteration, d.Item}
	if d.Entry != 0 {
		if !m.undead[d.Entry] {
			m.fail("compensation %d is not dead", d.Entry)
		}
		delete(m.undead, d.Entry)
		m.undoing[d.Entry] = true
		return
	}
	if !m.dead[of] {
		m.fail("job %v is not dead", of)
	}
	delete(m.dead, of)
	m.live[of] = false
}

func (m *model) startUndo(d *Decision) {
	m.Helper()
	again := slices.Contains(m.begun, d.Entry)
	if entry, found := m.entries[d.Entry]; !found || entry.Step != d.Step || entry.Item != d.Item {
		m.fail("compensation %d is not registered", d.Entry)
	}
	switch {
	case m.noUndo:
		m.fail("compensation %d begins after a cancel without", d.Entry)
	case len(m.live) > 0:
		m.fail("compensation %d begins while %v live", d.Entry, m.live)
	case d.Entry <= m.run.Floor:
		m.fail("compensation %d was registered before the pivot", d.Entry)
	case m.undone[d.Entry] > 0 || m.undoing[d.Entry]:
		m.fail("compensation %d was begun before", d.Entry)
	case !again && len(m.begun) > 0 && d.Entry >= m.begun[len(m.begun)-1]:
		m.fail("compensation %d begins after %v", d.Entry, m.begun)
	}
	m.checkBeside(d)
	m.undoing[d.Entry] = true
	if !again {
		m.begun = append(m.begun, d.Entry)
	}
}

// checkBeside wants compensations to go on side by side of one visit only.
func (m *model) checkBeside(d *Decision) {
	m.Helper()
	for other := range m.undoing {
		if e := m.entries[other]; !m.program.Parallel || e.Step != d.Step || e.Iteration != d.Iteration {
			m.fail("compensation %d begins beside %d", d.Entry, other)
		}
	}
}

// ended checks a run's end.
func (m *model) ended() {
	m.Helper()
	if m.program.OnFailure != workflow.Compensate {
		return
	}
	switch m.run.State { //nolint:exhaustive // The others leave nothing, or something.
	case Canceled, Failed, Compensated:
		undone := make(map[jobOf]bool)
		for number := range m.undone {
			e := m.entries[number]
			undone[jobOf{e.Step, e.Iteration, e.Item}] = true
		}
		for of := range m.owed {
			if !undone[of] {
				m.fail("the run is %s, and %v is not undone", m.run.State, of)
			}
		}
	}
}

// check holds the run against what its owner knows.
func (m *model) check() {
	m.Helper()
	r := m.run
	if int(r.Live) != len(m.live) {
		m.fail("%d live, there are %v", r.Live, m.live)
	}
	if i := r.Items; i.Succeeded+i.Failed > i.Started || i.Started > i.Total {
		m.fail("items %+v", i)
	}
	for _, l := range r.Loops {
		if limit := m.loopLimit(l); int(l.Count) > limit {
			m.fail("step %d took edge %d %d times, %d are allowed", l.Step, l.Edge, l.Count, limit)
		}
	}
	if most := uint64(len(m.program.Steps)) * (m.ways + m.loopsAllowed()); r.Usage.Steps > most {
		m.fail("the run has passed %d steps, %d are on its ways", r.Usage.Steps, most)
	}
	if !r.State.Ended() && r.State != Stuck && !r.Paused && !m.goesOn() {
		m.fail("the run is %s at %s, and nothing can happen to it", r.State, m.program.Steps[r.Step].Name)
	}
	if r.State == Stuck != (r.Incident != nil) {
		m.fail("%s with incident %v", r.State, r.Incident)
	}
}

func (m *model) loopLimit(l Loop) int {
	s := &m.program.Steps[l.Step]
	if l.Edge >= workflow.MaxEdges {
		return s.Catch[l.Edge-workflow.MaxEdges].Max
	}
	return s.Next[l.Edge].Max
}

// loopsAllowed is how often a run may go back.
func (m *model) loopsAllowed() (most uint64) {
	for i := range m.program.Steps {
		s := &m.program.Steps[i]
		for j := range s.Next {
			most += uint64(s.Next[j].Max)
		}
		for j := range s.Catch {
			most += uint64(s.Catch[j].Max)
		}
	}
	return most
}

// goesOn tells whether anything can happen yet that the run waits for.
func (m *model) goesOn() bool {
	r := m.run
	if r.State != Running {
		return len(m.live) > 0 || len(m.undoing) > 0
	}
	if m.program.Steps[r.Step].Kind == workflow.Wait {
		for _, d := range m.awaits {
			if r.Waits(d.Step, d.Iteration, d.Part) {
				return true
			}
		}
		for _, d := range m.timers {
			if d.Timer == TimerWait && r.Waits(d.Step, d.Iteration, d.Part) {
				return true
			}
		}
	}
	for of := range m.live {
		if r.Present(&Happening{Step: of.step, Iteration: of.iteration, Item: of.item}) {
			return true
		}
	}
	return false
}

// sorted are a map's keys in an order.
func sorted[K comparable, V any](of map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, compare)
	return keys
}

func (m *model) liveJobs() []jobOf {
	return sorted(m.live, func(a, b jobOf) int {
		return cmp.Or(cmp.Compare(a.step, b.step), cmp.Compare(a.iteration, b.iteration), cmp.Compare(a.item, b.item))
	})
}

func (m *model) dueTimers() []timerOf {
	return sorted(m.timers, func(a, b timerOf) int {
		return cmp.Or(cmp.Compare(a.due, b.due), cmp.Compare(a.kind, b.kind), cmp.Compare(a.part, b.part))
	})
}
