package workflow

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/interpreter"
)

// hasPrefix stands before a variable's name in what asks whether it has a value: what the
// macro has makes of has(message). No name that somebody can write begins with it.
const hasPrefix = "@has_"

// resolved is what a scope has read of a variable.
type resolved struct {
	value ref.Val // nil for none
	err   error
	// failed means that err is Resolve's, not that of the value.
	failed bool
}

// Forget drops what was read of variables whose values are others from now on, as those of
// item and index for each item of a map: what else was read is kept.
func (s *Scope) Forget(names ...string) {
	for _, name := range names {
		delete(s.values, name)
	}
}

// read returns a variable's value, nil where it has none.
func (s *Scope) read(name string) (ref.Val, error) {
	entry, known := s.values[name]
	if !known {
		entry = s.resolve(name)
		if s.values == nil {
			s.values = make(map[string]resolved)
		}
		s.values[name] = entry
	}
	if entry.failed {
		s.failed = entry.err
	}
	return entry.value, entry.err
}

func (s *Scope) resolve(name string) resolved {
	var entry resolved
	text, found, err := s.Resolve(name)
	switch {
	case err != nil:
		entry.err, entry.failed = fmt.Errorf("read %s: %w", shown(name), err), true
	case found:
		if entry.value, err = decodeValue(text); err != nil {
			entry.err = fmt.Errorf("%s: %w", shown(name), err)
		}
	}
	return entry
}

// shown is a variable's name as expressions write it.
func shown(name string) string {
	if step, ok := strings.CutPrefix(name, stepsPrefix); ok {
		return stepsName + "." + step
	}
	return name
}

// activation is a scope as CEL sees it.
type activation Scope

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	s := (*Scope)(a)
	if name == stepsName {
		return &stepOutputs{scope: s}, true
	}
	if asked, ok := strings.CutPrefix(name, hasPrefix); ok {
		value, err := s.read(asked)
		if err != nil {
			return types.WrapErr(err), true
		}
		return types.Bool(value != nil), true
	}
	if !isRoot(name) {
		return nil, false
	}
	value, err := s.read(name)
	switch {
	case err != nil:
		return types.WrapErr(err), true
	case value == nil:
		return types.NewErr("%s has no value here; has(%s) tells whether it has", name, name), true
	case !fits(name, value):
		return types.NewErr("%s cannot be %s", name, typeName(value)), true
	}
	return value, true
}

// Parent implements interpreter.Activation.
func (*activation) Parent() interpreter.Activation { return nil }

// fits tells whether a variable whose type is declared is of it.
func fits(name string, value ref.Val) bool {
	switch name {
	case "tenant":
		return value.Type() == types.StringType
	case "index":
		return value.Type() == types.IntType
	default:
		return true
	}
}

// stepOutputs is the variable steps: each step is read when it is asked for.
type stepOutputs struct{ scope *Scope }

// Find implements traits.Mapper.
func (s *stepOutputs) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	value, err := s.scope.read(stepsPrefix + string(name))
	if err != nil {
		return types.WrapErr(err), false
	}
	return value, value != nil
}

// Get implements traits.Indexer.
func (s *stepOutputs) Get(key ref.Val) ref.Val {
	value, found := s.Find(key)
	if found || value != nil {
		return value
	}
	return types.NewErr("no such key: %v", key)
}

// Contains implements traits.Container.
func (s *stepOutputs) Contains(key ref.Val) ref.Val {
	value, found := s.Find(key)
	if types.IsError(value) {
		return value
	}
	return types.Bool(found)
}

// Size implements traits.Sizer. Nobody can ask: a check refuses steps as a whole.
func (*stepOutputs) Size() ref.Val { return types.IntZero }

// Iterator implements traits.Iterable.
func (*stepOutputs) Iterator() traits.Iterator { return (&object{}).Iterator() }

// Equal implements ref.Val.
func (*stepOutputs) Equal(ref.Val) ref.Val { return types.False }

// ConvertToNative implements ref.Val.
func (*stepOutputs) ConvertToNative(reflect.Type) (any, error) { return nil, errNative }

// ConvertToType implements ref.Val.
func (*stepOutputs) ConvertToType(ref.Type) ref.Val { return types.NewErr("steps is not a value") }

// Type implements ref.Val.
func (*stepOutputs) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (s *stepOutputs) Value() any { return s }
