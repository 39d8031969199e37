package engine

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// enterMap begins with the first items of a map.
func (a *advance) enterMap(s *workflow.Step) (over bool, err error) {
	r := a.run
	list, err := s.Map.Over.List(a.scope(view{output: a.output}))
	if err != nil {
		return false, err
	}
	if len(list) > workflow.MaxMapItems {
		return false, fmt.Errorf("the map is over %d items, %d are allowed", len(list), workflow.MaxMapItems)
	}
	r.Items.Total = uint32(len(list)) //nolint:gosec // Bounded by MaxMapItems.
	if len(list) == 0 {
		a.passOver(jsonPayload([]byte("[]")))
		return true, nil
	}
	a.decide(Decision{Kind: KeepItems, Step: r.Step, List: list})
	if s.Map.DeadlineMS > 0 {
		due := a.facts.NowMS() + s.Map.DeadlineMS
		r.WaitDueMS = []int64{due}
		a.decide(Decision{Kind: SetTimer, Timer: TimerItems, DueMS: due, Step: r.Step, Iteration: r.iteration(r.Step)})
	}
	return false, a.startItems(s, list)
}

// startItems starts as many items as may run side by side. list are the items where
// they are new, else they are asked for.
func (a *advance) startItems(s *workflow.Step, list [][]byte) error {
	items, input := &a.run.Items, a.output
	if list == nil && items.Started < items.Total {
		input = a.facts.Held()
	}
	for items.Started < items.Total && !a.run.Paused && (s.Map.MaxParallel == 0 || int(items.Started-items.Succeeded-items.Failed) < s.Map.MaxParallel) {
		items.Started++
		var item []byte
		if list != nil {
			item = list[items.Started-1]
		} else {
			item = a.facts.Item(items.Started)
		}
		if err := a.startJob(s, items.Started, view{output: input, item: item, index: items.Started}); err != nil {
			return err
		}
	}
	return nil
}

// itemEnded takes note of what came of an item, with an error's code where it failed,
// and goes on.
func (a *advance) itemEnded(s *workflow.Step, h *Happening, code string) error {
	if !h.Again {
		a.keepItem(h, code)
		again := *h
		again.Again, again.Code = true, code
		a.take(again)
	}
	if s.Map == nil {
		return a.dynamicEnded(h, code)
	}
	return a.joined(s, h)
}

func (a *advance) keepItem(h *Happening, code string) {
	a.decide(Decision{Kind: KeepItem, Step: h.Step, Item: h.Item, Data: h.Output, Code: code})
	if code == "" {
		a.run.Items.Succeeded++
	} else {
		a.run.Items.Failed++
	}
}

// dynamicEnded goes on with a dynamic step when nothing that it emitted is left.
func (a *advance) dynamicEnded(h *Happening, code string) error {
	items := &a.run.Items
	switch {
	case code != "":
		a.stopAll()
		return a.stepFailed(code, h.Message)
	case items.Succeeded == items.Total:
		return a.listOver(nil, h)
	case items.Succeeded+items.Failed == items.Total: // One failed while the run was stuck.
		return a.stepFailed(CodeCanceled, a.failedItems(h))
	default:
		return nil
	}
}

// joined goes on with a map as its join says.
func (a *advance) joined(s *workflow.Step, h *Happening) error {
	items, m := &a.run.Items, s.Map
	over, failed := items.verdict(m)
	switch {
	case failed && a.OnFailure == workflow.Incident && len(s.Catch) == 0 && items.Succeeded+items.Failed < items.Started:
		return nil // What runs is not stopped: an operator may have the failed items tried again.
	case failed:
		a.stopAll()
		return a.stepFailed(CodeMapFailed, a.failedItems(h))
	case over:
		return a.listOver(m, h)
	default:
		return a.startItems(s, nil)
	}
}

// failedItems says how many items have failed, and why the first did.
func (a *advance) failedItems(h *Happening) string {
	items := &a.run.Items
	text := fmt.Sprintf("%d of %d items failed", items.Failed, items.Total)
	for item := uint32(1); item <= items.Started; item++ {
		if _, code, found := a.itemOutput(item, h); found && code != "" {
			return fmt.Sprintf("%s, item %d with %s", text, item-1, code)
		}
	}
	return text
}

// verdict is whether a map is over, well or badly.
func (i *Items) verdict(m *workflow.Map) (over, failed bool) {
	all := i.Succeeded+i.Failed == i.Total
	switch m.Join { //nolint:exhaustive // The default is all of them.
	case workflow.JoinAny:
		return i.Succeeded > 0, i.Failed == i.Total
	case workflow.JoinN:
		n := min(uint32(m.N), i.Total) //nolint:gosec // At least 1.
		return i.Succeeded >= n, i.Total-i.Failed < n
	case workflow.JoinSettled:
		return all, false
	default:
		tolerated := max(uint32(m.TolerateCount), i.Total*uint32(m.TolerateShare)/10_000) //nolint:gosec // Not negative.
		return all, i.Failed > tolerated
	}
}

// listOver ends a map, or a dynamic step, with the list of what came of its items.
func (a *advance) listOver(m *workflow.Map, h *Happening) error {
	a.stopAll()
	settled := m != nil && m.Join == workflow.JoinSettled
	b := []byte{'['}
	for item := uint32(1); item <= a.run.Items.Total; item++ {
		output, code, found := a.itemOutput(item, h)
		value := []byte("null")
		if found && code == "" {
			value = jsonOf(output)
		}
		if m == nil && (!found || output.Codec == command.CodecNone) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendItem(b, settled, found, code, value)
		if len(b) > MaxListBytes {
			return fmt.Errorf("the outputs of the items come to more than %d bytes", MaxListBytes)
		}
	}
	return a.stepOver(jsonPayload(append(b, ']')))
}

func appendItem(b []byte, settled, found bool, code string, value []byte) []byte {
	switch {
	case !settled:
		return append(b, value...)
	case !found:
		return append(b, `{"status":"not_started"}`...)
	case code != "":
		return append(append(append(b, `{"status":"failed","code":`...), quoted(code)...), '}')
	default:
		return append(append(append(b, `{"status":"succeeded","output":`...), value...), '}')
	}
}

// itemOutput is what came of an item: with this happening, or before.
func (a *advance) itemOutput(item uint32, h *Happening) (command.Payload, string, bool) {
	for i := range a.out {
		if d := &a.out[i]; d.Kind == KeepItem && d.Item == item {
			return d.Data, d.Code, true
		}
	}
	if h != nil && h.Item == item && h.Kind == Done {
		return h.Output, "", true
	}
	return a.facts.ItemOutput(item)
}

// itemsDue ends a map at its deadline, with what there is.
func (a *advance) itemsDue(h *Happening) error {
	r := a.run
	s := &a.Steps[h.Step]
	if r.State != Running || r.Step != h.Step || r.iteration(r.Step) != h.Iteration || s.Map == nil || len(r.WaitDueMS) == 0 {
		return nil
	}
	r.WaitDueMS = nil
	a.stopAll()
	missing := r.Items
	missing.Failed = missing.Total - missing.Succeeded
	if _, failed := missing.verdict(s.Map); failed {
		return a.stepFailed(CodeMapDeadline, fmt.Sprintf("%d of %d items were done at the map's deadline", r.Items.Succeeded, r.Items.Total))
	}
	r.Items.Settled = true
	return a.listOver(s.Map, nil)
}
