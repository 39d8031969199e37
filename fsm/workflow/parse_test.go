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

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	source, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return source
}
