package engine

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// enter begins a step; over means that it is done already, and a.output its output.
func (a *advance) enter(step uint32) (over bool, err error) {
	r := a.run
	if r.Paused {
		r.Holds, r.Held = true, step
		a.decide(Decision{Kind: KeepHeld, Data: a.output})
		return false, nil
	}
	s := &a.Steps[step]
	r.Step = step
	r.visit(step)
	r.Usage.Steps++
	a.decide(Decision{Kind: Visited, Step: step, Iteration: r.iteration(step)})
	r.Items, r.Arrived, r.Memo = Items{}, 0, ""
	if what := a.overBudget(); what != "" {
		return false, a.stepFailed(CodeBudgetExceeded, "the run has used up its budget of "+what)
	}
	if a.begunAgain(s) {
		a.decide(Decision{Kind: KeepHeld, Data: a.output})
	}
	a.setStepTimer(s)
	switch s.Kind {
	case workflow.Task:
		return a.enterTask(s)
	case workflow.Wait:
		return false, a.enterWait(s)
	case workflow.Call:
		return a.enterCall(s)
	case workflow.Act:
		return true, a.enterAct(s)
	case workflow.Fail:
		return false, a.enterFail(s)
	default:
		return false, fmt.Errorf("a step of kind %d is not known to this build", s.Kind)
	}
}

// begunAgain tells whether a step's input is needed after its begin: for items that start
// later, or because an operator may have it begin anew.
func (a *advance) begunAgain(s *workflow.Step) bool {
	return s.Kind == workflow.Wait || s.Map != nil || a.OnFailure == workflow.Incident && (s.Kind == workflow.Task || s.Kind == workflow.Call)
}

// setStepTimer bounds how long the present step may take from now on.
func (a *advance) setStepTimer(s *workflow.Step) {
	r := a.run
	if s.TimeoutMS > 0 {
		r.StepDueMS = a.facts.NowMS() + s.TimeoutMS
		a.decide(Decision{Kind: SetTimer, Timer: TimerStep, DueMS: r.StepDueMS, Step: r.Step, Iteration: r.iteration(r.Step)})
	}
}

// overBudget says which part of its budget the run has used up, empty for none.
func (a *advance) overBudget() string {
	used, may := &a.run.Usage, &a.Budget
	switch {
	case may.Steps > 0 && used.Steps > uint64(may.Steps):
		return "steps"
	case may.Tokens > 0 && used.Tokens >= uint64(may.Tokens):
		return "tokens"
	case may.MicroCost > 0 && used.MicroCost >= uint64(may.MicroCost):
		return "cost"
	default:
		return ""
	}
}

func (a *advance) enterTask(s *workflow.Step) (over bool, err error) {
	if s.Map != nil {
		return a.enterMap(s)
	}
	if s.Memo != nil {
		key, err := s.Memo.Key.JSON(a.scope(view{output: a.output}))
		if err != nil {
			return false, err
		}
		a.run.Memo = string(key)
		if kept, found := a.facts.Memo(a.run.Memo); found {
			a.passOver(kept)
			return true, nil
		}
	}
	item := uint32(0)
	if s.Dynamic != nil {
		a.run.Items = Items{Total: 1, Started: 1}
		a.decide(Decision{Kind: KeepItems, Step: a.run.Step}) // Forgets those of a step before.
		item = 1
	}
	return false, a.startJob(s, item, view{output: a.output})
}

// passOver ends a step as it is entered.
func (a *advance) passOver(output command.Payload) {
	a.leave()
	a.output = output
	if a.needed[a.run.Step] {
		a.decide(Decision{Kind: KeepOutput, Step: a.run.Step, Data: output})
	}
}

// startJob stores the job of a step, or of one item of it.
func (a *advance) startJob(s *workflow.Step, item uint32, v view) error {
	input := v.output
	if v.item != nil {
		input = jsonPayload(v.item)
	}
	scope := a.scope(v)
	if s.Input != nil {
		value, err := s.Input.JSON(scope)
		if err != nil {
			return err
		}
		input = jsonPayload(value)
	}
	uses, err := a.uses(s, scope)
	if err != nil {
		return err
	}
	a.decide(Decision{
		Kind: StartJob, Step: a.run.Step, Iteration: a.run.iteration(a.run.Step), Item: item,
		Channel: s.Channel, Data: input, Uses: uses, Priority: uint32(s.Priority), //nolint:gosec // 0 to 9.
	})
	a.run.Live++
	return nil
}

