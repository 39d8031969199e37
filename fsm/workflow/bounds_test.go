package workflow

import (
	"fmt"
	"strings"
	"testing"
)

// TestBounds: what is too much is refused by one problem that says so.
func TestBounds(t *testing.T) {
	repeat := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const end = "\nsteps: {x: {channel: c, end: true}}"
	for name, c := range map[string]struct{ source, want string }{
		"text":       {"workflow: a\nsteps: {x: {channel: c, end: true}} #" + strings.Repeat("x", MaxDefinitionBytes), "bytes long, more than 262144"},
		"steps":      {"workflow: a\nsteps:\n" + repeat(10_000, "  s%d: {channel: c}\n"), "10000 are more than 500"},
		"edges":      {"workflow: a\nsteps: {x: {channel: c, next: [" + repeat(MaxEdges+1, "{to: x, max: 1, when: run.n == %d},") + "]}}", "65 are more than 64"},
		"limits":     {"workflow: a\nlimits: {" + repeat(MaxLimits+1, "l%d: {max_in_flight: 1},") + "}" + end, "257 are more than 256"},
		"vars":       {"workflow: a\nsteps: {x: {set: {" + repeat(MaxList+1, "v%d: 1,") + "}, end: true}}", "65 are more than 64"},
		"channels":   {"workflow: a\nstart: {on: [" + repeat(MaxList+1, "c%d,") + "]}" + end, "65 are more than 64"},
		"name":       {"workflow: " + strings.Repeat("a", MaxNameBytes+1) + end, "the name is longer than 128 bytes"},
		"channel":    {"workflow: a\nstart: {on: " + strings.Repeat("a", 256) + "}" + end, "the name is longer than 255 bytes"},
		"expression": {"workflow: a\nkey: event." + strings.Repeat("a", MaxExpressionBytes) + end, "the expression is longer than 4096 bytes"},
		"depth":      {"workflow: a\nkey: " + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + end, "nested deeper than 32"},
		"JSON depth": {`{"key": ` + strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000) + "}", "nested deeper than 32"},
	} {
		d, problems := Parse([]byte(c.source))
		if d != nil || len(problems) != 1 || !strings.Contains(problems[0].Message, c.want) {
			t.Errorf("%s: %s", name, listing(problems))
		}
	}
}

// TestMaxProblems: a text with many mistakes is told of the first hundred.
func TestMaxProblems(t *testing.T) {
	source := "workflow: a\nsteps:\n"
	for i := range 400 {
		source += fmt.Sprintf("  s%d: {channel: c d, next: s%d}\n", i, i+1000)
	}
	if _, problems := Parse([]byte(source)); len(problems) != MaxProblems {
		t.Errorf("%d problems", len(problems))
	}
}

// TestFoldedDefaults: the bound of a definition is that of its canonical form too, as that
// is what the state keeps.
func TestFoldedDefaults(t *testing.T) {
	var b strings.Builder
	b.WriteString("workflow: a\ndefaults: {retry: {on: [")
	for i := range MaxList {
		fmt.Fprintf(&b, "%s%d,", strings.Repeat("c", 100), i)
	}
	b.WriteString("]}}\nsteps:\n")
	for i := range 60 {
		fmt.Fprintf(&b, "  s%02d: {channel: c, next: s%02d}\n", i, i+1)
	}
	b.WriteString("  s60: {channel: c, end: true}\n")
	_, problems := Parse([]byte(b.String()))
	if len(problems) != 1 || !strings.Contains(problems[0].Message, "with its defaults written out") {
		t.Errorf("%s", listing(problems))
	}
}

// TestCompileRefuses what is no canonical definition.
func TestCompileRefuses(t *testing.T) {
	for _, source := range []string{"", "workflow: a", "{}", `{"workflow":"a","steps":{}}`, "[]", "null"} {
		if d, err := Compile([]byte(source)); d != nil || err == nil {
			t.Errorf("%q: %v", source, err)
		}
	}
}

// TestNearest: what is meant by a slip of the pen, and nothing by another word.
func TestNearest(t *testing.T) {
	words := []string{"answer", "review", "reject", "tell", "x"}
	for name, want := range map[string]string{
		"anwser": "answer", "answr": "answer", "ANSWER": "answer", "reviews": "review", "rejcet": "reject", "tel": "tell", "telll": "tell",
		"y": "", "": "", "question": "", "sell": "tell", "seel": "",
	} {
		if got := nearest(name, words); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

// TestDistance compares the distance within bounds with all that it might be.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"a", "", 1},
		{"", "abc", 3},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abcd", "bacd", 1},
		{"kitten", "sitting", 3},
		{"abcdef", "ghijkl", 4},
		{"abcdef", "abc", 3},
		{"abcdefg", "bcdefga", 2},
	} {
		if got := distance(c.a, c.b, 3); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a, 3); got != c.want {
			t.Errorf("%q %q: %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

// TestQuantities are written as they are read.
func TestQuantities(t *testing.T) {
	for source, want := range map[string]string{"1500ms": "1500ms", "60s": "1m", "90m": "90m", "1h30m": "90m", "48h": "2d", "3650d": "3650d"} {
		if ms, err := parseDuration(source); err != nil || formatDuration(ms) != want {
			t.Errorf("%s: %s, %v", source, formatDuration(ms), err)
		}
	}
	for _, source := range []string{"", "5", "s", "-5s", "1.5s", "5 s", "5min", "1m1h", "1s1s", "3651d", "3650d1s", "99999999999999999999d"} {
		if ms, err := parseDuration(source); err == nil {
			t.Errorf("%s: %d", source, ms)
		}
	}
	for source, want := range map[string]string{"1": "1", "0.5": "0.5", "2.50": "2.5", "0.000001": "0.000001", "10": "10", "007": "7"} {
		if n, err := parseDecimal(source, 6); err != nil || formatDecimal(n, 6) != want {
			t.Errorf("%s: %s, %v", source, formatDecimal(n, 6), err)
		}
	}
	for _, source := range []string{"", ".5", "5.", "-1", "+1", "1e3", "0.0000001", "1.-5", "9999999999999"} {
		if n, err := parseDecimal(source, 6); err == nil {
			t.Errorf("%s: %d", source, n)
		}
	}
}
