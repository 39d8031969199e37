package engine

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// failed is stepFailed in the shape of follow.
func (a *advance) failed(code, message string) (uint32, bool, error) {
	return 0, false, a.stepFailed(code, message)
}

// stepFailed ends the present step with an error: an edge for its code is taken, or the
// run fails as its definition says.
func (a *advance) stepFailed(code, message string) error {
	r := a.run
	a.leave()
	r.Error = &Error{Step: r.Step, Code: code, Message: message}
	s := r.at(a.Definition)
	for i := range s.Catch {
		c := &s.Catch[i]
		edge := uint32(workflow.MaxEdges + i)
		if len(c.Codes) > 0 && !slices.Contains(c.Codes, code) || c.Max > 0 && r.loops(r.Step, edge) >= c.Max {
			continue
		}
		if c.Max > 0 {
			r.loop(r.Step, edge)
		}
		a.stopAll()
		return a.enterAt(uint32(c.To), jsonPayload(a.errorJSON())) //nolint:gosec // A step's number.
	}
	return a.fail(code, message)
}

// fail ends the run with an error, as on_failure says.
func (a *advance) fail(code, message string) error {
	r := a.run
	r.Error = &Error{Step: r.Step, Code: code, Message: message}
	switch a.OnFailure { //nolint:exhaustive // The default is to fail.
	case workflow.Incident:
		a.stick(Incident{Kind: StepFailed, Step: r.Step, Message: code + ": " + message})
		return nil
	case workflow.Compensate:
		return a.unwind(Failed)
	default:
		a.stopAll()
		a.end(Failed, command.Payload{})
		return nil
	}
}

func (a *advance) stopAll() {
	if a.run.Live > 0 {
		a.decide(Decision{Kind: StopJobs})
	}
}

// unwind stops what goes on, and compensates when nothing does any more.
func (a *advance) unwind(goal State) error {
	r := a.run
	a.leave()
	a.stopAll()
	r.Goal, r.Next, r.Holds = goal, r.Entries+1, false
	if goal == Canceled {
		r.State = Canceling
	} else {
		r.State = Compensating
	}
	return a.drained()
}

// drained goes on to compensate, or ends, when nothing of the run lives any more.
func (a *advance) drained() error {
	r := a.run
	if r.State != Canceling && r.State != Compensating || r.Live > 0 || len(r.Undoing) > 0 {
		return nil
	}
	for r.Next > 1 && r.Next-1 > r.Floor && a.OnFailure == workflow.Compensate {
		r.Next--
		entry, found := a.entry(r.Next)
		if !found {
			continue
		}
		r.State = Compensating
		a.undo(r.Next, &entry)
		if !a.Parallel {
			return nil
		}
		a.undoBeside(&entry)
		return nil
	}
	switch {
	case r.Left > 0:
		a.end(PartiallyCompensated, command.Payload{})
	case r.Undid > 0:
		a.end(Compensated, command.Payload{})
	default:
		a.end(r.Goal, command.Payload{})
	}
	return nil
}

// undoBeside starts the entries of the same visit of the same step beside the first.
func (a *advance) undoBeside(first *Entry) {
	r := a.run
	for r.Next > 1 && r.Next-1 > r.Floor {
		entry, found := a.entry(r.Next - 1)
		if found && (entry.Step != first.Step || entry.Iteration != first.Iteration) {
			return
		}
		r.Next--
		if found {
			a.undo(r.Next, &entry)
		}
	}
}
