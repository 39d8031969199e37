package engine

import (
	"fmt"
	"strings"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/workflow"
)

// anyProgram is a definition at random: a chain of steps that ends at z, with edges across
// and bounded ones back.
func anyProgram(t *rapid.T) *Program {
	var b strings.Builder
	b.WriteString("workflow: any\n")
	if rapid.IntRange(0, 3).Draw(t, "timed") == 0 {
		b.WriteString("timeout: 1h\n")
	}
	if rapid.IntRange(0, 5).Draw(t, "budgeted") == 0 {
		b.WriteString("budget: {steps: 6}\n")
	}
	switch rapid.SampledFrom([]string{"compensate", "compensate", "incident", "fail"}).Draw(t, "on_failure") {
	case "compensate":
		fmt.Fprintf(&b, "on_failure: {compensate: %s, on_handler_failure: %s}\n",
			rapid.SampledFrom([]string{"reverse", "parallel"}).Draw(t, "order"),
			rapid.SampledFrom([]string{"incident", "incident", "continue", "abort"}).Draw(t, "handler"))
	case "incident":
		b.WriteString("on_failure: incident\n")
	}
	if rapid.Bool().Draw(t, "finally") {
		b.WriteString("finally: {emit: {channel: over, data: run.status}}\n")
	}
	b.WriteString("first: s0\nsteps:\n")
	g := &generator{T: t, many: rapid.IntRange(1, 5).Draw(t, "steps")}
	for i := range g.many {
		fmt.Fprintf(&b, "  s%d: {%s}\n", i, g.step(i))
	}
	b.WriteString("  y: {fail: {code: refused}}\n  z: {set: {z: output}, end: true}\n")
	d, problems := workflow.Parse([]byte(b.String()))
	if d == nil {
		t.Fatalf("%s\n%+v", b.String(), problems)
	}
	t.Logf("%s", b.String())
	return NewProgram(d)
}

type generator struct {
	*rapid.T

	many int
}

func (g *generator) may(name string, of int) bool { return rapid.IntRange(1, of).Draw(g.T, name) == of }

func (g *generator) one(name string, of ...string) string {
	return rapid.SampledFrom(of).Draw(g.T, name)
}

func (g *generator) step(i int) string {
	var parts []string
	kind := g.one("kind", "task", "task", "map", "map", "dynamic", "wait", "act", "call")
	switch kind {
	case "act":
		return g.one("act", "emit: {channel: e, data: output}", "set: {v: output}", "notify: {name: n}") + ", " + g.next(i)
	case "wait":
		parts = append(parts, g.wait())
	case "call":
		parts = append(parts, g.one("call", "call: {workflow: other}", "call: {workflow: other}", "call: {workflow: other, detach: true}"))
	default:
		parts = append(parts, g.task(kind)...)
	}
	if g.may("timeout", 4) {
		parts = append(parts, "timeout: 10m")
	}
	if g.may("catch", 3) {
		parts = append(parts, "catch: ["+g.catch(i)+"]")
	}
	return strings.Join(append(parts, g.next(i)), ", ")
}

func (g *generator) wait() string {
	return g.one("wait", "wait: {timer: 5m}", "wait: {message: m}", "wait: {any_of: [{message: m}, {timer: 5m}]}",
		"wait: {all_of: [{message: m}, {message: n}]}", "wait: {any_of: [{message: m}, {message: n, key: output.key}]}", "wait: {all_of: [{message: m}, {timer: 5m}]}")
}

func (g *generator) task(kind string) []string {
	parts := []string{"channel: c"}
	switch kind {
	case "map":
		parts = append(parts, g.mapped())
	case "dynamic":
		parts = append(parts, "dynamic: {allow: d, max_events: 4}")
	}
	if g.may("input", 4) {
		parts = append(parts, "input: output.x")
	}
	if g.may("memo", 6) && kind == "task" {
		parts = append(parts, "memo: {key: output}")
	}
	if g.may("compensated", 2) {
		undo := "compensate: {channel: u"
		undo += g.one("undo input", "", "", ", input: output.undo") + g.one("undo on", "", "", ", on: started") + "}"
		parts = append(parts, undo)
	}
	if g.may("pivot", 6) {
		parts = append(parts, "pivot: true")
	}
	return parts
}

func (g *generator) mapped() string {
	text := "map: {over: '" + g.one("over", "[1]", "[1, 2]", "[1, 2, 3]", "output.list") + "'"
	text += g.one("parallel", "", "", ", max_parallel: 1", ", max_parallel: 2")
	text += g.one("join", "", "", ", tolerate: 1", ", join: any", ", join: {n_of: 2}", ", join: all_settled")
	return text + g.one("deadline", "", "", ", deadline: 5m") + "}"
}

// target is a step that an edge may lead to from a step, with a bound where it leads back.
func (g *generator) target(i int) string {
	at := rapid.IntRange(0, g.many+1).Draw(g.T, "to")
	switch {
	case at == g.many:
		return "to: z"
	case at > g.many:
		return "to: y"
	case at <= i:
		return fmt.Sprintf("to: s%d, max: %d", at, rapid.IntRange(1, 2).Draw(g.T, "max"))
	default:
		return fmt.Sprintf("to: s%d", at)
	}
}

func (g *generator) catch(i int) string {
	if g.may("all", 2) {
		return "{" + g.target(i) + "}"
	}
	return "{codes: [boom, map_failed], " + g.target(i) + "}"
}

func (g *generator) next(i int) string {
	var edges []string
	if g.may("guard", 2) {
		edges = append(edges, "{when: output.go, "+g.target(i)+"}")
	}
	if g.may("loop", 4) {
		edges = append(edges, fmt.Sprintf("{to: s%d, max: %d}", rapid.IntRange(0, i).Draw(g.T, "back"), rapid.IntRange(1, 2).Draw(g.T, "max")))
	}
	if i+1 < g.many {
		edges = append(edges, fmt.Sprintf("{to: s%d}", i+1))
	} else {
		edges = append(edges, "{when: '!has(output.end)', to: y}", "{to: z}")
	}
	return "next: [" + strings.Join(edges, ", ") + "]"
}
