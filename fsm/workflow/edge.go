package workflow

import (
	"fmt"
	"slices"
)

// link is an edge as the graph sees it, whether it is taken after success or an error.
type link struct {
	to, max int
	at      value
}

// edges reads where a run goes on after a step.
func (p *reader) edges(s *Step, f *fields, number int) {
	if s.Kind == Fail {
		return
	}
	if v, found := f.get("catch"); found {
		s.Catch = p.catches(v, number)
	}
	next, goesOn := f.get("next")
	end := optional(f, "end", p.flag)
	switch {
	case end && goesOn:
		p.lost = true
		p.report(next, "the run ends here, it does not go on", "leave out next, or end: true")
	case goesOn:
		s.Next = p.nexts(next, number)
	case !end && f.kind == kindObject:
		p.lost = true
		p.report(f.value, "neither next nor end", "name the next step, or say end: true")
	}
	if name, at := p.result(s, f); name != "" && !end {
		p.report(at, name+" is only for a step with end: true", "others have their own output, which expressions find in steps")
	}
}

// result reads what a run that ends here results in, and tells where it stands.
func (p *reader) result(s *Step, f *fields) (name string, v value) {
	if name, v = f.first("result", "output"); name != "" {
		s.Output = p.outside(anyResult)(v)
	}
	if f.has("result") && f.has("output") {
		p.report(v, "result and output mean the same", "leave one out")
	}
	return name, v
}

func (p *reader) nexts(v value, number int) []Edge {
	if v.kind != kindObject && v.kind != kindList {
		e := Edge{To: p.step(v)}
		p.link(number, e.To, 0, v)
		return []Edge{e}
	}
	var edges []Edge
	closed := false
	items := p.upTo(v, MaxEdges)
	for i, item := range items {
		f := p.shaped(item, &p.grammar.edge)
		e := Edge{When: optional(f, "when", p.outside(boolResult)), Max: optional(f, "max", p.count(MaxLoops))}
		e.To = p.target(f, number, e.Max)
		if closed {
			p.report(item, "never taken: the edge before it is always taken", "leave it out, or give the one before a when")
		}
		closed = closed || !f.has("when") && !f.has("max")
		if !closed && i == len(items)-1 && f.has("when") {
			p.report(item, "the last edge has a when: there is no default", "add an edge without when")
		}
		edges = append(edges, e)
	}
	return edges
}

// target reads where an edge leads to, and links it.
func (p *reader) target(f *fields, number, most int) int {
	to, found := f.get("to")
	if !found {
		p.lost = true
		return -1
	}
	at := p.step(to)
	p.link(number, at, most, to)
	return at
}

func (p *reader) link(from, to, most int, at value) {
	if to >= 0 {
		p.links[from] = append(p.links[from], link{to, most, at})
	}
}

func (p *reader) catches(v value, number int) []Catch {
	var catches []Catch
	var caught []string
	closed := false
	for _, item := range p.upTo(v, MaxEdges) {
		f := p.shaped(item, &p.grammar.catch)
		c := Catch{
			Codes: optional(f, "codes", func(v value) []string { return p.set(v, p.code) }),
			Max:   optional(f, "max", p.count(MaxLoops)),
		}
		c.To = p.target(f, number, c.Max)
		if closed {
			p.report(item, "never taken: the one before it catches all", "leave it out, or give the one before codes")
		}
		for _, code := range c.Codes {
			if slices.Contains(caught, code) {
				p.report(item, fmt.Sprintf("%s is caught before", quoted(code)), "leave it out")
			}
		}
		if !f.has("max") {
			closed = closed || !f.has("codes")
			caught = append(caught, c.Codes...)
		}
		catches = append(catches, c)
	}
	return catches
}
