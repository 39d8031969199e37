package play

import (
	"fmt"

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
	text := ""
	for _, unit := range []struct {
		ms   int64
		name string
	}{{86_400_000, "d"}, {3_600_000, "h"}, {60_000, "m"}, {1000, "s"}} {
		if count := ms / unit.ms; count > 0 {
			text += fmt.Sprint(count, unit.name)
			ms %= unit.ms
		}
	}
	return text
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
	words := map[engine.HappeningKind]string{
		engine.Done: "done", engine.Died: "failed for good", engine.Stopped: "stopped", engine.Granted: "granted",
		engine.Message: "got a message", engine.WaitDue: "timer", engine.StepDue: "step timeout", engine.ItemsDue: "map deadline",
		engine.Undone: "undone", engine.UndoDied: "could not be undone",
	}
	whole := map[engine.HappeningKind]string{
		engine.Began: "begins", engine.RunDue: "run timeout", engine.Cancel: "cancel", engine.Retry: "retry", engine.Skip: "skip", engine.GiveUp: "give up",
	}
	if word, found := whole[h.Kind]; found {
		p.note("%s %s", word, h.Output.Bytes)
		return
	}
	text := ""
	if h.Code != "" {
		text = " with " + h.Code
	}
	p.note("%s %s%s %s", p.nameOf(h.Step, h.Iteration, h.Item), words[h.Kind], text, h.Output.Bytes)
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
