package workflow

import (
	"errors"
	"regexp"
	"slices"
	"strings"
)

func init() {
	word := regexp.MustCompile(`steps\.\w+|[a-z]+`)
	compile = func(source string, line int, want result) (*Expr, error) {
		if strings.Contains(source, "((") {
			return nil, errors.New("syntax error")
		}
		return &Expr{Source: source, Line: line}, nil
	}
	refs = func(e *Expr) []string {
		var found []string
		for _, m := range word.FindAllString(e.Source, -1) {
			switch {
			case strings.HasPrefix(m, "steps."):
				found = append(found, "steps/"+m[6:])
			case slices.Contains([]string{"event", "run", "output", "item", "index", "vars", "message", "error", "tenant"}, m):
				found = append(found, m)
			}
		}
		slices.Sort(found)
		return slices.Compact(found)
	}
}
