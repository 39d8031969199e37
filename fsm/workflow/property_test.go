package workflow

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCanonicalMeansTheSame: of any definition, the canonical form compiles to the same,
// and however its text is ordered or written, it has one version.
func TestCanonicalMeansTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := anyDefinition(t)
		source := jsonOf(whole)
		d, problems := Parse([]byte(source))
		if d == nil {
			t.Fatalf("%s\n%s", source, listing(problems))
		}
		checkCanonical(t, d)
		for _, other := range []string{jsonOf(reordered(t, whole)), yamlOf(reordered(t, whole), "")} {
			again, problems := Parse([]byte(other))
			if again == nil {
				t.Fatalf("%s\n%s", other, listing(problems))
			}
			if again.Version != d.Version || meaning(t, again) != meaning(t, d) {
				t.Fatalf("%s\n%s", d.Canonical, again.Canonical)
			}
		}
	})
}

// FuzzParse: whatever is read, there is a definition that has a canonical form, or problems
// that are few, in order and readable.
func FuzzParse(f *testing.F) {
	f.Add(readFile(f, "testdata/answer.yaml"))
	f.Add(readFile(f, "testdata/answer.json"))
	for _, name := range []string{"text", "keys", "steps", "graph"} {
		for part := range strings.SplitSeq(string(readFile(f, "testdata/problems/"+name)), "parse\n") {
			source, _, _ := strings.Cut(part, "----")
			f.Add([]byte(source))
		}
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		d, problems := Parse(source)
		if d != nil {
			checkCanonical(t, d)
			return
		}
		if len(problems) == 0 || len(problems) > MaxProblems {
			t.Fatalf("%d problems", len(problems))
		}
		if !slices.IsSortedFunc(problems, func(a, b Problem) int { return a.Line - b.Line }) {
			t.Errorf("not by line:\n%s", listing(problems))
		}
		for _, p := range problems {
			if p.Message == "" || len(p.String()) > 32<<10 {
				t.Errorf("what is wrong? %+v", p)
			}
		}
	})
}

// checkCanonical compiles a definition's canonical form, and compares.
func checkCanonical(t interface {
	Helper()
	Fatalf(format string, of ...any)
	Fatal(of ...any)
}, d *Definition,
) {
	t.Helper()
	compiled, err := Compile(d.Canonical)
	if err != nil {
		t.Fatalf("%s\n%v", d.Canonical, err)
	}
	if compiled.Version != d.Version || meaning(t, compiled) != meaning(t, d) {
		t.Fatalf("%s\ncompiles to\n%s\nnot to\n%s", d.Canonical, meaning(t, compiled), meaning(t, d))
	}
	for _, s := range compiled.Steps {
		if s.Line != 0 || s.Input != nil && s.Input.Line != 0 {
			t.Fatalf("a canonical definition has lines: %+v", s)
		}
	}
	again, problems := Parse(d.Canonical)
	if again == nil || string(again.Canonical) != string(d.Canonical) {
		t.Fatalf("the canonical form has another:\n%s\n%s", d.Canonical, listing(problems))
	}
}

