package workflow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/operators"
	"github.com/google/cel-go/common/types"
)

var errSteps = errors.New("steps is read by a step's name, as in steps.answer.output")

// refWalk collects the variables that an expression reads.
type refWalk struct {
	names map[string]bool
	// locals are the variables of the comprehensions around: they hide what has their name.
	locals []string
	err    error
}

func refsOf(root ast.Expr) ([]string, error) {
	w := refWalk{names: make(map[string]bool)}
	w.walk(root)
	return slices.Sorted(maps.Keys(w.names)), w.err
}

func (w *refWalk) walk(e ast.Expr) {
	switch e.Kind() {
	case ast.IdentKind:
		w.ident(e.AsIdent())
	case ast.SelectKind:
		field := e.AsSelect()
		w.field(field.Operand(), field.FieldName())
	case ast.CallKind:
		w.call(e.AsCall())
	case ast.ListKind:
		w.walkAll(e.AsList().Elements())
	case ast.MapKind:
		for _, entry := range e.AsMap().Entries() {
			w.walk(entry.AsMapEntry().Key())
			w.walk(entry.AsMapEntry().Value())
		}
	case ast.StructKind:
		w.fail(fmt.Errorf("there is no type %s; a map is written {'name': value}", e.AsStruct().TypeName()))
	case ast.ComprehensionKind:
		w.comprehension(e.AsComprehension())
	case ast.LiteralKind, ast.UnspecifiedExprKind:
	}
}

func (w *refWalk) walkAll(all []ast.Expr) {
	for _, e := range all {
		w.walk(e)
	}
}

func (w *refWalk) ident(name string) {
	global := strings.HasPrefix(name, ".")
	name = strings.TrimPrefix(name, ".")
	asked, isHas := strings.CutPrefix(name, hasPrefix)
	local := !global && slices.Contains(w.locals, asked)
	switch {
	case isHas && local:
		w.fail(fmt.Errorf("%s is the name of an item here, which always is there: has(%s) asks for nothing", asked, asked))
	case local || !isRoot(asked):
	case asked == stepsName:
		w.fail(errSteps)
	default:
		w.names[asked] = true
	}
}

func (w *refWalk) call(c ast.CallExpr) {
	switch c.FunctionName() {
	case operators.Index, operators.OptIndex, operators.OptSelect:
		if name, ok := c.Args()[1].AsLiteral().(types.String); ok && c.Args()[1].Kind() == ast.LiteralKind {
			w.field(c.Args()[0], string(name))
			return
		}
	}
	if c.IsMemberFunction() {
		w.walk(c.Target())
	}
	w.walkAll(c.Args())
}

// field reads a field of what is before it: of steps, one step.
func (w *refWalk) field(of ast.Expr, name string) {
	if of.Kind() != ast.IdentKind || !w.isSteps(of.AsIdent()) {
		w.walk(of)
		return
	}
	w.names[stepsPrefix+name] = true
}

func (w *refWalk) isSteps(name string) bool {
	return name == "."+stepsName || name == stepsName && !slices.Contains(w.locals, name)
}

func (w *refWalk) comprehension(c ast.ComprehensionExpr) {
	w.walk(c.IterRange())
	w.walk(c.AccuInit())
	outside := len(w.locals)
	w.locals = append(w.locals, c.AccuVar())
	w.walk(c.Result())
	w.locals = append(w.locals, c.IterVar())
	if c.HasIterVar2() {
		w.locals = append(w.locals, c.IterVar2())
	}
	w.walk(c.LoopCondition())
	w.walk(c.LoopStep())
	w.locals = w.locals[:outside]
}

func (w *refWalk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
