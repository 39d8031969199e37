package engine

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// enterWait begins to wait for messages and times.
func (a *advance) enterWait(s *workflow.Step) error {
	r := a.run
	scope := a.scope(view{output: a.output, message: a.message})
	r.WaitDueMS = make([]int64, len(s.Wait.Parts))
	for i := range s.Wait.Parts {
		part := &s.Wait.Parts[i]
		if r.Arrived&(1<<i) != 0 {
			continue
		}
		if part.Message != "" {
			key := a.facts.RunID()
			if part.Key != nil {
				text, err := part.Key.Text(scope)
				if err != nil {
					return err
				}
				key = text
			}
			a.decide(Decision{
				Kind: Await, Step: r.Step, Iteration: r.iteration(r.Step), Part: uint32(i), Name: part.Message, Key: key,
			})
			continue
		}
		due, err := a.partDue(part, scope)
		if err != nil {
			return err
		}
		r.WaitDueMS[i] = due
		a.decide(Decision{
			Kind: SetTimer, Timer: TimerWait, DueMS: due, Step: r.Step, Iteration: r.iteration(r.Step), Part: uint32(i),
		})
	}
	return nil
}

// waitAgain waits anew for what has not come, after another run waited for it too.
func (a *advance) waitAgain(h *Happening) error {
	r := a.run
	for part, due := range r.WaitDueMS {
		if due != 0 {
			a.decide(Decision{Kind: ClearTimer, Timer: TimerWait, DueMS: due, Part: uint32(part)})
		}
	}
	a.output = a.inputOf(h)
	return a.enterWait(r.at(a.Definition))
}

// partDue is when a wait's timer fires.
func (a *advance) partDue(part *workflow.WaitPart, scope *workflow.Scope) (int64, error) {
	now := a.facts.NowMS()
	switch {
	case part.Until != nil:
		due, err := part.Until.TimeMS(scope)
		return max(due, now), err
	case part.After != nil:
		after, err := part.After.DurationMS(scope)
		return now + max(after, 0), err
	default:
		return now + part.AfterMS, nil
	}
}

// Waits tells whether the run still waits for a part of a step's wait.
func (r *Run) Waits(step, iteration, part uint32) bool {
	return r.State == Running && !r.Holds && r.Step == step && r.iteration(step) == iteration && r.Arrived&(1<<part) == 0
}

// arrived takes a message, or a time that has come, for the part of a wait. What comes
// for a wait that is over changes nothing.
func (a *advance) arrived(h *Happening) error {
	r := a.run
	s := &a.Steps[h.Step]
	if s.Wait == nil || !r.Waits(h.Step, h.Iteration, h.Part) {
		return nil
	}
	if h.Kind == WaitDue && int(h.Part) < len(r.WaitDueMS) {
		r.WaitDueMS[h.Part] = 0
	}
	r.Arrived |= 1 << h.Part
	if !s.Wait.All {
		a.message = h.Output
		return a.stepOver(h.Output)
	}
	a.decide(Decision{Kind: KeepItem, Step: r.Step, Item: h.Part + 1, Data: h.Output})
	if r.Arrived != 1<<len(s.Wait.Parts)-1 {
		return nil
	}
	a.message = a.messages(s.Wait, h)
	return a.stepOver(a.message)
}

// messages are those that all parts of a wait have got, by their names.
func (a *advance) messages(w *workflow.Waiting, last *Happening) command.Payload {
	b := []byte{'{'}
	for i := range w.Parts {
		if w.Parts[i].Message == "" {
			continue
		}
		output, _, _ := a.facts.ItemOutput(uint32(i) + 1)
		if uint32(i) == last.Part {
			output = last.Output
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(b, quoted(w.Parts[i].Message)...), ':'), jsonOf(output)...)
	}
	return jsonPayload(append(b, '}'))
}

// conflict stops a run that would wait for what another waits for.
func (a *advance) conflict(h *Happening) error {
	if !a.run.Waits(h.Step, h.Iteration, h.Part) {
		return nil
	}
	a.stick(Incident{Kind: WaiterConflict, Step: h.Step, Item: h.Part, Message: h.Message})
	return nil
}

// stepDue ends a step that has taken too long.
func (a *advance) stepDue(h *Happening) error {
	r := a.run
	if r.State != Running || r.Step != h.Step || r.iteration(r.Step) != h.Iteration || r.StepDueMS == 0 {
		return nil
	}
	r.StepDueMS = 0
	a.stopAll()
	return a.stepFailed(CodeStepTimeout, "the step took longer than its timeout")
}

// runDue ends a run that has taken too long. What compensates goes on.
func (a *advance) runDue() error {
	r := a.run
	r.DueMS = 0
	if r.State == Canceling || r.State == Compensating || r.State == Stuck && r.Incident.Was != Running {
		return nil
	}
	a.abandon()
	a.leave()
	r.Error = &Error{Step: r.Step, Code: CodeRunTimeout, Message: "the run took longer than its timeout"}
	if a.OnFailure == workflow.Compensate {
		return a.unwind(Failed)
	}
	a.stopAll()
	a.end(Failed, command.Payload{})
	return nil
}
