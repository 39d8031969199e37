package workflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxChannelBytes bounds a channel's name, as on the wire.
const maxChannelBytes = 255

// scalar is a text, or what looks like another type but stands for its text.
func (p *reader) scalar(v value, want string) (string, bool) {
	switch v.kind {
	case kindText, kindNumber, kindFlag:
		return v.text, true
	case kindNothing, kindList, kindObject:
	}
	p.mistyped(v, want)
	return "", false
}

// text reads text for people.
func (p *reader) text(v value) string {
	read, _ := p.scalar(v, "text")
	return read
}

// name reads a name that is the definition's own.
func (p *reader) name(v value) string { return p.bounded(v, "a name", MaxNameBytes) }

// channel reads a channel's name.
func (p *reader) channel(v value) string { return p.bounded(v, "a channel", maxChannelBytes) }

func (p *reader) bounded(v value, what string, most int) string {
	read, ok := p.scalar(v, what)
	if ok {
		p.checkName(v, read, most)
	}
	return read
}

func (p *reader) checkName(at value, name string, most int) {
	switch {
	case name == "":
		p.report(at, "the name is empty", "")
	case len(name) > most:
		p.report(at, fmt.Sprintf("the name is longer than %d bytes", most), "")
	case strings.ContainsFunc(name, notInName):
		p.report(at, fmt.Sprintf("%s is no name", quoted(name)), "names are of letters, digits, dots, underscores and hyphens")
	}
}

func notInName(r rune) bool {
	letter := r|0x20 >= 'a' && r|0x20 <= 'z'
	return !letter && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
}

// code reads an error's code, which workers make up.
func (p *reader) code(v value) string {
	read, ok := p.scalar(v, "an error code")
	if ok && (read == "" || len(read) > MaxNameBytes || !utf8.ValidString(read) || strings.ContainsFunc(read, unicode.IsControl)) {
		p.report(v, fmt.Sprintf("%s is no error code", quoted(read)), fmt.Sprintf("codes are of 1 to %d bytes", MaxNameBytes))
	}
	return read
}

// word reads one of a few words.
func (p *reader) word(v value, words ...string) string {
	want := words[0]
	if last := len(words) - 1; last > 0 {
		want = strings.Join(words[:last], ", ") + " or " + words[last]
	}
	read, ok := p.scalar(v, want)
	if ok && !slices.Contains(words, read) {
		_, suggestion := p.guess(read, words)
		p.report(v, fmt.Sprintf("must be %s, not %s", want, quoted(read)), suggestion)
	}
	return read
}

// flag reads true or false.
func (p *reader) flag(v value) bool {
	if v.kind != kindFlag {
		p.mistyped(v, "true or false")
	}
	return strings.EqualFold(v.text, "true")
}

// duration reads a duration that is longer than nothing, in milliseconds.
func (p *reader) duration(v value) int64 {
	read, ok := p.scalar(v, "a duration")
	if !ok {
		return 0
	}
	ms, err := parseDuration(read)
	switch {
	case err != nil && v.kind == kindNumber:
		p.report(v, fmt.Sprintf("%s is no duration", quoted(read)), fmt.Sprintf("write its unit: %ss or %sms", read, read))
	case err != nil:
		p.report(v, fmt.Sprintf("%s is no duration", quoted(read)), "durations are written as 500ms, 15s, 10m, 2h or 3d, at most ten years")
	case ms == 0:
		p.report(v, "a duration must be longer than 0", "leave the key out")
	}
	return ms
}

// number reads a whole number within bounds.
func (p *reader) number(v value, least, most int64) int64 {
	if v.kind != kindNumber {
		p.mistyped(v, "a whole number")
		return least
	}
	n, err := strconv.ParseInt(v.text, 10, 64)
	if err != nil || n < least || n > most {
		p.report(v, fmt.Sprintf("must be a whole number from %d to %d, not %s", least, most, quoted(v.text)), "")
		return least
	}
	return n
}

// count reads a number of things from 1.
func (p *reader) count(most int64) func(value) int {
	return func(v value) int { return int(p.number(v, 1, most)) }
}

// decimal reads a number with some digits behind the point, into units of the last.
func (p *reader) decimal(v value, digits int) int64 {
	if v.kind != kindNumber {
		p.mistyped(v, "a number")
		return 1
	}
	n, err := parseDecimal(v.text, digits)
	if err != nil {
		p.report(v, fmt.Sprintf("%s is no number with at most %d digits behind the point", quoted(v.text), digits), "")
	}
	return n
}

// expression reads an expression whose value is wanted for something.
func (p *reader) expression(want result) func(value) *Expr {
	return func(v value) *Expr {
		if v.kind == kindObject || v.kind == kindList {
			p.report(v, fmt.Sprintf("must be an expression, not %s", v.kind), `write it as one expression in quotes, as in "{'ids': output.ids}"`)
			return nil
		}
		source, ok := p.scalar(v, "an expression")
		if !ok {
			return nil
		}
		return p.compiled(v, source, want)
	}
}

func (p *reader) compiled(v value, source string, want result) *Expr {
	source = strings.TrimSpace(source)
	line := 0
	if p.lined {
		line = v.line
	}
	switch {
	case source == "":
		p.report(v, "the expression is empty", "")
		return nil
	case len(source) > MaxExpressionBytes:
		p.report(v, fmt.Sprintf("the expression is longer than %d bytes", MaxExpressionBytes), "")
		return nil
	}
	e, err := compileExpr(source, line, want)
	if err != nil {
		p.report(v, err.Error(), "")
		return nil
	}
	p.checkSteps(v, e)
	return e
}
