package workflow

import (
	"fmt"
	"slices"
)

func (p *reader) waiting(v value) *Waiting {
	f := p.shaped(v, &p.grammar.wait)
	w := &Waiting{All: f.has("all_of")}
	name, parts := f.first("any_of", "all_of")
	if name == "" {
		w.Parts = []WaitPart{p.part(f)}
		return w
	}
	for _, other := range p.grammar.wait.names() {
		if at, found := f.get(other); found && other != name {
			p.report(at, fmt.Sprintf("%s and %s do not go together", name, other), "put it into the list")
		}
	}
	if parts.kind != kindList {
		p.mistyped(parts, "a list")
		return w
	}
	for _, item := range p.listed(parts) {
		w.Parts = append(w.Parts, p.part(p.shaped(item, &p.grammar.part)))
	}
	w.All = w.All && len(w.Parts) > 1
	p.checkMessages(parts, w)
	return w
}

// checkMessages refuses a message that is waited for twice: one waiter has a key.
func (p *reader) checkMessages(v value, w *Waiting) {
	for i := range w.Parts {
		same := func(o WaitPart) bool {
			return o.Message == w.Parts[i].Message && sourceOf(o.Key) == sourceOf(w.Parts[i].Key)
		}
		if w.Parts[i].Message != "" && slices.ContainsFunc(w.Parts[:i], same) {
			p.report(v, fmt.Sprintf("the message %s is waited for twice under one key", quoted(w.Parts[i].Message)), "leave one out")
		}
	}
}

// part reads a message or a time that is waited for.
func (p *reader) part(f *fields) WaitPart {
	var part WaitPart
	given := 0
	for _, name := range []string{"message", "timer", "until"} {
		if f.has(name) {
			given++
		}
	}
	if given != 1 && f.kind == kindObject {
		p.report(f.value, "waits for one of message, timer and until", "for more than one, list them in any_of or all_of")
	}
	part.Message = optional(f, "message", p.name)
	part.Until = optional(f, "until", p.outside(timeResult))
	if timer, found := f.get("timer"); found {
		p.timer(&part, timer)
	}
	key, keyed := f.get("key")
	switch {
	case keyed && part.Message == "":
		p.report(key, "key is only for a message", "")
	case keyed:
		part.Key = p.outside(textResult)(key)
	case part.Message != "":
		part.Key = p.compiled(f.value, "run.id", textResult)
	}
	return part
}

// timer reads a duration, or an expression for one.
func (p *reader) timer(part *WaitPart, v value) {
	if source, ok := p.scalar(v, "a duration or an expression for one"); ok {
		if _, err := parseDuration(source); err == nil || v.kind == kindNumber {
			part.AfterMS = p.duration(v)
		} else {
			part.After = p.outside(durationResult)(v)
		}
	}
}

func (p *reader) calling(v value) *Calling {
	f := p.shaped(v, &p.grammar.call)
	c := &Calling{
		Workflow: optional(f, "workflow", p.name),
		Alias:    optional(f, "alias", p.name),
		Key:      optional(f, "key", p.outside(textResult)),
		Detach:   optional(f, "detach", p.flag),
	}
	fill(&c.Alias, "prod")
	return c
}

// actions reads what is done at once: sets, then emits, then notifies.
func (p *reader) actions(f *fields) []Action {
	var actions []Action
	if set, found := f.get("set"); found {
		if set.kind == kindObject && len(set.entries) == 0 {
			p.report(set, "nothing is set", "leave the key out")
		}
		for _, e := range p.members(set, MaxList) {
			actions = append(actions, Action{Set: &Set{Name: e.key.text, Value: p.outside(anyResult)(set.at(e))}})
		}
	}
	if emit, found := f.get("emit"); found {
		for _, item := range p.listed(emit) {
			actions = append(actions, Action{Emit: p.emit(item)})
		}
	}
	if notify, found := f.get("notify"); found {
		for _, item := range p.listed(notify) {
			actions = append(actions, Action{Notify: p.notify(item)})
		}
	}
	return actions
}

func (p *reader) emit(v value) *Emit {
	f := p.shaped(v, &p.grammar.emit)
	return &Emit{
		Channel: optional(f, "channel", p.channel),
		Data:    optional(f, "data", p.outside(anyResult)),
		Key:     optional(f, "key", p.outside(textResult)),
		Client:  optional(f, "client", p.outside(textResult)),
		DelayMS: optional(f, "delay", p.duration),
	}
}

func (p *reader) notify(v value) *Notify {
	f := p.shaped(v, &p.grammar.notify)
	return &Notify{
		Client: optional(f, "client", p.outside(textResult)),
		Name:   optional(f, "name", p.name),
		Data:   optional(f, "data", p.outside(anyResult)),
	}
}

func (p *reader) failure(v value) *Failure {
	f := p.shaped(v, &p.grammar.failure)
	return &Failure{Code: optional(f, "code", p.code), Message: optional(f, "message", p.outside(textResult))}
}
