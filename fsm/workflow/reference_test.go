package workflow

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

const reference = "../../docs/workflows.md"

// TestReferenceIsTheGrammar: the tables of docs/workflows.md are made of the list of keys
// that Parse has.
func TestReferenceIsTheGrammar(t *testing.T) {
	page := string(readFile(t, reference))
	written := page
	for _, s := range newGrammar().shapes() {
		begin, end := "<!-- generated: "+s.name+" -->\n", "<!-- end -->\n"
		before, rest, found := strings.Cut(written, begin)
		_, after, closed := strings.Cut(rest, end)
		if !found || !closed {
			t.Errorf("%s has no part %q", reference, s.name)
			continue
		}
		written = before + begin + tableOf(s) + end + after
	}
	switch {
	case written == page:
	case *update:
		if err := os.WriteFile(reference, []byte(written), 0o600); err != nil {
			t.Fatal(err)
		}
	default:
		t.Errorf("%s is not up to date: run make docs", reference)
	}
}

// TestReferenceExamples: what the page shows works.
func TestReferenceExamples(t *testing.T) {
	found := examples(t)
	if len(found) < 5 {
		t.Errorf("%d examples", len(found))
	}
	for _, source := range found {
		checkCanonical(t, mustParse(t, []byte(source)))
	}
}

// examples are the complete definitions of the page.
func examples(t *testing.T) []string {
	t.Helper()
	var found []string
	for i, part := range strings.Split(string(readFile(t, reference)), "```yaml\n") {
		source, _, closed := strings.Cut(part, "```")
		if i > 0 && closed {
			found = append(found, source)
		}
	}
	return found
}

func tableOf(s *shape) string {
	var b strings.Builder
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, k := range s.keys {
		standard := k.standard
		if k.required {
			standard = "**required**"
		}
		row := fmt.Sprintf("| `%s` | %s | %s | %s |", k.name, formText(k.form), standard, strings.ReplaceAll(k.text, "|", `\|`))
		b.WriteString(strings.ReplaceAll(row, "|  |", "| |") + "\n")
	}
	return b.String()
}

func formText(f form) string {
	switch f.is {
	case aWord:
		return "`" + strings.Join(f.words, "`, `") + "`"
	case anObject:
		return fmt.Sprintf("[object](#%s)", f.shape)
	case aList:
		return "list of " + formText(f.of[0])
	case aMap:
		return "by name: " + formText(f.of[0])
	case anyOf:
		of := make([]string, len(f.of))
		for i := range f.of {
			of[i] = formText(f.of[i])
		}
		return strings.Join(of, ", or ")
	case aText, aName, aStep, aCode, anExpression, aDuration, aCount, aFlag, aPercent, aRate, aDecimal:
	}
	return [...]string{
		aText: "text", aName: "name", aStep: "name of a step", aCode: "error code", anExpression: "[expression](#expressions)",
		aDuration: "[duration](#values)", aCount: "whole number", aFlag: "true or false", aPercent: "[percentage](#values)",
		aRate: "[rate](#values)", aDecimal: "number",
	}[f.is]
}
