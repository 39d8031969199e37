package workflow

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Problem is something wrong with a definition.
type Problem struct {
	// Line and Column count from 1; 0 where the text has no place for it.
	Line, Column int
	// Path is where it stands, as in steps.split.next[0].when.
	Path string
	// Message says what is wrong, Suggestion what to do, empty where nothing comes to mind.
	Message    string
	Suggestion string
}

// String is the problem as one line of text.
func (p *Problem) String() string {
	line := p.Message
	if p.Path != "" {
		line = p.Path + ": " + line
	}
	if p.Line > 0 {
		line = fmt.Sprintf("line %d: %s", p.Line, line)
	}
	if p.Suggestion != "" {
		line += " (" + p.Suggestion + ")"
	}
	return line
}

// Parse reads a definition in YAML or JSON and checks all that can be known of it. With
// problems there is no definition; they are sorted by line, and at most MaxProblems.
func Parse(source []byte) (*Definition, []Problem) {
	root, err := readText(source)
	if err != nil {
		return nil, []Problem{problemOf(err)}
	}
	p := newReader()
	p.lined = true
	d := p.definition(value{node: root})
	if len(p.problems) == 0 {
		d.seal()
		if len(d.Canonical) > MaxDefinitionBytes {
			p.report(value{node: root}, fmt.Sprintf("with its defaults written out it is %d bytes long, more than %d", len(d.Canonical), MaxDefinitionBytes), "")
		}
	}
	if len(p.problems) > 0 {
		slices.SortStableFunc(p.problems, func(a, b Problem) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
		})
		return nil, p.problems
	}
	return d, nil
}

// Compile is Parse of a canonical definition, which was checked before. Its steps and
// expressions have no lines.
//
// Invariant: what Parse once accepted, Compile accepts for ever, as runs are pinned to it. A
// check that the language gets later is one of Parse alone.
func Compile(canonical []byte) (*Definition, error) {
	if !json.Valid(canonical) {
		return nil, errors.New("workflow: a canonical definition is JSON")
	}
	root, err := readText(canonical)
	if err != nil {
		return nil, fmt.Errorf("workflow: reading a canonical definition: %w", err)
	}
	p := newReader()
	d := p.definition(value{node: root})
	if len(p.problems) > 0 {
		return nil, fmt.Errorf("workflow: compiling a canonical definition: %s", p.problems[0].String())
	}
	d.Canonical = bytes.Clone(canonical)
	d.Version = versionOf(canonical)
	return d, nil
}

// seal writes the definition's canonical form, and its version.
func (d *Definition) seal() {
	d.Canonical = d.canonical().append(nil)
	d.Version = versionOf(d.Canonical)
}

func versionOf(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16])
}

// readText reads YAML or JSON into nodes.
func readText(source []byte) (*node, error) {
	switch {
	case len(source) > MaxDefinitionBytes:
		return nil, &fault{message: fmt.Sprintf("the text is %d bytes long, more than %d", len(source), MaxDefinitionBytes)}
	case !utf8.Valid(source):
		return nil, &fault{message: "the text is not valid UTF-8"}
	case json.Valid(source):
		return readJSON(source)
	default:
		return readYAML(source)
	}
}

func problemOf(err error) Problem {
	if f, ok := errors.AsType[*fault](err); ok {
		return Problem{Line: f.line, Column: f.column, Message: f.message, Suggestion: f.suggestion}
	}
	return Problem{Message: err.Error()}
}
