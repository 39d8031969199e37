package engine

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// retry tries the step again that has failed: its dead jobs go back in line, so that what
// is done of it stays done. Where that cannot be, it is begun anew.
func (a *advance) retry(h *Happening) error {
	r := a.run
	s := r.at(a.Definition)
	r.Error = nil
	again, err := a.again(s, h)
	if err != nil {
		return err
	}
	if !again {
		a.stopAll()
		return a.enterAt(r.Step, a.inputOf(h))
	}
	a.setStepTimer(s)
	return nil
}

// inputOf is what the present step was given, or what an operator gives in its place.
func (a *advance) inputOf(h *Happening) command.Payload {
	if h.Output.Codec != command.CodecNone {
		return h.Output
	}
	return a.facts.Held()
}

// again puts what has failed of a step back in line, and tells whether there is anything
// then that the run waits for.
func (a *advance) again(s *workflow.Step, h *Happening) (bool, error) {
	r := a.run
	iteration := r.iteration(r.Step)
	switch {
	case s.Kind != workflow.Task || r.Paused && s.Map != nil:
		return false, nil
	case s.Map != nil:
		return a.itemsAgain(s, h)
	case s.Dynamic != nil:
		return a.emittedAgain(h), nil
	case !a.facts.Dead(r.Step, iteration, 0):
		return false, nil
	default:
		a.redrive(0, h)
		return true, nil
	}
}

func (a *advance) redrive(item uint32, h *Happening) {
	r := a.run
	r.Live++
	a.decide(Decision{Kind: RedriveJob, Step: r.Step, Iteration: r.iteration(r.Step), Item: item, Data: h.Output})
}

// failedNow are the items that have failed.
func (a *advance) failedNow() (failed []uint32) {
	for item := uint32(1); item <= a.run.Items.Started; item++ {
		if _, code, found := a.facts.ItemOutput(item); found && code != "" {
			failed = append(failed, item)
		}
	}
	return failed
}

func (a *advance) itemsAgain(s *workflow.Step, h *Happening) (bool, error) {
	r := a.run
	for _, item := range a.failedNow() {
		r.Items.Failed--
		a.decide(Decision{Kind: ForgetItem, Step: r.Step, Item: item})
		if a.facts.Dead(r.Step, r.iteration(r.Step), item) {
			a.redrive(item, h)
		} else if err := a.startJob(s, item, view{output: a.facts.Held(), item: a.facts.Item(item), index: item}); err != nil {
			return false, err // It was stopped, and there is nothing to put back in line.
		}
	}
	if err := a.startItems(s, nil); err != nil {
		return false, err
	}
	return r.Items.Started > r.Items.Succeeded+r.Items.Failed, nil
}

// emittedAgain is again for a dynamic step: what it emitted cannot be made anew, so that
// all that has failed must be dead.
func (a *advance) emittedAgain(h *Happening) bool {
	r := a.run
	failed := a.failedNow()
	for _, item := range failed {
		if !a.facts.Dead(r.Step, r.iteration(r.Step), item) {
			return false
		}
	}
	for _, item := range failed {
		r.Items.Failed--
		a.decide(Decision{Kind: ForgetItem, Step: r.Step, Item: item})
		a.redrive(item, h)
	}
	return len(failed) > 0
}
