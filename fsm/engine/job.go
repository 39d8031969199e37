package engine

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// present tells whether a job is one that the run waits for at its step.
func (a *advance) present(h *Happening) bool { return a.run.Present(h) }

// At tells whether the run stands at that visit of a step.
func (r *Run) At(step, iteration uint32) bool {
	return r.Step == step && r.iteration(step) == iteration
}

// Present tells whether a job, by its step and iteration, is one that the run waits for.
func (r *Run) Present(h *Happening) bool {
	return r.State == Running && r.Step == h.Step && !r.Holds && r.iteration(r.Step) == h.Iteration && !r.Items.Settled
}

// done takes note of a job that has succeeded, and goes on.
func (a *advance) done(h *Happening) error {
	s := &a.Steps[h.Step]
	present := a.present(h)
	if !h.Again {
		a.run.Usage.add(h.Usage)
		if err := a.register(s, h); err != nil {
			return err
		}
		if present && a.run.Memo != "" {
			a.decide(Decision{Kind: KeepMemo, Key: a.run.Memo, Data: h.Output, TTLMS: s.Memo.TTLMS})
		}
		again := *h
		again.Again = true
		a.take(again)
	}
	switch {
	case !present:
		a.aside(h, "")
		return a.drained()
	case h.Item != 0:
		return a.itemEnded(s, h, "")
	default:
		return a.stepOver(h.Output)
	}
}

// register keeps the compensation of a job that has succeeded. One that was registered
// when it was granted takes its place among the others now.
func (a *advance) register(s *workflow.Step, h *Happening) error {
	c := s.Compensation
	if c == nil {
		return nil
	}
	input := h.Output
	if c.Input != nil {
		v := view{output: h.Output, index: h.Item}
		if h.Item != 0 && s.Map != nil {
			v.item = a.facts.Item(h.Item)
		}
		value, err := c.Input.JSON(a.scope(v))
		switch {
		case err == nil:
			input = jsonPayload(value)
		case a.present(h):
			return err
		default: // The run is elsewhere: its way is not stopped for that, and what was done is undone yet.
		}
	}
	a.keepEntry(h, input, false)
	return nil
}

// turnAt discards what was registered before a pivot.
func (a *advance) turnAt(s *workflow.Step) {
	if s.Pivot {
		a.decide(Decision{Kind: Forget})
		a.run.Floor = a.run.Entries
	}
}

// aside takes note of what came of an item while the run is stuck at its step: when it
// goes on, that counts.
func (a *advance) aside(h *Happening, code string) {
	if a.run.stalled(h) {
		a.keepItem(h, code)
	}
}

// stalled tells whether an item is one that the run would wait for if it were not stuck.
func (r *Run) stalled(h *Happening) bool {
	return h.Item != 0 && r.State == Stuck && r.Incident.Was == Running && !r.Holds && !r.Items.Settled && r.At(h.Step, h.Iteration)
}

func (a *advance) keepEntry(h *Happening, input command.Payload, unknown bool) {
	r := a.run
	r.Entries++
	if r.State == Canceling || r.State == Compensating {
		r.Next = r.Entries + 1 // It was on its way when the run was stopped: nothing is undone yet.
	}
	a.decide(Decision{
		Kind: Register, Entry: r.Entries, Step: h.Step, Iteration: h.Iteration, Item: h.Item, Data: input,
		Unknown: unknown,
	})
}

// granted registers what a job's compensation is where that is due before it is known
// what comes of it: once, whatever the number of its attempts.
func (a *advance) granted(h *Happening) error {
	if a.facts.Unknown(h.Step, h.Iteration, h.Item) == 0 {
		a.keepEntry(h, h.Input, true)
	}
	return nil
}

// died goes on after a job that has failed for good.
func (a *advance) died(h *Happening) error {
	s := &a.Steps[h.Step]
	if !h.Again {
		a.run.Usage.add(h.Usage)
	}
	switch {
	case !a.present(h):
		a.aside(h, h.Code)
		return a.drained()
	case h.Item != 0:
		return a.itemEnded(s, h, h.Code)
	default:
		return a.stepFailed(h.Code, h.Message)
	}
}

// stopped goes on after a job that somebody stopped: the run, or an operator who
// canceled the job alone.
func (a *advance) stopped(h *Happening) error {
	canceled := *h
	canceled.Code, canceled.Message = CodeCanceled, "the step's event was canceled"
	return a.died(&canceled)
}

// revived goes on with a step whose dead job was put back in line.
func (a *advance) revived(h *Happening) error {
	r := a.run
	if r.State == Stuck && r.Incident.Kind == StepFailed && r.Step == h.Step {
		r.State, r.Incident, r.Error = Running, nil, nil
		if h.Item != 0 && r.Items.Failed > 0 {
			r.Items.Failed--
			a.decide(Decision{Kind: ForgetItem, Step: h.Step, Item: h.Item})
		}
		a.setStepTimer(r.at(a.Definition))
	}
	return nil
}