// meaning is all of a definition but its lines.
func meaning(t interface {
	Helper()
	Fatal(of ...any)
}, d *Definition,
) string {
	t.Helper()
	var held any
	source, err := json.Marshal(d)
	if err == nil {
		err = json.Unmarshal(source, &held)
	}
	if err == nil {
		source, err = json.Marshal(withoutLines(held))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func withoutLines(held any) any {
	switch v := held.(type) {
	case map[string]any:
		delete(v, "Line")
		for name := range v {
			v[name] = withoutLines(v[name])
		}
	case []any:
		for i := range v {
			v[i] = withoutLines(v[i])
		}
	}
	return held
}

// tree is an object with its keys in an order, as texts have them. Its values are trees,
// lists of values, or scalars.
type tree []branch

type branch struct {
	key   string
	value any
}

// reordered is a value with the keys of all its objects in another order.
func reordered(t *rapid.T, of any) any {
	switch v := of.(type) {
	case tree:
		other := tree{}
		for _, b := range rapid.Permutation(v).Draw(t, "order") {
			other = append(other, branch{b.key, reordered(t, b.value)})
		}
		return other
	case []any:
		other := make([]any, len(v))
		for i := range v {
			other[i] = reordered(t, v[i])
		}
		return other
	}
	return of
}

func jsonOf(of any) string {
	switch v := of.(type) {
	case tree:
		parts := make([]string, len(v))
		for i, b := range v {
			parts[i] = fmt.Sprintf("%q: %s", b.key, jsonOf(b.value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = jsonOf(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	scalar, err := json.Marshal(of)
	if err != nil {
		return err.Error()
	}
	return string(scalar)
}

// yamlOf writes objects as blocks, and the rest as JSON.
func yamlOf(of any, indent string) string {
	v, ok := of.(tree)
	if !ok || len(v) == 0 {
		return " " + jsonOf(of) + "\n"
	}
	var b strings.Builder
	b.WriteString("\n")
	for _, branch := range v {
		fmt.Fprintf(&b, "%s%s:%s", indent, branch.key, yamlOf(branch.value, indent+"  "))
	}
	return b.String()
}

// anyDefinition draws a definition without problems.
func anyDefinition(t *rapid.T) tree {
	steps := tree{}
	count := rapid.IntRange(1, 6).Draw(t, "steps")
	for i := range count {
		steps = append(steps, branch{stepName(i), anyStep(t, i, count)})
	}
	whole := tree{
		{"workflow", "any"},
		{"first", stepName(0)},
		{"steps", steps},
		{"limits", tree{
			{"llm", tree{{"key", "tenant"}, {"rate", tree{{"tokens", "90000/min"}, {"calls", "5/10s"}}}}},
			{"gpu", tree{{"max_in_flight", tree{{"min", 2}, {"max", 9}}}}},
			{"one", tree{{"max_in_flight", 1}, {"adaptive", true}}},
		}},
	}
	return some(t, whole, tree{
		{"description", "any text"},
		{"key", "event.client_id"},
		{"timeout", "36h"},
		{"on_client_disconnect", "cancel"},
		{"start", tree{{"on", several(t, "b", "a.c")}, {"idempotency", tree{{"on_duplicate", "reject"}}}}},
		{"defaults", append(anyPolicy(t), branch{"priority", 3})},
		{"budget", some(t, tree{}, tree{{"tokens", 5}, {"cost", json.Number("0.25")}, {"steps", 7}})},
		{"on_failure", one(t, "incident", "fail", "compensate", tree{}, tree{{"compensate", "parallel"}, {"on_handler_failure", "abort"}}, tree{{"on_handler_failure", "continue"}})},
		{"finally", tree{{"emit", tree{{"channel", "done"}}}, {"notify", several(t, tree{{"name", "n"}})}}},
	})
}

func stepName(i int) string { return fmt.Sprintf("s%d", i) }

func anyStep(t *rapid.T, number, count int) tree {
	var s tree
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	switch kind {
	case 0:
		s = anyTask(t)
	case 1:
		s = tree{{"wait", one(t, tree{{"message", "m"}}, tree{{"until", "run.started_at"}}, tree{{"timer", "90m"}}, tree{{"timer", "vars.pause"}},
			tree{{"any_of", []any{tree{{"message", "m"}, {"key", "event.key"}}, tree{{"timer", "48h"}}}}},
			tree{{"all_of", []any{tree{{"message", "m"}}, tree{{"message", "n"}}}}})}}
	case 2:
		s = some(t, tree{{"call", some(t, tree{{"workflow", "any"}}, tree{{"alias", "v1"}, {"key", "run.id"}, {"detach", true}})}}, tree{{"input", "output"}})
	default:
		s = some(t, tree{{"set", tree{{"b", "output"}, {"a", 5}}}}, tree{
			{"emit", several(t, tree{{"channel", "c"}, {"data", "\"\\\"quoted\\\" \\n 🦉\""}, {"delay", "5m"}})},
			{"notify", tree{{"client", "event.client_id"}, {"name", "n"}, {"data", "output"}}},
		})
	}
	if kind != 3 {
		s = some(t, s, tree{{"timeout", "1h"}, {"catch", []any{
			tree{{"codes", several(t, "timeout", "late")}, {"to", stepName(rapid.IntRange(0, count-1).Draw(t, "to"))}, {"max", 2}},
		}}})
	}
	if number == count-1 {
		return append(some(t, s, tree{{"result", "output"}}), branch{"end", true})
	}
	return append(s, branch{"next", one(t, stepName(number+1), tree{{"to", stepName(number + 1)}}, []any{
		tree{{"when", "output.x > 1"}, {"to", stepName(rapid.IntRange(0, count-1).Draw(t, "to"))}, {"max", 10}},
		tree{{"to", stepName(number + 1)}},
	})})
}

func anyTask(t *rapid.T) tree {
	s := append(anyPolicy(t), branch{"channel", "c"})
	s = some(t, s, tree{
		{"input", "event"},
		{"priority", 0},
		{"stream", one(t, true, "tokens", false)},
		{"pivot", true},
		{"memo", tree{{"key", "event"}}},
		{"dynamic", tree{{"allow", several(t, "z", "y")}}},
		{"limits", several(t, "gpu", tree{{"use", "llm"}, {"cost", tree{{"tokens", 5}, {"calls", "event.n"}}}}, tree{{"use", "one"}})},
		{"compensate", append(some(t, anyPolicy(t), tree{{"input", "output"}, {"on", one(t, "started", "completed")}}), branch{"channel", "undo"})},
	})
	return some(t, s, tree{{"map", some(t, tree{{"over", "output.items"}}, tree{
		{"max_parallel", 8}, {"deadline", "600s"}, {"tolerate", one(t, 3, "2.5%", tree{{"count", 2}, {"share", "0.01%"}})},
	})}})
}

func anyPolicy(t *rapid.T) tree {
	return some(t, tree{}, tree{
		{"lease", "15s"},
		{"schedule_to_start", "1d"},
		{"start_to_close", "600000ms"},
		{"retry", some(t, tree{}, tree{
			{"max_attempts", 5},
			{"lease_losses", 2},
			{"on", several(t, "b", "a")},
			{"not_on", "c"},
			{"backoff", some(t, tree{}, tree{{"initial", "1s"}, {"max", "2m"}, {"factor", json.Number("1.5")}, {"jitter", one(t, "full", "none")}})},
		})},
	})
}

// some adds some of further keys.
func some(t *rapid.T, to, more tree) tree {
	for _, b := range more {
		if rapid.Bool().Draw(t, b.key) {
			to = append(to, b)
		}
	}
	return to
}

func one(t *rapid.T, of ...any) any { return rapid.SampledFrom(of).Draw(t, "one") }

// several is one item by itself, or several in any order.
func several(t *rapid.T, of ...any) any {
	if rapid.Bool().Draw(t, "alone") {
		return of[0]
	}
	return rapid.Permutation(of).Draw(t, "items")
}
