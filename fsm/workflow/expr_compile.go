package workflow

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
)

// maxComprehensions is how many of map, filter, exists and their like an expression may
// have: the time of the check grows with their square, and with 60 in a row it is a second.
const maxComprehensions = 16

// compile checks and plans an expression.
func compile(source string, want result) (*Expr, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(source)
	if issues.Err() != nil {
		return nil, firstIssue(issues)
	}
	if n := comprehensions(parsed.NativeRep().Expr()); n > maxComprehensions {
		return nil, fmt.Errorf("walks over lists and maps %d times, of which %d are allowed", n, maxComprehensions)
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, firstIssue(issues)
	}
	if err = want.accepts(checked.OutputType()); err != nil {
		return nil, err
	}
	e := &Expr{Source: source, checked: checked.NativeRep()}
	if e.refs, err = refsOf(e.checked.Expr()); err != nil {
		return nil, err
	}
	if err = checkKeys(e.checked); err != nil {
		return nil, err
	}
	estimate, err := env.EstimateCost(checked, sizes{})
	if err != nil {
		return nil, err
	}
	if estimate.Max > MaxExpressionCost {
		return nil, fmt.Errorf("the expression may cost more than %d, which is all that one may", MaxExpressionCost)
	}
	e.program, err = env.Program(checked,
		cel.CustomDecoratorV2(newPlanner(env, e.checked).decorate),
		cel.CostTracking(costs{}),
		cel.CostLimit(MaxExpressionCost))
	if err != nil {
		return nil, fmt.Errorf("%s", plain(err.Error()))
	}
	return e, nil
}

func comprehensions(root ast.Expr) int {
	n := 0
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.ComprehensionKind {
			n++
		}
	}))
	return n
}

// checkKeys refuses a map with a key that is known not to be a string.
func checkKeys(checked *ast.AST) error {
	var err error
	ast.PostOrderVisit(checked.Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() != ast.MapKind {
			return
		}
		for _, entry := range e.AsMap().Entries() {
			is := checked.GetType(entry.AsMapEntry().Key().ID())
			if is.Kind() != types.StringKind && !isAnything(is.Kind()) {
				err = errKey(articled(is.TypeName()))
			}
		}
	}))
	return err
}

// accepts refuses an expression whose type cannot be what it is for.
func (want result) accepts(is *cel.Type) error {
	if isAnything(is.Kind()) {
		return nil
	}
	for _, kind := range want.kinds() {
		if is.Kind() == kind {
			return nil
		}
	}
	return fmt.Errorf("must be %s, is %s", want, articled(is.TypeName()))
}

// isAnything tells whether a type says nothing before the expression runs.
func isAnything(kind types.Kind) bool {
	return kind == types.DynKind || kind == types.AnyKind || kind == types.TypeParamKind
}

// kinds are the types that a result may have.
func (want result) kinds() []types.Kind {
	switch want {
	case boolResult:
		return []types.Kind{types.BoolKind}
	case textResult:
		return []types.Kind{types.StringKind}
	case intResult:
		return []types.Kind{types.IntKind, types.UintKind, types.DoubleKind}
	case listResult:
		return []types.Kind{types.ListKind}
	case timeResult:
		return []types.Kind{types.TimestampKind, types.StringKind, types.IntKind, types.UintKind, types.DoubleKind}
	case durationResult:
		return []types.Kind{types.DurationKind, types.StringKind, types.IntKind, types.UintKind, types.DoubleKind}
	case anyResult:
		return []types.Kind{
			types.BoolKind, types.StringKind, types.IntKind, types.UintKind, types.DoubleKind, types.ListKind,
			types.MapKind, types.NullTypeKind, types.BytesKind, types.TimestampKind, types.DurationKind,
		}
	}
	return nil
}

// String says what a result must be.
func (want result) String() string {
	switch want {
	case boolResult:
		return "true or false"
	case textResult:
		return "a string"
	case intResult:
		return "a whole number"
	case listResult:
		return "a list"
	case timeResult:
		return "a time: a timestamp, RFC 3339 text or Unix milliseconds"
	case durationResult:
		return "a length of time: a duration, text as in 5m or milliseconds"
	case anyResult:
	}
	return "what JSON can hold"
}
