package workflow

import (
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
)

// compile checks and plans an expression.
func compile(source string, want result) (*Expr, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	checked, issues := env.Compile(source)
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

// accepts refuses an expression whose type cannot be what it is for.
func (want result) accepts(is *cel.Type) error {
	if is.Kind() == types.DynKind || is.Kind() == types.AnyKind || is.Kind() == types.TypeParamKind {
		return nil
	}
	for _, kind := range want.kinds() {
		if is.Kind() == kind {
			return nil
		}
	}
	return fmt.Errorf("must be %s, is %s", want, articled(is.TypeName()))
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
