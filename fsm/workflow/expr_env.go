package workflow

import (
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/ext"
)

// stepsName is the variable whose fields are steps, stepsPrefix what stands before one's
// name in Scope.Resolve.
const (
	stepsName   = "steps"
	stepsPrefix = "steps/"
)

// environment is the language: one for all expressions, as making it takes milliseconds.
// The versions of the libraries are fixed, as another's result would not be another
// replica's.
//
//nolint:gochecknoglobals // a constant that takes a function to write
var environment = sync.OnceValues(func() (*cel.Env, error) {
	options := []cel.EnvOption{
		cel.Macros(cel.GlobalMacro(operators.Has, 1, expandHas)),
		cel.OptionalTypes(cel.OptionalTypesVersion(2)),
		cel.CrossTypeNumericComparisons(true),
		cel.DefaultUTCTimeZone(true),
		cel.ParserExpressionSizeLimit(MaxExpressionBytes),
		cel.ParserRecursionLimit(100),
		cel.ExpressionNodeLimit(2 * MaxExpressionBytes),
		cel.ASTValidators(cel.ValidateDurationLiterals(), cel.ValidateTimestampLiterals()),
		ext.Strings(ext.StringsVersion(4), ext.StringsMaxPrecision(100)),
		ext.Math(ext.MathVersion(2)),
		ext.Lists(ext.ListsVersion(2), ext.ListsMaxRangeSize(MaxMapItems)),
		ext.Sets(ext.SetsVersion(0)),
		ext.Encoders(ext.EncodersVersion(0)),
	}
	for _, root := range roots() {
		options = append(options, cel.Variable(root, rootType(root)), cel.Variable(hasPrefix+root, cel.BoolType))
	}
	return cel.NewEnv(append(options, mixedArithmetic()...)...)
})

// roots are the variables.
func roots() []string {
	return []string{"error", "event", "index", "item", "message", "output", "run", stepsName, "tenant", "vars"}
}

func isRoot(name string) bool { return slices.Contains(roots(), name) }

func rootType(name string) *cel.Type {
	switch name {
	case "tenant":
		return cel.StringType
	case "index":
		return cel.IntType
	case stepsName:
		return cel.MapType(cel.StringType, cel.DynType)
	default:
		return cel.DynType
	}
}

// mixedArithmetic lets 2 * 0.5 pass the check, as JSON does not tell whole numbers from
// others: what does it is in the plan.
func mixedArithmetic() []cel.EnvOption {
	var options []cel.EnvOption
	for _, operator := range []string{operators.Add, operators.Subtract, operators.Multiply, operators.Divide} {
		options = append(options, cel.Function(operator,
			cel.Overload(operator+"_int_double", []*cel.Type{cel.IntType, cel.DoubleType}, cel.DoubleType),
			cel.Overload(operator+"_double_int", []*cel.Type{cel.DoubleType, cel.IntType}, cel.DoubleType),
		))
	}
	return options
}

// expandHas is CEL's has, which asks for a field, and also asks whether a variable has a
// value.
func expandHas(factory cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	asked := args[0]
	if asked.Kind() == ast.SelectKind {
		field := asked.AsSelect()
		return factory.NewPresenceTest(field.Operand(), field.FieldName()), nil
	}
	if asked.Kind() == ast.IdentKind {
		if name := strings.TrimPrefix(asked.AsIdent(), "."); isRoot(name) && name != stepsName {
			return factory.NewIdent(hasPrefix + name), nil
		}
	}
	return nil, factory.NewError(asked.ID(), "has() asks for a field, as in has(output.score), or for a variable, as in has(message)")
}
