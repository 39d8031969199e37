package workflow

import (
	"os"
	"testing"
)

// TestCanonicalIsForEver: the state keeps what was written once, and its hash.
func TestCanonicalIsForEver(t *testing.T) {
	d := mustParse(t, readFile(t, "testdata/answer.yaml"))
	const version = "0270b2d717c802e8466ebe88c7da9263"
	want := readFile(t, "testdata/answer.json")
	if string(d.Canonical)+"\n" != string(want) || d.Version != version {
		t.Errorf("the canonical form changed, of version %s:\n%s", d.Version, d.Canonical)
	}
}

func mustParse(t *testing.T, source []byte) *Definition {
	t.Helper()
	d, problems := Parse(source)
	for i := range problems {
		t.Error(problems[i].String())
	}
	if d == nil {
		t.FailNow()
	}
	return d
}

func readFile(tb testing.TB, name string) []byte {
	tb.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return source
}

// TestCanonicalText: any text is written as JSON reads it, with no more escaped than must be.
func TestCanonicalText(t *testing.T) {
	d := mustParse(t, []byte("workflow: a\nsteps:\n  x:\n    channel: c\n    input: |\n      '\\\\ \"🦉</>' +\n      \tstring(output)\n    end: true\n"))
	const want = `{"first":"x","steps":{"x":{"channel":"c","end":true,"input":"'\\\\ \"🦉</>' +\u000a\u0009string(output)"}},"workflow":"a"}`
	if string(d.Canonical) != want {
		t.Errorf("%s", d.Canonical)
	}
	if d.Steps[0].Input.Line != 6 || d.Steps[0].Line != 3 {
		t.Errorf("lines %d and %d", d.Steps[0].Input.Line, d.Steps[0].Line)
	}
	checkCanonical(t, d)
}
