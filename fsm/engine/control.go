package engine

import (
	"math"

	"github.com/batonmq/baton/fsm/command"
)

// cancel stops the run. What was done is undone where on_failure says so.
func (a *advance) cancel(h *Happening) error {
	r := a.run
	if r.State == Canceling || r.State == Compensating || r.State == Stuck && r.Incident.Was != Running {
		return nil
	}
	a.abandon()
	r.Error = &Error{Step: r.Step, Code: CodeCanceled, Message: h.Message}
	if h.NoUndo {
		r.Floor = math.MaxUint32 // What is on its way yet is not undone either.
	}
	return a.unwind(Canceled)
}

// abandon closes the incident of a run that is to stop.
func (a *advance) abandon() {
	r := a.run
	if r.State != Stuck {
		return
	}
	i := *r.Incident
	r.State, r.Incident = i.Was, nil
	a.keepUndo(a.pendingOf(&i))
}

// pendingOf is the happening that an incident keeps, nil for none.
func (a *advance) pendingOf(i *Incident) *Happening {
	if !i.Pending {
		return nil
	}
	pending, found := a.facts.Pending()
	if !found {
		return nil
	}
	return &pending
}

// resume goes on with a run that was paused.
func (a *advance) resume() error {
	r := a.run
	r.Paused = false
	if r.State != Running {
		return nil
	}
	if r.Holds {
		r.Holds = false
		return a.enterAt(r.Held, a.facts.Held())
	}
	if s := r.at(a.Definition); s.Map != nil && r.Items.Started < r.Items.Total {
		return a.startItems(s, nil)
	}
	return nil
}

// resolve is how an operator ends an incident.
func (a *advance) resolve(h *Happening) error {
	r := a.run
	if r.State != Stuck {
		return nil
	}
	i := *r.Incident
	r.State, r.Incident = i.Was, nil
	if i.Kind == UndoFailed {
		return a.resolveUndo(h, &i)
	}
	if i.Was != Running {
		return a.drained()
	}
	pending := a.pendingOf(&i)
	switch {
	case h.Kind == GiveUp:
		return a.giveUp(h, pending)
	case h.Kind == Skip:
		a.keepUndo(pending)
		r.Error = nil
		a.stopAll()
		return a.stepOver(h.Output) // As if the step had succeeded with that.
	case pending != nil:
		pending.replaceOutput(h)
		a.rest = pending
		a.setTimers()
		return a.happen(pending)
	case i.Kind == WaiterConflict:
		return a.waitAgain(h)
	default:
		return a.retry(h)
	}
}

// setTimers sets those of the present step that may have fired in vain during an incident.
func (a *advance) setTimers() {
	r := a.run
	timer := Decision{Kind: SetTimer, Step: r.Step, Iteration: r.iteration(r.Step)}
	if r.StepDueMS != 0 {
		timer.Timer, timer.DueMS = TimerStep, r.StepDueMS
		a.decide(timer)
	}
	if r.at(a.Definition).Map != nil && len(r.WaitDueMS) > 0 {
		timer.Timer, timer.DueMS = TimerItems, r.WaitDueMS[0]
		a.decide(timer)
	}
}

// replaceOutput takes an operator's output in the place of what an expression could
// not be evaluated with.
func (h *Happening) replaceOutput(by *Happening) {
	if by.Output.Codec != command.CodecNone {
		h.Output = by.Output
	}
}

// keepUndo registers what undoes a job whose compensation's input could not be
// evaluated: it gets the job's output.
func (a *advance) keepUndo(pending *Happening) {
	if pending == nil || pending.Kind != Done || pending.Again {
		return
	}
	if a.Steps[pending.Step].Compensation != nil {
		a.keepEntry(pending, pending.Output, false)
	}
}

// giveUp lets the run fail.
func (a *advance) giveUp(h, pending *Happening) error {
	a.keepUndo(pending)
	r := a.run
	code := CodeGivenUp
	if r.Error != nil {
		code = r.Error.Code
	}
	if h.Code != "" {
		code = h.Code
	}
	r.Error = &Error{Step: r.Step, Code: code, Message: h.Message}
	return a.unwind(Failed)
}
