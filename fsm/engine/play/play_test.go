package play

import (
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/batonmq/baton/fsm/workflow"
)

// TestPlay runs the files in testdata: a definition, and scripts for it, with all that
// happens where trace says so.
func TestPlay(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		t.Helper()
		var def *workflow.Definition
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			if d.Cmd == "workflow" {
				def = parse(t, d.Input)
				return ""
			}
			reports, err := Play(def, []byte(d.Input))
			if err != nil {
				return "error: " + err.Error() + "\n"
			}
			var b strings.Builder
			for _, r := range reports {
				b.WriteString(r.Name + ": " + r.State + " " + r.Error + "\n")
				if d.HasArg("trace") {
					b.WriteString(strings.Join(r.Trace, "\n") + "\n")
				}
				for _, failure := range r.Failures {
					b.WriteString("FAIL " + failure + "\n")
				}
			}
			return b.String()
		})
	})
}

func parse(t *testing.T, source string) *workflow.Definition {
	t.Helper()
	def, problems := workflow.Parse([]byte(source))
	if def == nil {
		t.Fatalf("%+v", problems)
	}
	return def
}

// TestReferenceScript: the script that the reference shows passes with the definition that
// it shows.
func TestReferenceScript(t *testing.T) {
	page, err := os.ReadFile("../../../docs/workflows.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```yaml\n")
	definition, rest, _ := strings.Cut(rest, "```")
	_, rest, _ = strings.Cut(rest, "```yml\n")
	script, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the reference shows no script")
	}
	reports, err := Play(parse(t, definition), []byte(script))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range reports {
		for _, failure := range r.Failures {
			t.Errorf("%s: %s\n%s", r.Name, failure, strings.Join(r.Trace, "\n"))
		}
	}
}
