package engine

import (
	"github.com/batonmq/baton/fsm/command"
)

// cancel stops the run. What was done is undone where on_failure says so.
func (a *advance) cancel(h *Happening) error {
	r := a.run
	if r.State == Canceling || r.State == Compensating || r.State == Stuck && r.Incident.Was != Running {
		return nil
	}
	r.Incident = nil
	r.Error = &Error{Step: r.Step, Code: CodeCanceled, Message: h.Message}
	if h.NoUndo {
		r.Floor = r.Entries
	}
	return a.unwind(Canceled)
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
		a.output = a.facts.Held()
		a.take()
		return a.walk(r.Held)
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
	pending := a.pending(&i)
	switch {
	case h.Kind == GiveUp:
		return a.giveUp(h, pending)
	case h.Kind == Skip:
		return a.skip(h, pending)
	case pending != nil:
		pending.replaceOutput(h)
		return a.happen(pending)
	case i.Kind == WaiterConflict:
		return a.enterWait(r.at(a.Definition))
	default:
		return a.retry(h)
	}
}

// pending is what an incident keeps, nil for nothing.
func (a *advance) pending(i *Incident) *Happening {
	pending, found := a.facts.Pending()
	if !found || !i.Pending {
		return nil
	}
	return &pending
}

// replaceOutput takes an operator's output in the place of what an expression could
// not be evaluated with.
func (h *Happening) replaceOutput(by *Happening) {
	if by.Output.Codec != command.CodecNone {
		h.Output = by.Output
	}
}

// retry puts the dead jobs of a step back in line.
func (a *advance) retry(h *Happening) error {
	r := a.run
	s := r.at(a.Definition)
	r.Error = nil
	again := Decision{Kind: RedriveJob, Step: r.Step, Iteration: r.iteration(r.Step), Data: h.Output}
	switch {
	case s.Channel == "" || r.Items.Total == 0 && s.Map != nil:
		return a.walk(r.Step) // No job of it is dead: it is begun anew.
	case r.Items.Total == 0:
		r.Live++
		a.decide(again)
		return nil
	}
	for item := uint32(1); item <= r.Items.Started; item++ {
		if _, code, found := a.facts.ItemOutput(item); found && code != "" {
			again.Item = item
			r.Items.Failed--
			r.Live++
			a.decide(again)
		}
	}
	if s.Map != nil {
		return a.startItems(s, nil)
	}
	return nil
}

// skip goes on as if the step had succeeded with an output that the operator gives.
func (a *advance) skip(h, pending *Happening) error {
	a.keepUndo(pending)
	a.run.Error = nil
	a.stopAll()
	a.run.Items.Settled = true
	return a.stepOver(h.Output)
}

// keepUndo registers what undoes a job whose compensation's input could not be
// evaluated: it gets the job's output.
func (a *advance) keepUndo(pending *Happening) {
	if pending != nil && pending.Kind == Done && !pending.Again && a.Steps[pending.Step].Compensation != nil {
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

// resolveUndo is resolve for a compensation that has failed for good.
func (a *advance) resolveUndo(h *Happening, i *Incident) error {
	switch h.Kind { //nolint:exhaustive // An operator has three words.
	case Retry:
		entry, _ := a.facts.Entry(i.Item)
		a.decide(Decision{
			Kind: RedriveJob, Entry: i.Item, Step: entry.Step, Iteration: entry.Iteration, Item: entry.Item, Data: h.Output,
		})
		return nil
	case Skip:
		if h.Output.Codec == command.CodecNone {
			a.run.Left++
		} else {
			a.run.Undid++
		}
		return a.endUndo(i.Item)
	default:
		a.run.Left++
		a.run.Next = a.run.Floor + 1
		return a.endUndo(i.Item)
	}
}

func (a *advance) endUndo(entry uint32) error {
	r := a.run
	for at, number := range r.Undoing {
		if number == entry {
			r.Undoing = append(r.Undoing[:at], r.Undoing[at+1:]...)
			break
		}
	}
	return a.drained()
}