// uses are the limits that a job takes part in.
func (a *advance) uses(s *workflow.Step, scope *workflow.Scope) ([]command.Use, error) {
	if len(s.Uses) == 0 {
		return nil, nil
	}
	uses := make([]command.Use, 0, len(s.Uses))
	for i := range s.Uses {
		limit := &a.Limits[s.Uses[i].Limit]
		use := command.Use{
			Limit: limit.Name, Adaptive: limit.Adaptive,
			MaxInFlight: uint32(limit.MaxInFlight), MinInFlight: uint32(limit.MinInFlight), //nolint:gosec // Checked when it was deployed.
		}
		if limit.Key != nil {
			key, err := limit.Key.Text(scope)
			if err != nil {
				return nil, err
			}
			use.Key = key
		}
		for _, rate := range limit.Rates {
			use.Rates = append(use.Rates, command.UseRate{Unit: rate.Unit, Count: uint64(rate.Count), PerMS: uint64(rate.PerMS)}) //nolint:gosec // Not negative.
		}
		for _, cost := range s.Uses[i].Costs {
			amount, err := cost.Amount.Int(scope)
			if err != nil {
				return nil, err
			}
			use.Costs = append(use.Costs, command.UseCost{Unit: cost.Unit, Amount: uint64(max(amount, 0))})
		}
		uses = append(uses, use)
	}
	return uses, nil
}

func (a *advance) enterCall(s *workflow.Step) (over bool, err error) {
	if a.run.Depth >= MaxDepth {
		return false, a.stepFailed(CodeTooDeep, fmt.Sprintf("calls lead to calls more than %d deep", MaxDepth))
	}
	scope := a.scope(view{output: a.output})
	d := Decision{
		Kind: StartChild, Step: a.run.Step, Iteration: a.run.iteration(a.run.Step),
		Name: s.Call.Workflow, Alias: s.Call.Alias, Data: a.output, Detach: s.Call.Detach,
	}
	if s.Input != nil {
		value, wrong := s.Input.JSON(scope)
		if wrong != nil {
			return false, wrong
		}
		d.Data = jsonPayload(value)
	}
	if s.Call.Key != nil {
		if d.Key, err = s.Call.Key.Text(scope); err != nil {
			return false, err
		}
	}
	a.decide(d)
	if s.Call.Detach {
		a.passOver(a.output)
		return true, nil
	}
	a.run.Live++
	return false, nil
}

func (a *advance) enterAct(s *workflow.Step) error {
	if err := a.act(s.Actions, view{output: a.output, message: a.message}); err != nil {
		return err
	}
	a.passOver(a.output)
	return nil
}

// act emits, notifies and sets.
func (a *advance) act(actions []workflow.Action, v view) error {
	for i := range actions {
		if err := a.actOne(&actions[i], v); err != nil {
			return err
		}
	}
	return nil
}

func (a *advance) actOne(action *workflow.Action, v view) error {
	scope := a.scope(v) // What was set a moment ago is seen.
	switch {
	case action.Emit != nil:
		return a.emit(action.Emit, scope, v)
	case action.Notify != nil:
		return a.notify(action.Notify, scope, v)
	default:
		value, err := action.Set.Value.JSON(scope)
		if err != nil {
			return err
		}
		a.run.set(action.Set.Name, value)
		return nil
	}
}

func (a *advance) emit(e *workflow.Emit, scope *workflow.Scope, v view) error {
	d := Decision{Kind: Emit, Channel: e.Channel, Data: v.output, DelayMS: uint64(max(e.DelayMS, 0)), Step: a.run.Step}
	for _, text := range []struct {
		of   *workflow.Expr
		into *string
	}{{e.Key, &d.Key}, {e.Client, &d.Client}} {
		if text.of == nil {
			continue
		}
		value, err := text.of.Text(scope)
		if err != nil {
			return err
		}
		*text.into = value
	}
	if e.Data != nil {
		value, err := e.Data.JSON(scope)
		if err != nil {
			return err
		}
		d.Data = jsonPayload(value)
	}
	a.decide(d)
	return nil
}

func (a *advance) notify(n *workflow.Notify, scope *workflow.Scope, v view) error {
	d := Decision{Kind: Notify, Name: n.Name, Data: v.output, Step: a.run.Step}
	if n.Client != nil {
		client, err := n.Client.Text(scope)
		if err != nil {
			return err
		}
		d.Client = client
	}
	if n.Data != nil {
		value, err := n.Data.JSON(scope)
		if err != nil {
			return err
		}
		d.Data = jsonPayload(value)
	}
	a.decide(d)
	return nil
}

func (a *advance) enterFail(s *workflow.Step) error {
	message := ""
	if s.Error.Message != nil {
		text, err := s.Error.Message.Text(a.scope(view{output: a.output, message: a.message}))
		if err != nil {
			return err
		}
		message = text
	}
	return a.fail(s.Error.Code, message)
}
