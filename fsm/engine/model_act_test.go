package engine

import (
	"cmp"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// act has one thing happen, of what can.
func (m *model) act() {
	m.Helper()
	switch rapid.SampledFrom([]string{
		"job", "job", "job", "job", "job", "job", "grant", "undo", "undo", "undo", "time", "time", "message", "message",
		"stale", "operator", "operator", "operator",
	}).Draw(m.T, "act") {
	case "job":
		if jobs := m.liveJobs(); len(jobs) > 0 {
			m.endJob(rapid.SampledFrom(jobs).Draw(m.T, "job"))
		}
	case "grant":
		m.grant()
	case "undo":
		if entries := sorted(m.undoing, cmp.Compare[uint32]); len(entries) > 0 {
			m.endUndo(rapid.SampledFrom(entries).Draw(m.T, "entry"))
		}
	case "time":
		if timers := m.dueTimers(); len(timers) > 0 {
			m.fire(timers[0])
		}
	case "message":
		m.message()
	case "stale":
		m.stale()
	case "operator":
		m.operate()
	}
}

func (m *model) endJob(of jobOf) {
	m.Helper()
	h := &Happening{Step: of.step, Iteration: of.iteration, Item: of.item}
	switch rapid.SampledFrom([]HappeningKind{Done, Done, Done, Died, Stopped}).Draw(m.T, "end") { //nolint:exhaustive // Three ends.
	case Done:
		h.Kind, h.Output = Done, m.output()
		if m.program.Steps[of.step].Dynamic != nil && m.run.Present(h) && m.run.Items.Total < 4 {
			h.Spawned = uint32(rapid.IntRange(0, int(4-m.run.Items.Total)).Draw(m.T, "spawned"))
			for item := range h.Spawned {
				m.live[jobOf{of.step, of.iteration, m.run.Items.Total + item + 1}] = false
			}
		}
	case Died:
		h.Kind, h.Code = Died, rapid.SampledFrom([]string{"boom", "bang"}).Draw(m.T, "code")
		if m.live[of] {
			m.diedChild(h)
			return
		}
	case Stopped:
		h.Kind = Stopped
	}
	m.happen(h)
}

// diedChild is the end of a child run: no job of it is dead.
func (m *model) diedChild(h *Happening) {
	m.Helper()
	of := jobOf{h.Step, h.Iteration, h.Item}
	m.happen(h)
	delete(m.dead, of)
}

func (m *model) grant() {
	jobs := m.liveJobs()
	if len(jobs) == 0 {
		return
	}
	of := rapid.SampledFrom(jobs).Draw(m.T, "job")
	if c := m.program.Steps[of.step].Compensation; c != nil && c.OnStarted && m.run.State == Running {
		m.happen(&Happening{Kind: Granted, Step: of.step, Iteration: of.iteration, Item: of.item, Input: good()})
	}
}

func (m *model) endUndo(entry uint32) {
	m.Helper()
	e := m.entries[entry]
	h := &Happening{Kind: Undone, Step: e.Step, Iteration: e.Iteration, Item: e.Item, Entry: entry}
	if rapid.IntRange(0, 2).Draw(m.T, "undo") == 0 {
		h.Kind, h.Code = UndoDied, "boom"
	}
	m.happen(h)
	if h.Kind == UndoDied && rapid.Bool().Draw(m.T, "discarded") {
		delete(m.undead, entry)
	}
}

func (m *model) fire(of timerOf) {
	m.Helper()
	d := m.timers[of]
	delete(m.timers, of)
	m.nowMS = max(m.nowMS, of.due)
	kinds := map[TimerKind]HappeningKind{TimerRun: RunDue, TimerStep: StepDue, TimerWait: WaitDue, TimerItems: ItemsDue}
	m.happen(&Happening{Kind: kinds[of.kind], Step: d.Step, Iteration: d.Iteration, Part: d.Part})
}

// message offers a message to the run, or tells it that another waits for it. What the run
// does not take at once is not offered to it again.
func (m *model) message() {
	m.Helper()
	parts := sorted(m.awaits, cmp.Compare[uint32])
	if len(parts) == 0 {
		return
	}
	d := m.awaits[rapid.SampledFrom(parts).Draw(m.T, "part")]
	delete(m.awaits, d.Part)
	h := &Happening{Kind: Message, Step: d.Step, Iteration: d.Iteration, Part: d.Part, Output: m.output()}
	if rapid.IntRange(0, 4).Draw(m.T, "conflict") == 0 {
		h.Kind, h.Output = Conflict, command.Payload{}
	}
	if h.Kind == Conflict || m.run.Waits(d.Step, d.Iteration, d.Part) {
		m.happen(h)
	}
}

// stale is what comes late, or twice.
func (m *model) stale() {
	m.Helper()
	step := uint32(rapid.IntRange(0, len(m.program.Steps)-1).Draw(m.T, "step"))
	h := &Happening{Step: step, Iteration: m.run.iteration(step) + 1, Output: m.output()}
	h.Kind = rapid.SampledFrom([]HappeningKind{Message, WaitDue, StepDue, ItemsDue, Conflict, Undone, UndoDied}).Draw(m.T, "late")
	h.Entry = m.run.Entries + 1
	before := *m.run
	m.happens = append(m.happens, "late:")
	m.happen(h)
	delete(m.undone, h.Entry)
	delete(m.undead, h.Entry)
	if before.State != m.run.State || before.Step != m.run.Step || before.Arrived != m.run.Arrived {
		m.fail("what came late has changed the run")
	}
}

func (m *model) operate() {
	m.Helper()
	h := &Happening{Kind: rapid.SampledFrom([]HappeningKind{
		Cancel, Pause, Pause, Resume, Resume, Resume, Retry, Retry, Retry, Skip, GiveUp, Reenter, Revived,
	}).Draw(m.T, "operator")}
	switch h.Kind { //nolint:exhaustive // The others are done as they are.
	case Cancel:
		h.NoUndo = rapid.IntRange(0, 2).Draw(m.T, "no undo") == 0
	case Retry, Skip, GiveUp:
		m.resolve(h)
		return
	case Reenter:
		h.Output, h.Step = m.output(), uint32(rapid.IntRange(0, len(m.program.Steps)-1).Draw(m.T, "at"))
	case Revived:
		m.revive(h)
		return
	}
	if m.run.State.Ended() == (h.Kind == Reenter) { // Else the owner refuses it.
		m.happen(h)
	}
}

// resolve ends an incident. What is tried again with what every expression can do with
// goes on.
func (m *model) resolve(h *Happening) {
	m.Helper()
	before := m.run
	if before.State != Stuck {
		return
	}
	given := h.Kind != GiveUp && rapid.Bool().Draw(m.T, "given")
	if given {
		h.Output = good()
	}
	m.happen(h)
	if h.Kind == Retry && given && before.Incident.Kind == BadExpression && before.Items.Total == 0 && len(m.memos) == 0 && m.run.State == Stuck {
		m.fail("the incident is open yet")
	}
}

// revive puts a dead job back in line, where its run waits for it.
func (m *model) revive(h *Happening) {
	m.Helper()
	r := m.run
	if r.State != Stuck || r.Incident.Kind != StepFailed {
		return
	}
	for of := range m.dead {
		if of.step != r.Step || of.iteration != r.iteration(r.Step) {
			delete(m.dead, of)
		}
	}
	jobs := sorted(m.dead, func(a, b jobOf) int { return cmp.Compare(a.item, b.item) })
	if len(jobs) == 0 {
		return
	}
	of := rapid.SampledFrom(jobs).Draw(m.T, "dead")
	h.Step, h.Iteration, h.Item = of.step, of.iteration, of.item
	m.happen(h)
}

// finish brings the run to its end by what an operator can do.
func (m *model) finish() {
	m.Helper()
	for round := 0; !m.run.State.Ended() || len(m.live) > 0; round++ {
		if round > 200 {
			m.fail("the run does not come to an end")
		}
		switch jobs, entries := m.liveJobs(), sorted(m.undoing, cmp.Compare[uint32]); {
		case m.run.State == Stuck:
			m.happen(&Happening{Kind: GiveUp})
		case m.run.State == Running && !m.run.Paused && rapid.Bool().Draw(m.T, "cancel"):
			m.happen(&Happening{Kind: Cancel})
		case len(jobs) > 0:
			m.happen(&Happening{Kind: Stopped, Step: jobs[0].step, Iteration: jobs[0].iteration, Item: jobs[0].item})
		case len(entries) > 0:
			e := m.entries[entries[0]]
			m.happen(&Happening{Kind: Undone, Step: e.Step, Iteration: e.Iteration, Item: e.Item, Entry: entries[0]})
		default:
			m.happen(&Happening{Kind: Cancel})
		}
	}
	if len(m.timers) > 0 || len(m.awaits) > 0 {
		m.fail("the run has ended, and %v and %v are left", m.timers, m.awaits)
	}
}
