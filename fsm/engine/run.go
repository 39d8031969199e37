package engine

import (
	"slices"

	"github.com/batonmq/baton/fsm/workflow"
)

// State is where a run stands. Numbers are for ever: they are kept in state.
type State uint8

// The states of a run. Those from Succeeded on are ends.
const (
	Running              State = 1
	Canceling            State = 2
	Compensating         State = 3
	Stuck                State = 4
	Succeeded            State = 5
	Failed               State = 6
	Canceled             State = 7
	Compensated          State = 8
	PartiallyCompensated State = 9
)

// String is the state's word in the public protocol.
func (s State) String() string {
	switch s {
	case Running:
		return "running"
	case Canceling:
		return "canceling"
	case Compensating:
		return "compensating"
	case Stuck:
		return "incident"
	case Succeeded:
		return "succeeded"
	case Failed:
		return "failed"
	case Canceled:
		return "canceled"
	case Compensated:
		return "compensated"
	case PartiallyCompensated:
		return "partially_compensated"
	default:
		return "unknown"
	}
}

// Ended tells whether nothing happens to the run any more.
func (s State) Ended() bool { return s >= Succeeded }

// Run is what is kept of a run between two happenings.
type Run struct {
	State State
	// Paused means that no further step begins. Held is the step that waits to, where
	// Holds says that one does.
	Paused bool
	Holds  bool
	Held   uint32
	// Step is where the run stands.
	Step uint32
	// Visits count how often it came to a step, Loops how often it took an edge back;
	// both ascending, those that it never did left out.
	Visits []Visit
	Loops  []Loop
	// Vars are the variables that were set, by name in ascending order.
	Vars  []Var
	Usage Usage
	// Live counts the jobs, and child runs, that have not ended.
	Live uint32
	// Items is the map, or the dynamic scope, of the present step.
	Items Items
	// Arrived are the parts of a wait that have come, a bit each.
	Arrived uint64
	// StepDueMS and WaitDueMS are when timers of the present step fire, 0 for none;
	// WaitDue has one for each part of a wait that is a timer.
	StepDueMS int64
	WaitDueMS []int64
	DueMS     int64
	// Error is what went wrong last: what on_failure, finally and the result tell of.
	Error *Error
	// Goal is the end that a run is on its way to while it cancels or compensates.
	Goal State
	// Incident is what an operator has to decide, with Stuck.
	Incident *Incident
	// Entries counts the compensations that were registered ever; they are numbered from
	// 1. Undoing are those that are being carried out; Undid counts those that were, Left
	// those that were given up.
	Entries, Undid, Left uint32
	Undoing              []uint32
	// UndoDead are those of them that have failed for good while an incident was open
	// about another.
	UndoDead []uint32
	// Floor is the number up to which entries are discarded, by a pivot or for a cancel that
	// undoes nothing; Next the one that is looked at next while the run compensates, counted
	// down.
	Floor, Next uint32
	// Memo is the key under which the present step's result is kept.
	Memo string
	// Depth is how many calls led to the run.
	Depth uint32
	// StartedMS and EndedMS are Unix times in milliseconds.
	StartedMS, EndedMS int64
}

// Visit is how often a run came to a step.
type Visit struct{ Step, Count uint32 }

// Loop is how often a run took an edge back.
type Loop struct{ Step, Edge, Count uint32 }

// Var is a variable with its JSON.
type Var struct {
	Name  string
	Value []byte
}

// Usage is what workers said that their jobs used.
type Usage struct {
	// Steps counts the steps that were begun.
	Steps  uint64
	Tokens uint64
	// MicroCost is in millionths of what cost is counted in.
	MicroCost uint64
}

// Items counts a map's items.
type Items struct {
	Total, Started, Succeeded, Failed uint32
	// Settled means that the map is over, though some of its jobs may go on.
	Settled bool
}

// Error is why a run failed.
type Error struct {
	Step          uint32
	Code, Message string
}

// Incident is why a run is stuck. What happened is kept beside the run where Pending
// says so: a retry goes on from there.
type Incident struct {
	Kind    IncidentKind
	Step    uint32
	Item    uint32
	Message string
	Pending bool
	// Was is the state that the run was in.
	Was State
}

// IncidentKind says what stopped a run. Numbers are for ever.
type IncidentKind uint8

// The kinds of incidents.
const (
	// StepFailed: a step has failed for good.
	StepFailed IncidentKind = 1
	// BadExpression: an expression could not be evaluated.
	BadExpression IncidentKind = 2
	// UndoFailed: a compensation has failed for good.
	UndoFailed IncidentKind = 3
	// WaiterConflict: another run waits for the same message.
	WaiterConflict IncidentKind = 4
	// Circle: the run goes in a circle that waits for nothing.
	Circle IncidentKind = 5
)

// String is the kind's word in the public protocol.
func (k IncidentKind) String() string {
	switch k {
	case StepFailed:
		return "step_failed"
	case BadExpression:
		return "expression"
	case UndoFailed:
		return "compensation_failed"
	case WaiterConflict:
		return "waiter_conflict"
	case Circle:
		return "endless_circle"
	default:
		return "unknown"
	}
}

// iteration is the number of the present visit of a step, from 0.
func (r *Run) iteration(step uint32) uint32 {
	for _, v := range r.Visits {
		if v.Step == step {
			return v.Count - 1
		}
	}
	return 0
}

func (r *Run) visit(step uint32) {
	at, found := slices.BinarySearchFunc(r.Visits, step, func(v Visit, step uint32) int { return int(v.Step) - int(step) })
	if found {
		r.Visits[at].Count++
		return
	}
	r.Visits = slices.Insert(r.Visits, at, Visit{Step: step, Count: 1})
}

// loops is how often an edge back was taken.
func (r *Run) loops(step, edge uint32) int {
	for _, l := range r.Loops {
		if l.Step == step && l.Edge == edge {
			return int(l.Count)
		}
	}
	return 0
}

func (r *Run) loop(step, edge uint32) {
	for i := range r.Loops {
		if r.Loops[i].Step == step && r.Loops[i].Edge == edge {
			r.Loops[i].Count++
			return
		}
	}
	r.Loops = append(r.Loops, Loop{step, edge, 1})
	slices.SortFunc(r.Loops, func(a, b Loop) int {
		if a.Step != b.Step {
			return int(a.Step) - int(b.Step)
		}
		return int(a.Edge) - int(b.Edge)
	})
}

func (r *Run) set(name string, value []byte) {
	at, found := slices.BinarySearchFunc(r.Vars, name, func(v Var, name string) int {
		switch {
		case v.Name < name:
			return -1
		case v.Name > name:
			return 1
		default:
			return 0
		}
	})
	if found {
		r.Vars[at].Value = value
		return
	}
	r.Vars = slices.Insert(r.Vars, at, Var{name, value})
}

// clone is a copy that shares nothing that changes.
func (r *Run) clone() *Run {
	c := *r
	c.Visits, c.Loops, c.Vars = slices.Clone(r.Visits), slices.Clone(r.Loops), slices.Clone(r.Vars)
	c.WaitDueMS, c.Undoing, c.UndoDead = slices.Clone(r.WaitDueMS), slices.Clone(r.Undoing), slices.Clone(r.UndoDead)
	if r.Error != nil {
		e := *r.Error
		c.Error = &e
	}
	if r.Incident != nil {
		i := *r.Incident
		c.Incident = &i
	}
	return &c
}

// at is the step that the run stands at.
func (r *Run) at(def *workflow.Definition) *workflow.Step { return &def.Steps[r.Step] }
