package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// reader makes a definition of nodes. What it reads of a part that has problems is
// something, never nothing, so that it finds the others too.
type reader struct {
	grammar  *grammar
	problems []Problem
	// lined means that the text has lines which somebody knows.
	lined bool
	// steps and limits are the names that there are, in ascending order.
	steps, limits []string
	// items are the limits whose key depends on a map's item.
	items []bool
	// inMap means that the step which is read has a map.
	inMap bool
	// links are each step's edges, for what is to be known of the graph. lost means that
	// some could not be read.
	links [][]link
	lost  bool
	// defaults are what steps with a channel have where they say nothing else.
	defaults        draft
	defaultPriority int
	timeoutMS       int64
}

func newReader() *reader { return &reader{grammar: newGrammar()} }

// report notes a problem, as long as there are few enough.
func (p *reader) report(at value, message, suggestion string) {
	if p.full() {
		return
	}
	found := Problem{Path: at.path, Message: message, Suggestion: suggestion}
	if at.node != nil {
		found.Line, found.Column = at.line, at.column
	}
	p.problems = append(p.problems, found)
}

// full tells whether no more problems are wanted.
func (p *reader) full() bool { return len(p.problems) >= MaxProblems }

// guess is a suggestion for a name that is not among those that there are.
func (p *reader) guess(name string, among []string) (found, suggestion string) {
	if p.full() {
		return "", ""
	}
	if found = nearest(name, among); found == "" {
		return "", ""
	}
	return found, fmt.Sprintf("did you mean %s?", shownName(found))
}

// fields are an object's values by its keys.
type fields struct {
	value

	entries []entry
}

// get is the value of a key.
func (f *fields) get(name string) (value, bool) {
	for _, e := range f.entries {
		if e.key.text == name {
			return f.at(e), true
		}
	}
	return value{}, false
}

// has tells whether a key is there.
func (f *fields) has(name string) bool {
	_, found := f.get(name)
	return found
}

// first is the first of some keys that is there.
func (f *fields) first(names ...string) (found string, at value) {
	for _, name := range names {
		if v, ok := f.get(name); ok {
			return name, v
		}
	}
	return "", value{}
}

// optional reads a key's value, where there is one.
func optional[T any](f *fields, name string, read func(value) T) (result T) {
	if v, found := f.get(name); found {
		return read(v)
	}
	return result
}

// shaped reads an object with the keys of a shape.
func (p *reader) shaped(v value, s *shape) *fields {
	f := &fields{value: v, entries: p.entries(v)}
	known := f.entries[:0:0]
	for _, e := range f.entries {
		if s.has(e.key.text) {
			known = append(known, e)
			continue
		}
		meant, suggestion := p.guess(e.key.text, s.names())
		if suggestion == "" && !p.full() {
			suggestion = "the keys are " + strings.Join(s.names(), ", ")
		}
		p.report(v.named(e), fmt.Sprintf("unknown key %s", quoted(e.key.text)), suggestion)
		if meant != "" && !f.has(meant) {
			// It is read as what may be meant, so that nothing is said to be missing.
			known = append(known, entry{&node{kind: kindText, text: meant, line: e.key.line, column: e.key.column}, e.value})
		}
	}
	f.entries = known
	if v.kind != kindObject {
		return f
	}
	for i := range s.keys {
		if k := &s.keys[i]; k.required && !f.has(k.name) {
			p.report(v, k.name+" is missing", "")
		}
	}
	return f
}

// entries reads an object with any keys; none twice.
func (p *reader) entries(v value) []entry {
	if v.kind != kindObject {
		p.mistyped(v, "an object")
		return nil
	}
	seen := make(map[string]bool, len(v.entries))
	found := v.entries[:0:0]
	for _, e := range v.entries {
		switch {
		case e.key.kind == kindObject || e.key.kind == kindList:
			p.report(v.named(e), "a key must be text", "")
		case seen[e.key.text]:
			p.report(v.named(e), fmt.Sprintf("the key %s stands here twice", quoted(e.key.text)), "leave one out")
		default:
			seen[e.key.text] = true
			found = append(found, e)
		}
	}
	return found
}

// members reads an object with any keys into ascending order, if they are few enough.
func (p *reader) members(v value, most int) []entry {
	found := p.entries(v)
	if len(found) > most {
		p.report(v, fmt.Sprintf("%d are more than %d", len(found), most), "")
		return nil
	}
	slices.SortFunc(found, func(a, b entry) int { return cmp.Compare(a.key.text, b.key.text) })
	for _, e := range found {
		p.checkName(v.named(e), e.key.text, MaxNameBytes)
	}
	return found
}

// listed reads a list, or the one thing that stands for a list of itself.
func (p *reader) listed(v value) []value { return p.upTo(v, MaxList) }

// upTo is listed with another bound.
func (p *reader) upTo(v value, most int) []value {
	if v.kind != kindList {
		return []value{v}
	}
	if len(v.items) == 0 {
		p.report(v, "the list is empty", "")
	}
	if len(v.items) > most {
		p.report(v, fmt.Sprintf("%d are more than %d", len(v.items), most), "")
		return nil
	}
	values := make([]value, len(v.items))
	for i, item := range v.items {
		values[i] = value{item, v.path + "[" + strconv.Itoa(i) + "]"}
	}
	return values
}

// set reads a list whose order means nothing, into ascending order.
func (p *reader) set(v value, read func(value) string) []string {
	var found []string
	for _, item := range p.listed(v) {
		name := read(item)
		if slices.Contains(found, name) && name != "" {
			p.report(item, fmt.Sprintf("%s stands here twice", quoted(name)), "leave one out")
		}
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

func (p *reader) mistyped(v value, want string) {
	p.report(v, fmt.Sprintf("must be %s, not %s", want, v.kind), "")
}

// shownName is a key or name as it is in a path or a message: what is none, quoted.
func shownName(name string) string {
	if name == "" || len(name) > MaxNameBytes || strings.ContainsFunc(name, notInName) {
		return quoted(name)
	}
	return name
}

// quoted shows a name in a message: as it is, or the begin of a long one.
func quoted(name string) string {
	if len(name) > MaxNameBytes {
		return strconv.QuoteToASCII(name[:MaxNameBytes]) + "…"
	}
	return strconv.QuoteToASCII(name)
}
