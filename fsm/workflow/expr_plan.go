package workflow

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/functions"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
	"github.com/google/cel-go/parser"
)

// maxPatternSize bounds a regular expression, in the instructions that it is compiled to.
const maxPatternSize = 1000

// planner changes what CEL would run, where that is not the same on every replica, not
// bounded, or not what JSON needs:
//   - lists and maps become values that are walked in one order and know their weight;
//   - an int and a double may be added, subtracted, multiplied and divided;
//   - a call that would cost too much ends before it begins;
//   - there are no time zones but UTC and offsets, as machines have different tables.
type planner struct {
	env *cel.Env
	ast *ast.AST
	// comprehensions are the nodes that walk over something, by their ids.
	comprehensions map[int64]bool
}

func newPlanner(env *cel.Env, checked *ast.AST) *planner {
	p := &planner{env: env, ast: checked, comprehensions: make(map[int64]bool)}
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			p.comprehensions[e.ID()] = true
		}
	}))
	return p
}

// decorate is called for each node of the plan.
func (p *planner) decorate(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch n := node.(type) {
	case interpreter.InterpretableConst, interpreter.InterpretableAttribute:
		return node, nil
	case interpreter.InterpretableConstructor:
		return settledConstructor{n}, nil
	case interpreter.InterpretableCall:
		return p.call(n)
	}
	if p.comprehensions[node.ID()] && p.holds(node.ID()) {
		return settledNode{node}, nil
	}
	return node, nil
}

func (p *planner) call(call interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	switch call.Function() {
	case operators.Add, operators.Subtract, operators.Multiply, operators.Divide:
		if fills(call) {
			return call, nil
		}
		call = replaced(call, arithmetic(call.Function()))
	case overloads.Matches:
		implementation, err := matches(call.Args())
		if err != nil {
			return nil, err
		}
		call = replaced(call, implementation)
	default:
		if check := checkOf(call); check != nil {
			return p.checked(call, check)
		}
	}
	if p.holds(call.ID()) {
		return settledCall{call}, nil
	}
	return call, nil
}

// fills tells whether a call is that of a comprehension that takes up one more item.
func fills(call interpreter.InterpretableCall) bool {
	attribute, ok := call.Args()[0].(interpreter.InterpretableAttribute)
	if !ok {
		return false
	}
	named, ok := attribute.Attr().(interpreter.NamespacedAttribute)
	return ok && len(named.Qualifiers()) == 0 && len(named.CandidateVariableNames()) == 1 && named.CandidateVariableNames()[0] == parser.HiddenAccumulatorName
}

// holds tells whether a node's value may be a list or a map.
func (p *planner) holds(id int64) bool {
	kind := p.ast.GetType(id).Kind()
	return kind == types.ListKind || kind == types.MapKind || isAnything(kind)
}

// checked puts a check before a call. CEL has no place for it, so that the call is made
// again of the function that CEL has bound.
func (p *planner) checked(call interpreter.InterpretableCall, check func([]ref.Val) ref.Val) (interpreter.InterpretableV2, error) {
	bound, err := p.env.Functions()[call.Function()].Bindings()
	if err != nil {
		return nil, err
	}
	var run *functions.Overload
	for _, overload := range bound {
		if overload.Operator == call.OverloadID() || run == nil && overload.Operator == call.Function() {
			run = overload
		}
	}
	if run == nil {
		return nil, fmt.Errorf("%s is not bound", call.Function())
	}
	return settledCall{replaced(call, func(args ...ref.Val) ref.Val {
		if refusal := check(args); refusal != nil {
			return refusal
		}
		return invoke(run, args)
	})}, nil
}

func invoke(run *functions.Overload, args []ref.Val) ref.Val {
	switch {
	case len(args) == 1 && run.Unary != nil:
		return run.Unary(args[0])
	case len(args) == 2 && run.Binary != nil:
		return run.Binary(args[0], args[1])
	case run.Function != nil:
		return run.Function(args...)
	default:
		return types.NewErr("no such overload: %s", run.Operator)
	}
}

func replaced(call interpreter.InterpretableCall, run functions.FunctionOp) interpreter.InterpretableCall {
	return interpreter.NewCall(call.ID(), call.Function(), call.OverloadID(), call.Args(), run)
}

// checkOf is what must be asked before a function is called; nil for nothing.
func checkOf(call interpreter.InterpretableCall) func([]ref.Val) ref.Val {
	switch function := call.Function(); function {
	case "replace", "join", "indexOf", "lastIndexOf", "distinct", "sets.contains", "sets.intersects", "sets.equivalent":
		return func(args []ref.Val) ref.Val {
			if workOf(function, args) > MaxExpressionCost {
				return types.WrapErr(errCost)
			}
			return nil
		}
	case overloads.TimeGetFullYear, overloads.TimeGetMonth, overloads.TimeGetDayOfYear, overloads.TimeGetDayOfMonth,
		overloads.TimeGetDate, overloads.TimeGetDayOfWeek, overloads.TimeGetHours, overloads.TimeGetMinutes,
		overloads.TimeGetSeconds, overloads.TimeGetMilliseconds:
		if len(call.Args()) == 2 {
			return checkZone
		}
	}
	return nil
}

