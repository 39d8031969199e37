package engine

import (
	"strings"

	"github.com/batonmq/baton/fsm/workflow"
)

// Program is a definition with what the engine has found out of it. It does not change.
type Program struct {
	*workflow.Definition

	// needed are the steps whose outputs expressions read.
	needed []bool
	byName map[string]uint32
}

// NewProgram prepares a definition.
func NewProgram(def *workflow.Definition) *Program {
	p := &Program{Definition: def, needed: make([]bool, len(def.Steps)), byName: make(map[string]uint32, len(def.Steps))}
	for i := range def.Steps {
		p.byName[def.Steps[i].Name] = uint32(i)
	}
	p.visit(p.need)
	return p
}

// Find is the number of a step by its name.
func (p *Program) Find(name string) (step uint32, found bool) {
	step, found = p.byName[name]
	return step, found
}

func (p *Program) need(e *workflow.Expr) {
	if e == nil {
		return
	}
	for _, ref := range e.Refs() {
		name, found := strings.CutPrefix(ref, "steps/")
		if at, known := p.byName[name]; found && known {
			p.needed[at] = true
		}
	}
}

// visit calls fn for every expression; it may be nil.
func (p *Program) visit(fn func(*workflow.Expr)) {
	for i := range p.Steps {
		visitStep(&p.Steps[i], fn)
	}
	for i := range p.Limits {
		fn(p.Limits[i].Key)
	}
	visitActions(p.Finally, fn)
}

func visitStep(s *workflow.Step, fn func(*workflow.Expr)) {
	fn(s.Input)
	fn(s.Output)
	for i := range s.Next {
		fn(s.Next[i].When)
	}
	if s.Map != nil {
		fn(s.Map.Over)
	}
	for i := range s.Uses {
		for j := range s.Uses[i].Costs {
			fn(s.Uses[i].Costs[j].Amount)
		}
	}
	if s.Compensation != nil {
		fn(s.Compensation.Input)
	}
	if s.Memo != nil {
		fn(s.Memo.Key)
	}
	if s.Wait != nil {
		for i := range s.Wait.Parts {
			part := &s.Wait.Parts[i]
			fn(part.Key)
			fn(part.Until)
			fn(part.After)
		}
	}
	if s.Call != nil {
		fn(s.Call.Key)
	}
	if s.Error != nil {
		fn(s.Error.Message)
	}
	visitActions(s.Actions, fn)
}

func visitActions(actions []workflow.Action, fn func(*workflow.Expr)) {
	for i := range actions {
		switch action := &actions[i]; {
		case action.Emit != nil:
			fn(action.Emit.Data)
			fn(action.Emit.Key)
			fn(action.Emit.Client)
		case action.Notify != nil:
			fn(action.Notify.Client)
			fn(action.Notify.Data)
		case action.Set != nil:
			fn(action.Set.Value)
		}
	}
}
