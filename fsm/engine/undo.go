package engine

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

func (a *advance) undo(number uint32, entry *Entry) {
	c := a.Steps[entry.Step].Compensation
	a.decide(Decision{
		Kind: StartUndo, Entry: number, Step: entry.Step, Iteration: entry.Iteration, Item: entry.Item,
		Channel: c.Channel, Data: entry.Input, Unknown: entry.Unknown,
	})
	a.run.Undoing = append(a.run.Undoing, number)
}

// undoEnded goes on after a compensation, or stops there, as the definition says.
func (a *advance) undoEnded(h *Happening) error {
	r := a.run
	at := slices.Index(r.Undoing, h.Entry)
	if at < 0 {
		return nil
	}
	if h.Kind == Undone {
		r.Undoing = slices.Delete(r.Undoing, at, at+1)
		r.Undid++
		r.Usage.add(h.Usage)
		return a.afterUndo()
	}
	switch a.OnHandlerFailure { //nolint:exhaustive // The default is an incident.
	case workflow.HandlerContinue:
		r.Undoing = slices.Delete(r.Undoing, at, at+1)
		r.Left++
		return a.afterUndo()
	case workflow.HandlerAbort:
		r.Undoing, r.Next = slices.Delete(r.Undoing, at, at+1), r.Floor+1
		r.Left++
		return a.afterUndo()
	default:
		if r.State == Stuck {
			r.UndoDead = append(r.UndoDead, h.Entry)
			return nil
		}
		a.stick(Incident{Kind: UndoFailed, Step: h.Step, Item: h.Entry, Message: h.Code + ": " + h.Message})
		return nil
	}
}

// afterUndo goes on with the next entry, unless the run is stuck at another.
func (a *advance) afterUndo() error {
	if a.run.State == Stuck {
		return nil
	}
	return a.drained()
}

// resolveUndo is resolve for a compensation that has failed for good.
func (a *advance) resolveUndo(h *Happening, i *Incident) error {
	r := a.run
	switch h.Kind { //nolint:exhaustive // An operator has three words.
	case Retry:
		a.undoAgain(i.Item, h.Output)
		return a.nextDead()
	case Skip:
		if h.Output.Codec == command.CodecNone {
			r.Left++
		} else {
			r.Undid++
		}
		return a.endUndo(i.Item)
	default:
		for _, number := range r.UndoDead {
			r.Undoing = remove(r.Undoing, number)
			r.Left++
		}
		r.UndoDead = nil
		r.Left++
		r.Next = r.Floor + 1
		return a.endUndo(i.Item)
	}
}

// undoAgain puts a compensation back in line, or carries it out anew where its job is not
// there any more.
func (a *advance) undoAgain(number uint32, input command.Payload) {
	entry, _ := a.facts.Entry(number)
	d := Decision{
		Kind: RedriveJob, Entry: number, Step: entry.Step, Iteration: entry.Iteration, Item: entry.Item, Data: input,
	}
	if !a.facts.DeadUndo(number) {
		d.Kind, d.Channel, d.Unknown = StartUndo, a.Steps[entry.Step].Compensation.Channel, entry.Unknown
		if input.Codec == command.CodecNone {
			d.Data = entry.Input
		}
	}
	a.decide(d)
}

func (a *advance) endUndo(entry uint32) error {
	a.run.Undoing = remove(a.run.Undoing, entry)
	return a.nextDead()
}

// nextDead goes on, unless there is another compensation that has failed for good.
func (a *advance) nextDead() error {
	r := a.run
	if len(r.UndoDead) == 0 {
		return a.drained()
	}
	entry, _ := a.facts.Entry(r.UndoDead[0])
	a.stick(Incident{Kind: UndoFailed, Step: entry.Step, Item: r.UndoDead[0], Message: "it failed while another waited for an operator"})
	r.UndoDead = r.UndoDead[1:]
	return nil
}

func remove(from []uint32, number uint32) []uint32 {
	return slices.DeleteFunc(from, func(of uint32) bool { return of == number })
}

// entry is a compensation's entry: of this happening, or kept before.
func (a *advance) entry(number uint32) (Entry, bool) {
	for i := range a.out {
		if d := &a.out[i]; d.Kind == Register && d.Entry == number {
			return Entry{Step: d.Step, Iteration: d.Iteration, Item: d.Item, Unknown: d.Unknown, Input: d.Data}, true
		}
	}
	entry, found := a.facts.Entry(number)
	for i := range a.out {
		// One that was registered with the grant gives way to what is known now.
		if d := &a.out[i]; found && entry.Unknown && d.Kind == Register && d.Step == entry.Step && d.Iteration == entry.Iteration && d.Item == entry.Item {
			return Entry{}, false
		}
	}
	return entry, found
}