func checkZone(args []ref.Val) ref.Val {
	zone, ok := args[1].(types.String)
	if ok && zone != "UTC" && !strings.Contains(string(zone), ":") {
		return types.NewErr("the time zone %q cannot be used: write UTC or an offset as in +02:00", string(zone))
	}
	return nil
}

// arithmetic is +, -, * and /, for an int with a double too, which counts as a double then.
func arithmetic(operator string) functions.FunctionOp {
	return func(args ...ref.Val) ref.Val {
		a, b := meet(args[0], args[1])
		switch operator {
		case operators.Add:
			if left, ok := a.(traits.Adder); ok {
				return named(operator, a, b, left.Add(b))
			}
		case operators.Subtract:
			if left, ok := a.(traits.Subtractor); ok {
				return named(operator, a, b, left.Subtract(b))
			}
		case operators.Multiply:
			if left, ok := a.(traits.Multiplier); ok {
				return named(operator, a, b, left.Multiply(b))
			}
		case operators.Divide:
			if left, ok := a.(traits.Divider); ok {
				return named(operator, a, b, left.Divide(b))
			}
		}
		return noOverload(operator, a, b)
	}
}

// meet makes two numbers of one type, and a list out of one that was still to be filled:
// CEL would fill it here, though others see it.
func meet(a, b ref.Val) (left, right ref.Val) {
	if l, ok := a.(traits.MutableLister); ok {
		a = newList(append([]ref.Val(nil), itemsOf(l.ToImmutableList())...))
	}
	switch x := a.(type) {
	case types.Int:
		if _, ok := b.(types.Double); ok {
			return types.Double(x), b
		}
	case types.Double:
		if y, ok := b.(types.Int); ok {
			return a, types.Double(y)
		}
	}
	return a, b
}

// named says of which types an operator knows nothing.
func named(operator string, a, b, result ref.Val) ref.Val {
	if err, ok := result.(*types.Err); ok && strings.HasPrefix(err.Error(), noOverloadText) {
		return noOverload(operator, a, b)
	}
	return result
}

func noOverload(operator string, a, b ref.Val) ref.Val {
	sign, _ := operators.FindReverse(operator)
	return types.NewErr("%s does not take %s and %s", sign, typeName(a), typeName(b))
}

// matches is the function of that name. A pattern that is written out is compiled once.
func matches(args []interpreter.InterpretableV2) (functions.FunctionOp, error) {
	var compiled *regexp.Regexp
	if constant, ok := args[1].(interpreter.InterpretableConst); ok {
		pattern, isText := constant.Value().(types.String)
		if isText {
			var err error
			if compiled, err = compilePattern(string(pattern)); err != nil {
				return nil, err
			}
		}
	}
	return func(args ...ref.Val) ref.Val {
		text, ok1 := args[0].(types.String)
		pattern, ok2 := args[1].(types.String)
		if !ok1 || !ok2 {
			return types.NewErr("matches does not take %s and %s", typeName(args[0]), typeName(args[1]))
		}
		if workOf(overloads.Matches, args) > MaxExpressionCost {
			return types.WrapErr(errCost)
		}
		run := compiled
		if run == nil {
			var err error
			if run, err = compilePattern(string(pattern)); err != nil {
				return types.WrapErr(err)
			}
		}
		return types.Bool(run.MatchString(string(text)))
	}, nil
}

func compilePattern(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > MaxExpressionBytes {
		return nil, fmt.Errorf("the pattern has %d bytes, of which %d are allowed", len(pattern), MaxExpressionBytes)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return nil, err
	}
	if len(program.Inst) > maxPatternSize {
		return nil, fmt.Errorf("the pattern %.40q is too large", pattern)
	}
	return regexp.Compile(pattern)
}

// settledNode settles what a comprehension makes, settledCall what a call does, and
// settledConstructor a list or a map that is written out. They are three because CEL tells by
// its interfaces what a node costs.
type settledNode struct{ interpreter.InterpretableV2 }

// Exec implements interpreter.InterpretableV2.
func (n settledNode) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return settle(n.InterpretableV2.Exec(frame))
}

type settledCall struct{ interpreter.InterpretableCall }

// Exec implements interpreter.InterpretableV2.
func (n settledCall) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return settle(n.InterpretableCall.Exec(frame))
}

type settledConstructor struct {
	interpreter.InterpretableConstructor
}

// Exec implements interpreter.InterpretableV2.
func (n settledConstructor) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	return settle(n.InterpretableConstructor.Exec(frame))
}
