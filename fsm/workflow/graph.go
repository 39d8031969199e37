package workflow

import (
	"fmt"
	"slices"
	"strings"
)

// maxShownSteps is how many steps of a cycle a message names.
const maxShownSteps = 8

// checkGraph looks for steps that are never reached, and for cycles without a bound.
func (p *reader) checkGraph(first int, v value, entries []entry) {
	if !p.lost {
		reached := make([]bool, len(p.links))
		p.reach(first, reached)
		for i, found := range reached {
			if !found {
				p.report(v.named(entries[i]), "the step is never reached", "let an edge lead to it, or leave it out")
			}
		}
	}
	w := walk{reader: p, seen: make([]mark, len(p.links))}
	w.from(first)
	for i := range p.links {
		w.from(i)
	}
}

func (p *reader) reach(step int, reached []bool) {
	if reached[step] {
		return
	}
	reached[step] = true
	for _, l := range p.links[step] {
		p.reach(l.to, reached)
	}
}

// mark is what a walk knows of a step.
type mark uint8

const (
	unseen mark = iota
	onPath
	done
)

// walk goes along edges without a bound, depth first. One that leads back to its own path
// closes a cycle which nothing bounds.
type walk struct {
	*reader

	seen []mark
	path []int
}

func (w *walk) from(step int) {
	if w.seen[step] != unseen {
		return
	}
	w.seen[step] = onPath
	w.path = append(w.path, step)
	for _, l := range w.links[step] {
		switch {
		case l.max > 0:
		case w.seen[l.to] == onPath:
			w.report(l.at, "leads back without a bound: "+w.cycle(l.to), fmt.Sprintf("give the edge back a max, from 1 to %d", MaxLoops))
		default:
			w.from(l.to)
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.seen[step] = done
}

// cycle names the steps from one on the path back to itself.
func (w *walk) cycle(to int) string {
	var names []string
	for _, step := range w.path[max(0, slices.Index(w.path, to)):] {
		names = append(names, shownName(w.steps[step]))
	}
	if len(names) > maxShownSteps {
		names = append(names[:maxShownSteps], "…")
	}
	return strings.Join(append(names, shownName(w.steps[to])), " → ")
}
