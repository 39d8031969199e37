package workflow

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// TestProblems reads definitions that are wrong, and shows what Parse says of them.
func TestProblems(t *testing.T) {
	datadriven.Walk(t, "testdata/problems", func(t *testing.T, path string) {
		t.Helper()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			t.Helper()
			definition, problems := Parse([]byte(d.Input))
			if definition != nil && len(problems) > 0 {
				t.Error("there is a definition, with problems")
			}
			if definition != nil {
				return "version " + definition.Version + "\n"
			}
			return listing(problems)
		})
	})
}

// listing is problems as the files have them: line:column path: message, and below it the
// suggestion.
func listing(problems []Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%d:%d %s: %s\n", p.Line, p.Column, p.Path, p.Message)
		if p.Suggestion != "" {
			fmt.Fprintf(&b, "     %s\n", p.Suggestion)
		}
	}
	return b.String()
}
