package fsm

import (
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
)

// A dynamic step's worker says by what it emits which jobs there are next. They are of
// the same step, numbered on, and the step is over when none is left.

// dynamicOf tells whether what a job emits are jobs of its run's step, and what is wrong
// with them, empty where nothing is.
func (m *Machine) dynamicOf(j *job, c *command.Complete) (dynamic bool, wrong string) {
	if len(c.Emits) == 0 {
		return false, ""
	}
	step, r := m.dynamicStep(j)
	if step == nil {
		return false, ""
	}
	may := step.Dynamic
	for i := range c.Emits {
		if !slices.Contains(may.Allow, c.Emits[i].Channel) {
			return true, fmt.Sprintf("emit %d: step %s does not allow channel %s", i, step.Name, c.Emits[i].Channel)
		}
	}
	if may.MaxDepth > 0 && int(j.event.Task.Depth-r.Depth) >= may.MaxDepth {
		return true, fmt.Sprintf("step %s allows emits of emits %d deep", step.Name, may.MaxDepth)
	}
	if most := may.MaxEvents; most > 0 && int(r.Items.Total)+len(c.Emits) > most {
		return true, fmt.Sprintf("step %s allows %d events, %d were emitted before", step.Name, most, r.Items.Total)
	}
	return true, ""
}

// dynamicStep is the step that a job is of, if its run waits for what it emits.
func (m *Machine) dynamicStep(j *job) (*workflow.Step, *run) {
	t := m.runTask(j.cursor, j.event)
	if t == nil || t.Compensates {
		return nil, nil
	}
	program := m.stepOf(t)
	if program == nil || program.Steps[t.Step].Dynamic == nil {
		return nil, nil
	}
	r := m.runOf(t.Run)
	if r == nil || !r.Present(&engine.Happening{Step: t.Step, Iteration: t.Iteration}) {
		return nil, nil
	}
	return &program.Steps[t.Step], r
}

// spawn makes what a dynamic step's job emits jobs of the step, and returns how many.
func (m *Machine) spawn(j *job, c *command.Complete) (spawned uint32) {
	if len(c.Emits) == 0 {
		return 0
	}
	step, r := m.dynamicStep(j)
	if step == nil {
		return 0
	}
	t := j.event.Task
	t.Depth++
	for i := range c.Emits {
		spawned++
		t.Item = r.Items.Total + spawned
		c.Emits[i].Task = t
		c.Emits[i].IdempotencyKey = r.taskKey("", &engine.Decision{Step: t.Step, Iteration: t.Iteration, Item: t.Item})
	}
	return spawned
}
