package workflow

import (
	"math"
	"strconv"
	"strings"

	"github.com/google/cel-go/checker"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/overloads"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// unknownSize is how long a list or a text is taken to be when an expression is checked and
// only its run will tell. It is small: the check is to refuse what is hopeless by what is
// written, as are comprehensions five deep, and the run counts what really is.
const unknownSize = 16

// sizes estimates for the check.
type sizes struct{}

// EstimateSize implements checker.CostEstimator.
func (sizes) EstimateSize(checker.AstNode) *checker.SizeEstimate {
	return &checker.SizeEstimate{Min: 0, Max: unknownSize}
}

// EstimateCallCost implements checker.CostEstimator: the standard costs are good.
func (sizes) EstimateCallCost(string, string, *checker.AstNode, []checker.AstNode) *checker.CallEstimate {
	return nil
}

// costs counts when an expression runs.
type costs struct{}

// CallCost implements interpreter.ActualCostEstimator. CEL's own costs take what a list holds
// for nothing, and most functions of its extensions for one.
func (costs) CallCost(function, _ string, args []ref.Val, result ref.Val) *uint64 {
	cost := 1 + workOf(function, args)
	switch function {
	case operators.Equals, operators.NotEquals:
		cost += min(heft(args[0]), heft(args[1]))
	case operators.In, operators.OldIn:
		cost += heft(args[len(args)-1])
	case operators.Add:
		if _, filling := args[0].(traits.MutableLister); filling && extent(args[1]) <= 1 {
			break // a comprehension takes up one more
		}
		cost += extent(args[0]) + extent(args[1])
	case overloads.Size:
		if _, isText := args[0].(types.String); isText {
			cost += extent(args[0])
		}
	case "format", "join":
		cost += heft(args[0]) + heft(args[len(args)-1])
	default:
		for _, arg := range args {
			cost += extent(arg)
		}
		cost += extent(result)
	}
	return &cost
}

// workOf is what a function costs whose work is more than what it reads and makes, or
// whose result is: it is asked for before such a function runs, as one call can be too much.
func workOf(function string, args []ref.Val) uint64 {
	switch function {
	case "replace":
		return replaceWork(args)
	case "join":
		return joinWork(args)
	case "indexOf", "lastIndexOf":
		return times(extent(args[0]), extent(args[1]))
	case overloads.Matches:
		return times(1+extent(args[0]), patternWork(args[1]))
	case "distinct":
		return times(extent(args[0]), heft(args[0])) / 10
	case "sets.contains", "sets.intersects", "sets.equivalent":
		return times(extent(args[0]), heft(args[1])) / 10
	default:
		return 0
	}
}

func replaceWork(args []ref.Val) uint64 {
	text, ok1 := args[0].(types.String)
	from, ok2 := args[1].(types.String)
	to, ok3 := args[2].(types.String)
	if !ok1 || !ok2 || !ok3 {
		return 0 // the function refuses it
	}
	return times(uint64(max(0, strings.Count(string(text), string(from)))), uint64(len(to))) / 10
}

func joinWork(args []ref.Val) uint64 {
	if len(args) < 2 {
		return 0
	}
	separator, ok := args[1].(types.String)
	if !ok {
		return 0
	}
	return times(extent(args[0]), uint64(len(separator))) / 10
}

// patternWork is how large a pattern becomes: it grows with its repetitions, {1000} being a
// thousand times what stands before it.
func patternWork(value ref.Val) uint64 {
	pattern, ok := value.(types.String)
	if !ok {
		return 0
	}
	most := 1
	for _, part := range strings.FieldsFunc(string(pattern), func(c rune) bool { return c < '0' || c > '9' }) {
		if n, err := strconv.Atoi(part); err == nil && n <= 1000 {
			most = max(most, n)
		}
	}
	return times(uint64(len(pattern)/4+1), uint64(most))
}

// heft is what a value weighs with all that is in it.
func heft(value ref.Val) uint64 { return uint64(max(0, weigh(value))) }

// extent is how much there is to step through without going into the items.
func extent(value ref.Val) uint64 {
	switch v := value.(type) {
	case types.String:
		return uint64(len(v)+9) / 10
	case types.Bytes:
		return uint64(len(v)+9) / 10
	case traits.Lister:
		return sizeOf(v)
	default:
		return 0
	}
}

func sizeOf(v traits.Sizer) uint64 {
	size, ok := v.Size().(types.Int)
	if !ok || size < 0 {
		return 0
	}
	return uint64(size)
}

// times multiplies, and stays at the largest number.
func times(a, b uint64) uint64 {
	if b != 0 && a > math.MaxUint32 || a != 0 && b > math.MaxUint32 {
		return math.MaxUint64 / 4
	}
	return a * b
}
