package play

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/fsm/engine"
)

// length is a length of time in words that scripts know.
func length(ms int64) string {
	switch {
	case ms == 0:
		return "0s"
	case ms%1000 != 0:
		return fmt.Sprintf("%d.%03ds", ms/1000, ms%1000)
	}
	var text strings.Builder
	for _, unit := range []struct {
		ms   int64
		name string
	}{{86_400_000, "d"}, {3_600_000, "h"}, {60_000, "m"}, {1000, "s"}} {
		if count := ms / unit.ms; count > 0 {
			_, _ = fmt.Fprint(&text, count, unit.name)
			ms %= unit.ms
		}
	}
	return text.String()
}

func (p *player) note(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf("%8s  ", length(p.nowMS-beginMS))+fmt.Sprintf(format, args...))
}

// tell notes what became of a job's attempt that the run does not hear of.
func (p *player) tell(what string, j *job, code string) {
	if code != "" {
		code = " with " + code
	}
	p.note("%s %s%s, attempt %d", p.nameOf(j.step, j.iteration, j.item), what, code, j.granted)
}

// nameOf is a job's name: its step, with the iteration and the item where it has some.
func (p *player) nameOf(step, iteration, item uint32) string {
	name := p.program.Steps[step].Name
	if iteration > 0 || item > 0 {
		name += fmt.Sprint("/", iteration)
	}
	if item > 0 {
		name += fmt.Sprint("/", item-1)
	}
	return name
}

func (p *player) traceHappening(h *engine.Happening) {
	word, ofStep := wordOf(h.Kind)
	if h.Code != "" {
		word += " with " + h.Code
	}
	if ofStep {
		word = p.nameOf(h.Step, h.Iteration, h.Item) + " " + word
	}
	p.note("%s %s", word, h.Output.Bytes)
}

// wordOf is what happened in a word, and whether it happened to a step.
func wordOf(kind engine.HappeningKind) (word string, ofStep bool) {
	switch kind { //nolint:exhaustive // The others are of the whole run.
	case engine.Died:
		return "failed for good", true
	case engine.Stopped:
		return "stopped", true
	case engine.Granted:
		return "granted", true
	case engine.Message:
		return "got a message", true
	case engine.WaitDue:
		return "timer", true
	case engine.StepDue:
		return "step timeout", true
	case engine.ItemsDue:
		return "map deadline", true
	case engine.Undone:
		return "undone", true
	case engine.UndoDied:
		return "could not be undone", true
	case engine.Done:
		return "done", true
	default:
		return wordOfRun(kind), false
	}
}

// wordOfRun is wordOf for what happens to the whole run.
func wordOfRun(kind engine.HappeningKind) string {
	switch kind { //nolint:exhaustive // Nobody pauses a run that is played.
	case engine.RunDue:
		return "run timeout"
	case engine.Cancel:
		return "cancel"
	case engine.Retry:
		return "retry"
	case engine.Skip:
		return "skip"
	case engine.GiveUp:
		return "give up"
	default:
		return "begins"
	}
}

func (p *player) traceRun() {
	r := p.run
	p.note("  %s at %s%s", r.State, p.program.Steps[r.Step].Name, because(r))
}

func (p *player) traceDecision(d *engine.Decision) {
	name := p.nameOf(d.Step, d.Iteration, d.Item)
	switch d.Kind { //nolint:exhaustive // The others say nothing to a reader.
	case engine.Visited:
		p.note("  comes to %s", name)
	case engine.StartJob:
		p.note("  starts %s in %s %s", name, d.Channel, d.Data.Bytes)
	case engine.StartChild:
		p.note("  calls %s %s", d.Name, d.Data.Bytes)
	case engine.StartUndo:
		p.note("  undoes %s in %s %s", name, d.Channel, d.Data.Bytes)
	case engine.RedriveJob:
		p.note("  retries %s", name)
	case engine.Register:
		p.note("  %s can be undone with %s", name, d.Data.Bytes)
	case engine.Forget:
		p.note("  forgets what was to undo")
	case engine.Emit:
		p.note("  emits in %s %s", d.Channel, d.Data.Bytes)
	case engine.Notify:
		p.note("  notifies %s of %s %s", d.Client, d.Name, d.Data.Bytes)
	case engine.End:
		p.note("  ends %s", d.Data.Bytes)
	}
}
