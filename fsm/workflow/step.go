package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// allSteps reads the steps. Their names are known before the first is read, since edges and
// expressions name those that come later.
func (p *reader) allSteps(d *Definition, v value, whole *fields) {
	if v.kind == kindObject && len(v.entries) == 0 {
		p.report(v, "there are no steps", "")
	}
	entries := p.members(v, MaxSteps)
	if len(entries) == 0 {
		return
	}
	for _, e := range entries {
		p.steps = append(p.steps, e.key.text)
	}
	first := v.entries[0].key.text
	p.links = make([][]link, len(entries))
	d.First, _ = slices.BinarySearch(p.steps, first)
	if named, found := whole.get("first"); found {
		d.First = max(0, p.step(named))
	}
	for i, e := range entries {
		s := p.oneStep(i, v.at(e), d.Limits)
		s.Name = e.key.text
		if p.lined {
			s.Line = e.key.line
		}
		d.Steps = append(d.Steps, s)
	}
	p.checkGraph(d.First, v, entries)
}

// step reads a step's name into its number. For one that there is not, it is that of the
// step that may be meant, so that no other problems follow from a slip of the pen; or -1.
func (p *reader) step(v value) int {
	name, ok := p.scalar(v, "the name of a step")
	if !ok {
		p.lost = true
		return -1
	}
	if at, found := slices.BinarySearch(p.steps, name); found {
		return at
	}
	meant, suggestion := p.guess(name, p.steps)
	p.report(v, fmt.Sprintf("there is no step %s", quoted(name)), suggestion)
	if meant == "" {
		p.lost = true
		return -1
	}
	at, _ := slices.BinarySearch(p.steps, meant)
	return at
}

func (p *reader) oneStep(number int, v value, limits []Limit) Step {
	f := p.shaped(v, &p.grammar.step)
	var s Step
	s.Kind = p.kindOf(f)
	p.checkKeys(f, s.Kind)
	optional(f, "description", p.text)
	s.TimeoutMS = optional(f, "timeout", p.stepTimeout)
	p.inMap = f.has("map")
	s.Input = optional(f, "input", p.perJob(anyResult))
	switch s.Kind {
	case Task:
		p.task(&s, f, limits)
	case Wait:
		s.Wait = optional(f, "wait", p.waiting)
	case Call:
		s.Call = optional(f, "call", p.calling)
	case Act:
		s.Actions = p.actions(f)
	case Fail:
		s.Error = optional(f, "fail", p.failure)
	}
	p.edges(&s, f, number)
	return s
}

func (p *reader) stepTimeout(v value) int64 {
	ms := p.duration(v)
	if p.timeoutMS > 0 && ms > p.timeoutMS {
		p.report(v, fmt.Sprintf("the step's timeout is longer than the workflow's, %s", formatDuration(p.timeoutMS)), "")
	}
	return ms
}

// kindOf tells what a step does, 0 where that is not clear.
func (p *reader) kindOf(f *fields) Kind {
	var found []string
	var kind Kind
	for _, k := range []Kind{Task, Wait, Call, Act, Fail} {
		if name, _ := f.first(kindKeys(k)...); name != "" {
			found, kind = append(found, name), k
		}
	}
	switch {
	case len(found) > 1:
		_, at := f.first(found[1:]...)
		p.report(at, fmt.Sprintf("a step does one thing: %s or %s", found[0], strings.Join(found[1:], " or ")), "make two steps of it")
		p.lost = true
		return 0
	case len(found) == 1:
		return kind
	case f.kind == kindObject:
		p.report(f.value, "the step does nothing", "give it channel, wait, call, emit, notify, set or fail")
	}
	p.lost = true
	return 0
}

// kindKeys are the keys that make a step one of a kind.
func kindKeys(k Kind) []string {
	switch k {
	case Task:
		return []string{"channel"}
	case Wait:
		return []string{"wait"}
	case Call:
		return []string{"call"}
	case Act:
		return []string{"emit", "notify", "set"}
	case Fail:
		return []string{"fail"}
	}
	return nil
}

// checkKeys refuses keys that say something of other kinds of steps.
func (p *reader) checkKeys(f *fields, k Kind) {
	refuse := func(names []string, of string) {
		for _, name := range names {
			if v, found := f.get(name); found {
				p.report(v, fmt.Sprintf("%s is only for steps with %s", name, of), "")
			}
		}
	}
	switch k {
	case Task:
		return
	case Act:
		refuse([]string{"timeout", "catch"}, "channel, wait or call")
	case Fail:
		refuse([]string{"timeout", "catch"}, "channel, wait or call")
		refuse([]string{"next", "end", "result", "output"}, "a way on: with fail the run ends")
	case Wait, Call:
	default:
		return
	}
	if k != Call {
		refuse([]string{"input"}, "channel or call")
	}
	refuse([]string{
		"map", "limits", "stream", "compensate", "pivot", "memo", "dynamic", "priority",
		"lease", "schedule_to_start", "start_to_close", "retry",
	}, "channel")
}

// perJob reads an expression that is evaluated for each job of a step.
func (p *reader) perJob(want result) func(value) *Expr {
	if p.inMap {
		return p.expression(want)
	}
	return p.outside(want)
}

// outside reads an expression that is evaluated once, not for each of a map's items.
func (p *reader) outside(want result) func(value) *Expr {
	return func(v value) *Expr {
		e := p.expression(want)(v)
		if name := perItem(e); name != "" {
			p.report(v, name+" is only known for each item of a map", "it may stand in input, limits, memo and compensate of a step with map")
		}
		return e
	}
}

// perItem is the first of a map's variables that an expression reads.
func perItem(e *Expr) string {
	if e == nil {
		return ""
	}
	for _, name := range e.Refs() {
		if name == "item" || name == "index" {
			return name
		}
	}
	return ""
}

// checkSteps refuses an expression that reads a step which there is not.
func (p *reader) checkSteps(v value, e *Expr) {
	for _, ref := range e.Refs() {
		name, found := strings.CutPrefix(ref, "steps/")
		if _, known := slices.BinarySearch(p.steps, name); !found || known {
			continue
		}
		_, suggestion := p.guess(name, p.steps)
		p.report(v, fmt.Sprintf("there is no step %s", quoted(name)), suggestion)
	}
}
