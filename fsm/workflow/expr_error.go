package workflow

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/interpreter"
	"github.com/google/cel-go/parser"
)

// noOverloadText is how CEL begins to say that a function knows nothing of its arguments'
// types.
const noOverloadText = "no such overload"

// maxMessageBytes bounds an EvalError's message.
const maxMessageBytes = 500

var (
	errCost        = fmt.Errorf("the expression costs more than %d, which is all that one may", MaxExpressionCost)
	errLargeResult = fmt.Errorf("the result has more than %d bytes", MaxExpressionResult)
)

// EvalError means that an expression has no result with the values that a run has: the
// definition or the data is at fault, not the broker.
type EvalError struct {
	// Expr is the expression's text, Line where it stands (0 in a canonical definition).
	Expr    string
	Line    int
	Message string
}

// Error implements error.
func (e *EvalError) Error() string { return fmt.Sprintf("%s: %s", e.Expr, e.Message) }

// compileError is an expression that cannot be used.
type compileError struct {
	// Column counts from 1 in the expression; 0 where it is as a whole.
	Column  int
	Message string
}

// Error implements error.
func (e *compileError) Error() string {
	if e.Column == 0 {
		return e.Message
	}
	return fmt.Sprintf("%s (at column %d)", e.Message, e.Column)
}

// firstIssue is what is wrong with an expression, in a line.
func firstIssue(issues *cel.Issues) error {
	first := issues.Errors()[0]
	return &compileError{Column: first.Location.Column() + 1, Message: plain(first.Message)}
}

var (
	mangled    = regexp.MustCompile(`'(@?[_!\-\[\]?:+*/%<>=&|.a-z]+)' applied to '\((.*)\)'`)
	address    = regexp.MustCompile(`0xc[0-9a-f]{6,}`)
	undeclared = regexp.MustCompile(`undeclared reference to '([^']*)'.*`)
)

// plain puts CEL's words for a mistake into an author's.
func plain(message string) string {
	message = strings.TrimPrefix(message, "Syntax error: ")
	message, _, _ = strings.Cut(message, " expecting ")
	if found := mangled.FindStringSubmatch(message); found != nil && strings.HasPrefix(message, "found no matching overload") {
		return fmt.Sprintf("%s does not take %s", signOf(found[1]), strings.ReplaceAll(found[2], ", ", " and "))
	}
	if found := undeclared.FindStringSubmatch(message); found != nil {
		return fmt.Sprintf("there is no %q; the variables are %s", found[1], strings.Join(roots(), ", "))
	}
	return message
}

// signOf is an operator as it is written, for CEL's name of it.
func signOf(function string) string {
	if sign, ok := operators.FindReverse(function); ok && sign != "" {
		return sign
	}
	return strings.Trim(function, "_@")
}

// evalError says why an evaluation has no result.
func (e *Expr) evalError(err error) error {
	var canceled interpreter.EvalCancelledError
	message := err.Error()
	switch {
	case errors.Is(err, errCost), errors.As(err, &canceled):
		message = errCost.Error()
	case strings.HasPrefix(message, "no such key: "):
		message = e.missing(strings.TrimPrefix(message, "no such key: "))
	case strings.HasPrefix(message, "invalid qualifier type"):
		message = "a field is asked for by a string, an item by a whole number"
	case strings.Contains(message, "hash of unhashable type"):
		message = errKey("bytes").Error()
	case strings.HasPrefix(message, "internal error: "):
		message = "cannot be evaluated: " + strings.TrimPrefix(message, "internal error: ")
	case strings.HasPrefix(message, noOverloadText):
		message = e.wordFor(err) + " does not take values of these types"
	}
	return &EvalError{Expr: e.Source, Line: e.Line, Message: presentable(message)}
}

// presentable bounds a message, which may quote data, and takes out what is another on each
// replica.
func presentable(message string) string {
	if len(message) > maxMessageBytes {
		message = strings.ToValidUTF8(message[:maxMessageBytes], "") + "…"
	}
	return address.ReplaceAllString(message, "…")
}

// wordFor is the operator or function at which an evaluation failed.
func (e *Expr) wordFor(err error) string {
	word := "the expression"
	var failed *types.Err
	if !errors.As(err, &failed) {
		return word
	}
	ast.PostOrderVisit(e.checked.Expr(), ast.NewExprVisitor(func(node ast.Expr) {
		if node.ID() == failed.NodeID() && node.Kind() == ast.CallKind {
			word = signOf(node.AsCall().FunctionName())
		}
	}))
	return word
}

// missing says which field is missing of what, as far as only one place asks for it.
func (e *Expr) missing(field string) string {
	places := make(map[string]bool)
	text := ""
	ast.PostOrderVisit(e.checked.Expr(), ast.NewExprVisitor(func(node ast.Expr) {
		if of := fieldOf(node, field); of != nil {
			text = e.textOf(of)
			places[text] = true
		}
	}))
	switch {
	case len(places) != 1:
		return fmt.Sprintf("there is no field %s", field)
	case text == stepsName:
		return fmt.Sprintf("the step %s has no output yet", field)
	default:
		return fmt.Sprintf("%s has no field %s", text, field)
	}
}

// fieldOf is what a node asks for a field of; nil where it does not.
func fieldOf(node ast.Expr, field string) ast.Expr {
	if node.Kind() == ast.SelectKind {
		if node.AsSelect().FieldName() == field && !node.AsSelect().IsTestOnly() {
			return node.AsSelect().Operand()
		}
	}
	if node.Kind() == ast.CallKind {
		call := node.AsCall()
		if call.FunctionName() == operators.Index && call.Args()[1].Kind() == ast.LiteralKind &&
			call.Args()[1].AsLiteral().Equal(types.String(field)) == types.True {
			return call.Args()[0]
		}
	}
	return nil
}

// textOf is a part of an expression as text.
func (e *Expr) textOf(part ast.Expr) string {
	text, err := parser.Unparse(part, e.checked.SourceInfo())
	if err != nil {
		return "it"
	}
	return text
}
