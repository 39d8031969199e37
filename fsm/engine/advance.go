package engine

import (
	"errors"
	"fmt"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// Bounds of a run.
const (
	// MaxInstant is how many steps a run may pass in one go that wait for nothing; then it
	// is taken for a circle.
	MaxInstant = 1000
	// MaxListBytes bounds what a map's outputs may come to together.
	MaxListBytes = 4 << 20
	// MaxDepth is how deep calls may lead to calls.
	MaxDepth = 16
)

// The codes of errors that runs make themselves.
const (
	CodeCanceled       = "canceled"
	CodeRunTimeout     = "run_timeout"
	CodeStepTimeout    = "step_timeout"
	CodeMapFailed      = "map_failed"
	CodeMapDeadline    = "map_deadline"
	CodeLoopExhausted  = "loop_exhausted"
	CodeBudgetExceeded = "budget_exceeded"
	CodeGivenUp        = "given_up"
	CodeTooDeep        = "too_deep"
)

// advance is one happening's way through a run.
type advance struct {
	*Program

	run   *Run
	facts Facts
	out   []Decision
	// output is what the step before gave; message what a wait got.
	output, message command.Payload
	// acknowledged is the run, and the decisions, as they stand when the happening itself
	// has been taken note of: an incident of what follows goes back to there. rest is what
	// is to be done from there; nil before there is anything but the happening itself.
	acknowledged *Run
	kept         int
	rest         *Happening
	instant      int
}

// incident is an error that stops the run.
type incident struct {
	kind IncidentKind
	err  error
}

func (e *incident) Error() string { return e.err.Error() }

// Advance is what becomes of a run by a happening, and what is to be done. The run that
// it gets stays as it is. Where pending is true, the happening is to be kept for the
// incident that came of it.
func Advance(p *Program, run *Run, h *Happening, facts Facts) (next *Run, decisions []Decision, pending *Happening) {
	a := &advance{Program: p, run: run.clone(), facts: facts}
	if !a.count(h) {
		return a.run, nil, nil
	}
	before := a.run.clone()
	a.kept = len(a.out)
	err := a.happen(h)
	if err == nil {
		return a.run, a.out, nil
	}
	return a.giveBack(h, before, err)
}

// giveBack stops a run that could not go on, as it was when the last thing was done for
// good, and returns what is left of the happening.
func (a *advance) giveBack(h *Happening, before *Run, err error) (*Run, []Decision, *Happening) {
	a.out = a.out[:a.kept]
	a.run = before
	if a.acknowledged != nil {
		a.run = a.acknowledged
	}
	var stop *incident
	if !errors.As(err, &stop) {
		stop = &incident{BadExpression, err}
	}
	if a.rest == nil && a.run.State == Stuck {
		a.run.Incident.Message = stop.Error() // An operator's word that led nowhere: nothing has changed.
		return a.run, a.out, nil
	}
	rest := *h
	if a.rest != nil {
		rest = *a.rest
	}
	a.stick(Incident{Kind: stop.kind, Step: a.run.Step, Item: rest.Item, Message: stop.Error(), Pending: true})
	return a.run, a.out, &rest
}

// count takes note of what holds whatever comes of it: what lives, and that a pivot was
// passed. It tells whether the happening is still of interest.
func (a *advance) count(h *Happening) bool {
	r := a.run
	switch h.Kind { //nolint:exhaustive // The others begin and end no job.
	case Done, Died, Stopped:
		if r.Live > 0 {
			r.Live--
		}
		r.Live += h.Spawned
		r.Items.Total += h.Spawned
		r.Items.Started += h.Spawned
		if h.Kind == Done && (a.present(h) || r.stalled(h)) {
			a.turnAt(&a.Steps[h.Step])
		}
	case Revived:
		r.Live++
	}
	return !r.State.Ended() || h.Kind == Reenter
}

func (a *advance) happen(h *Happening) error { //nolint:revive,cyclop // A case for each kind.
	switch h.Kind {
	case Began:
		return a.begin(h)
	case Done:
		return a.done(h)
	case Died:
		return a.died(h)
	case Stopped:
		return a.stopped(h)
	case Granted:
		return a.granted(h)
	case Revived:
		return a.revived(h)
	case Message, WaitDue:
		return a.arrived(h)
	case Conflict:
		return a.conflict(h)
	case StepDue:
		return a.stepDue(h)
	case RunDue:
		return a.runDue()
	case ItemsDue:
		return a.itemsDue(h)
	case Cancel:
		return a.cancel(h)
	case Pause:
		a.run.Paused = true
		return nil
	case Resume:
		return a.resume()
	case Retry, Skip, GiveUp:
		return a.resolve(h)
	case Reenter:
		return a.reenter(h)
	case Undone, UndoDied:
		return a.undoEnded(h)
	case Follow:
		if h.Part != 0 {
			a.message = h.Output
		}
		return a.stepOver(h.Output)
	case Enter:
		return a.enterAt(h.Step, h.Output)
	default:
		return fmt.Errorf("happening %d is not known to this build", h.Kind)
	}
}

func (a *advance) decide(d Decision) { a.out = append(a.out, d) }

// take notes that the happening itself needs no more to be repeated, and what is left
// to do.
func (a *advance) take(rest Happening) {
	a.acknowledged, a.kept, a.rest = a.run.clone(), len(a.out), &rest
}

// enterAt goes on at a step, and with its input.
func (a *advance) enterAt(step uint32, input command.Payload) error {
	a.output = input
	a.take(Happening{Kind: Enter, Step: step, Output: input})
	return a.walk(step)
}

// begin starts a new run at its first step.
func (a *advance) begin(h *Happening) error {
	r := a.run
	r.State, r.StartedMS, r.Step = Running, a.facts.NowMS(), uint32(a.First) //nolint:gosec // A step's number.
	if a.TimeoutMS > 0 {
		r.DueMS = r.StartedMS + a.TimeoutMS
		a.decide(Decision{Kind: SetTimer, Timer: TimerRun, DueMS: r.DueMS})
	}
	return a.enterAt(r.Step, h.Output)
}

// reenter begins a run that has ended again, at a step. What it has undone, or given up to
// undo, is not undone again.
func (a *advance) reenter(h *Happening) error {
	r := a.run
	if r.State != Succeeded && r.State != Running {
		r.Floor = r.Entries
	}
	r.State, r.Error, r.Incident, r.Goal, r.EndedMS = Running, nil, nil, 0, 0
	r.Paused, r.Holds, r.Undoing, r.UndoDead, r.Next, r.Undid, r.Left = false, false, nil, nil, 0, 0, 0
	r.Step, r.Items = h.Step, Items{Settled: true}
	if a.TimeoutMS > 0 {
		r.DueMS = a.facts.NowMS() + a.TimeoutMS
		a.decide(Decision{Kind: SetTimer, Timer: TimerRun, DueMS: r.DueMS})
	}
	return a.enterAt(h.Step, h.Output)
}

// walk enters a step, and goes on as long as nothing has to be waited for.
func (a *advance) walk(step uint32) error {
	for {
		if a.instant++; a.instant > MaxInstant {
			return &incident{Circle, fmt.Errorf("the run has passed %d steps that wait for nothing", MaxInstant)}
		}
		over, err := a.enter(step)
		if err != nil || !over {
			return err
		}
		next, goes, err := a.follow()
		if err != nil || !goes {
			return err
		}
		step = next
	}
}

// follow finds the edge that the run takes from its step, whose output it has; goes is
// false where the run ends.
func (a *advance) follow() (next uint32, goes bool, err error) {
	s := a.run.at(a.Definition)
	if len(s.Next) == 0 {
		return 0, false, a.succeed(s)
	}
	scope := a.scope(view{output: a.output, message: a.message})
	for i := range s.Next {
		edge := &s.Next[i]
		if edge.Max > 0 && a.run.loops(a.run.Step, uint32(i)) >= edge.Max {
			continue
		}
		if edge.When != nil {
			holds, err := edge.When.Bool(scope)
			if err != nil {
				return 0, false, err
			}
			if !holds {
				continue
			}
		}
		if edge.Max > 0 {
			a.run.loop(a.run.Step, uint32(i))
		}
		return uint32(edge.To), true, nil //nolint:gosec // A step's number.
	}
	return a.failed(CodeLoopExhausted, "no edge of step "+s.Name+" can be taken any more")
}

// stepOver ends the present step, whose output is known, and goes on.
func (a *advance) stepOver(output command.Payload) error {
	a.leave()
	a.output = output
	if a.needed[a.run.Step] {
		a.decide(Decision{Kind: KeepOutput, Step: a.run.Step, Data: output})
	}
	a.run.Items.Settled = true
	rest := Happening{Kind: Follow, Step: a.run.Step, Output: output}
	if a.message.Codec != command.CodecNone {
		rest.Part = 1
	}
	a.take(rest)
	return a.goOn()
}

// goOn follows the edges of a step that is over.
func (a *advance) goOn() error {
	next, goes, err := a.follow()
	if err != nil || !goes {
		return err
	}
	return a.walk(next)
}

// leave takes back what the present step waits for.
func (a *advance) leave() {
	r := a.run
	if r.StepDueMS != 0 {
		a.decide(Decision{Kind: ClearTimer, Timer: TimerStep, DueMS: r.StepDueMS})
		r.StepDueMS = 0
	}
	s := r.at(a.Definition)
	for part, due := range r.WaitDueMS {
		if due == 0 {
			continue
		}
		timer := TimerWait
		if s.Wait == nil {
			timer = TimerItems
		}
		a.decide(Decision{Kind: ClearTimer, Timer: timer, DueMS: due, Part: uint32(part)})
	}
	r.WaitDueMS = nil
	if s.Wait != nil {
		for i := range s.Wait.Parts {
			if s.Wait.Parts[i].Message != "" && r.Arrived&(1<<i) == 0 {
				a.decide(Decision{Kind: Unawait, Step: r.Step, Iteration: r.iteration(r.Step), Part: uint32(i)})
			}
		}
	}
	r.Arrived, r.Memo = 0, ""
}

// succeed ends a run at a step that leads nowhere.
func (a *advance) succeed(s *workflow.Step) error {
	result := a.output
	if s.Output != nil {
		value, err := s.Output.JSON(a.scope(view{output: a.output, message: a.message}))
		if err != nil {
			return err
		}
		result = jsonPayload(value)
	}
	a.end(Succeeded, result)
	return nil
}

// end ends the run.
func (a *advance) end(state State, result command.Payload) {
	r := a.run
	r.State, r.EndedMS, r.Incident = state, a.facts.NowMS(), nil
	if r.DueMS != 0 {
		a.decide(Decision{Kind: ClearTimer, Timer: TimerRun, DueMS: r.DueMS})
		r.DueMS = 0
	}
	kept := len(a.out)
	if err := a.act(a.Finally, view{output: result}); err != nil {
		a.out = a.out[:kept]
		if r.Error == nil {
			r.Error = &Error{Step: r.Step, Code: "finally_failed", Message: err.Error()}
		}
	}
	a.decide(Decision{Kind: End, Data: result})
}

// stick stops the run until an operator says how it goes on.
func (a *advance) stick(i Incident) {
	i.Was = a.run.State
	if a.run.State == Stuck {
		i.Was = a.run.Incident.Was
	}
	a.run.State, a.run.Incident = Stuck, &i
}
