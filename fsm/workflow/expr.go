package workflow

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// MaxExpressionResult bounds the JSON of an expression's result.
const MaxExpressionResult = 1 << 20

// Expr is a compiled expression in CEL. It does not change.
type Expr struct {
	// Source is its text, Line where that stands (0 in a canonical definition).
	Source string
	Line   int

	refs    []string
	checked *ast.AST
	program cel.Program
}

// result is what an expression is for: what its value must be.
type result uint8

// What expressions are for.
const (
	anyResult result = iota
	boolResult
	textResult
	intResult
	listResult
	timeResult
	durationResult
)

// compileExpr compiles and checks an expression; the error says what is wrong and, where
// that is known, where in the text.
func compileExpr(source string, line int, want result) (e *Expr, err error) {
	// CEL may panic on what nobody thought of: that is the expression's failure.
	defer func() {
		if cause := recover(); cause != nil {
			e, err = nil, fmt.Errorf("cannot be compiled: %v", cause)
		}
	}()
	if len(source) > MaxExpressionBytes {
		return nil, fmt.Errorf("has %d bytes, of which %d are allowed", len(source), MaxExpressionBytes)
	}
	if e, err = compile(source, want); err != nil {
		return nil, err
	}
	e.Line = line
	return e, nil
}

// Scope is what expressions see during one evaluation of a run. What one of them has
// read is kept decoded for the next. It is for one goroutine.
type Scope struct {
	// Resolve returns the JSON of a variable: event, run, output, item, index, vars,
	// message, error, tenant, or steps/NAME for what steps.NAME is ({"output":…}). found is
	// false for one that has no value now, which an expression can ask for with has(). It is
	// called once for a name, and not for what an evaluation does not come to.
	Resolve func(name string) (value []byte, found bool, err error)

	values map[string]resolved
	// failed is an error of Resolve that this evaluation met. It ends it, though CEL's || and
	// && would go on without the value.
	failed error
}

// Refs are the variables that the expression reads, ascending: names as Scope.Resolve gets
// them.
func (e *Expr) Refs() []string { return e.refs }

// JSON evaluates the expression; the result is JSON with sorted keys and no spaces.
//
// Of all evaluations the error is an EvalError where the expression or the data is at
// fault, and otherwise that of Scope.Resolve.
func (e *Expr) JSON(s *Scope) ([]byte, error) {
	value, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	text, err := appendValue(nil, value, 0)
	if err == nil && len(text) > MaxExpressionResult {
		err = errLargeResult
	}
	if err != nil {
		return nil, e.evalError(err)
	}
	return text, nil
}

// Bool evaluates an expression whose result is true or false.
func (e *Expr) Bool(s *Scope) (bool, error) {
	value, err := e.eval(s)
	if err != nil {
		return false, err
	}
	answer, ok := value.(types.Bool)
	if !ok {
		return false, e.wrong(boolResult, value)
	}
	return bool(answer), nil
}

// Text evaluates an expression whose result is a string.
func (e *Expr) Text(s *Scope) (string, error) {
	value, err := e.eval(s)
	if err != nil {
		return "", err
	}
	text, ok := value.(types.String)
	if !ok {
		return "", e.wrong(textResult, value)
	}
	if len(text) > MaxExpressionResult {
		return "", e.evalError(errLargeResult)
	}
	return string(text), nil
}

// Int evaluates an expression whose result is a whole number.
func (e *Expr) Int(s *Scope) (int64, error) {
	value, err := e.eval(s)
	if err != nil {
		return 0, err
	}
	number, ok := whole(value)
	if !ok {
		return 0, e.wrong(intResult, value)
	}
	return number, nil
}

// List evaluates an expression whose result is a list, into the JSON of each item, of which
// all together have at most MaxExpressionResult bytes.
func (e *Expr) List(s *Scope) ([][]byte, error) {
	value, err := e.eval(s)
	if err != nil {
		return nil, err
	}
	items, ok := settle(value).(*list)
	if !ok {
		return nil, e.wrong(listResult, value)
	}
	texts := make([][]byte, len(items.items))
	var all []byte
	for i, item := range items.items {
		begin := len(all)
		if all, err = appendValue(all, item, 0); err == nil && len(all) > MaxExpressionResult {
			err = errLargeResult
		}
		if err != nil {
			return nil, e.evalError(err)
		}
		texts[i] = all[begin:len(all):len(all)]
	}
	return texts, nil
}

// TimeMS evaluates an expression for a time (a timestamp, RFC 3339 text, or Unix
// milliseconds), as Unix milliseconds.
func (e *Expr) TimeMS(s *Scope) (int64, error) {
	value, err := e.eval(s)
	if err != nil {
		return 0, err
	}
	switch v := value.(type) {
	case types.Timestamp:
		return v.UnixMilli(), nil
	case types.String:
		if at, parseErr := time.Parse(time.RFC3339, string(v)); parseErr == nil {
			return at.UnixMilli(), nil
		}
	}
	number, ok := whole(value)
	if !ok {
		return 0, e.wrong(timeResult, value)
	}
	return number, nil
}

// DurationMS evaluates an expression for a length of time (a duration, its text, or
// milliseconds), as milliseconds. It is below 0 for what lies back.
func (e *Expr) DurationMS(s *Scope) (int64, error) {
	value, err := e.eval(s)
	if err != nil {
		return 0, err
	}
	switch v := value.(type) {
	case types.Duration:
		return v.Milliseconds(), nil
	case types.String:
		if length, parseErr := time.ParseDuration(string(v)); parseErr == nil {
			return length.Milliseconds(), nil
		}
	}
	number, ok := whole(value)
	if !ok {
		return 0, e.wrong(durationResult, value)
	}
	return number, nil
}

// eval evaluates, whatever the result's type.
func (e *Expr) eval(s *Scope) (value ref.Val, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			value, err = nil, e.evalError(fmt.Errorf("cannot be evaluated: %v", cause))
		}
	}()
	s.failed = nil
	value, _, err = e.program.Eval((*activation)(s))
	switch {
	case s.failed != nil:
		return nil, s.failed
	case err != nil:
		return nil, e.evalError(err)
	case types.IsUnknownOrError(value):
		return nil, e.evalError(errors.New("has no value"))
	}
	return value, nil
}

// wrong is the error of a result of another type.
func (e *Expr) wrong(want result, value ref.Val) error {
	is := typeName(value)
	switch v := value.(type) {
	case types.String:
		is = fmt.Sprintf("the string %.60q", string(v))
	case types.Double:
		is = fmt.Sprintf("the number %v", float64(v))
	}
	return e.evalError(fmt.Errorf("must be %s, is %s", want, is))
}

// whole is a number without a fraction that 64 bits hold.
func whole(value ref.Val) (int64, bool) {
	switch v := value.(type) {
	case types.Int:
		return int64(v), true
	case types.Uint:
		if v <= math.MaxInt64 {
			return int64(v), true
		}
	case types.Double:
		number := float64(v)
		return int64(number), number == math.Trunc(number) && number >= -(1<<63) && number < 1<<63
	}
	return 0, false
}
