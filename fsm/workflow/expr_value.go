package workflow

import (
	"errors"
	"fmt"
	"reflect"
	"sort"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// Bounds of the values in an evaluation.
const (
	// maxValueBytes bounds the JSON of a variable, maxValueDepth its nesting and that of a
	// result.
	maxValueBytes = 8 << 20
	maxValueDepth = 100
	// maxWeight bounds what an expression builds. Lists that hold one another several
	// times take little memory but endless time to compare or to write, and CEL's cost
	// model counts only the outermost items.
	maxWeight = 1 << 20
)

// errNative is the answer to those who want a value as a Go type, which nobody here does.
var errNative = errors.New("the value has no Go type")

// object is a JSON object, or a map that an expression has built. Unlike CEL's maps, which
// are Go maps, it is walked in the order of its keys: replicas must agree on it. It does not
// change.
type object struct {
	keys   []string // ascending
	values []ref.Val
	// weight is what it weighs with all that is in it.
	weight int
}

// newObject sorts a map's fields. Only text can be a key, as in JSON. Of several keys that
// cannot, the error names one by its text: CEL's map hands them out in any order.
func newObject(fields traits.Mapper) ref.Val {
	o := &object{}
	wrong := ""
	for it := fields.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			if is := typeName(key); wrong == "" || is < wrong {
				wrong = is
			}
			continue
		}
		o.keys = append(o.keys, string(name))
		o.values = append(o.values, fields.Get(key))
	}
	if wrong != "" {
		return types.WrapErr(errKey(wrong))
	}
	o.settle()
	if o.weight > maxWeight {
		return errHeavy()
	}
	return o
}

func errKey(is string) error { return fmt.Errorf("a key of a map must be a string, is %s", is) }

// Find implements traits.Mapper. What is no text is refused rather than missed: the error
// for a missed key would show it, a list by its address.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.WrapErr(errKey(typeName(key))), false
	}
	return o.find(string(name))
}

// Get implements traits.Indexer.
func (o *object) Get(key ref.Val) ref.Val {
	value, _ := o.Find(key)
	return types.ValOrErr(value, "no such key: %v", key)
}

// Contains implements traits.Container.
func (o *object) Contains(key ref.Val) ref.Val {
	_, found := o.Find(key)
	return types.Bool(found)
}

// Size implements traits.Sizer.
func (o *object) Size() ref.Val { return types.Int(len(o.keys)) }

// IsZeroValue implements traits.Zeroer.
func (o *object) IsZeroValue() bool { return len(o.keys) == 0 }

// Iterator implements traits.Iterable.
func (o *object) Iterator() traits.Iterator { return &keyIterator{Val: types.NullValue, keys: o.keys} }

// Fold implements traits.Foldable.
func (o *object) Fold(f traits.Folder) {
	for i, key := range o.keys {
		if !f.FoldEntry(types.String(key), o.values[i]) {
			return
		}
	}
}

// Equal implements ref.Val.
func (o *object) Equal(other ref.Val) ref.Val {
	that, ok := other.(*object)
	if !ok || len(o.keys) != len(that.keys) {
		return types.False
	}
	for i, key := range o.keys {
		if that.keys[i] != key || types.Equal(o.values[i], that.values[i]) != types.True {
			return types.False
		}
	}
	return types.True
}

// ConvertToNative implements ref.Val.
func (*object) ConvertToNative(reflect.Type) (any, error) { return nil, errNative }

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(to ref.Type) ref.Val {
	switch to {
	case types.MapType:
		return o
	case types.TypeType:
		return types.MapType
	}
	return types.NewErr("type conversion error from '%s' to '%s'", types.MapType, to)
}

// Type implements ref.Val.
func (*object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o *object) Value() any { return o }

// String is for messages.
func (*object) String() string { return "a map" }

func (o *object) find(name string) (ref.Val, bool) {
	i := sort.SearchStrings(o.keys, name)
	if i == len(o.keys) || o.keys[i] != name {
		return nil, false
	}
	return o.values[i], true
}

// keyIterator walks an object's keys.
type keyIterator struct {
	ref.Val // what an iterator must be too, and nobody asks

	keys []string
}

// HasNext implements traits.Iterator.
func (it *keyIterator) HasNext() ref.Val { return types.Bool(len(it.keys) > 0) }

// Next implements traits.Iterator.
func (it *keyIterator) Next() ref.Val {
	if len(it.keys) == 0 {
		return nil
	}
	key := it.keys[0]
	it.keys = it.keys[1:]
	return types.String(key)
}

// list is a JSON array, or a list that an expression has built: one of CEL's that knows
// what it weighs. It does not change.
type list struct {
	traits.Lister

	items  []ref.Val
	weight int
}

func newList(items []ref.Val) *list {
	l := &list{Lister: types.NewRefValList(types.DefaultTypeAdapter, items), items: items, weight: 1}
	for _, item := range items {
		l.weight += weigh(item)
	}
	return l
}

// String is for messages.
func (*list) String() string { return "a list" }

// weigh is how much there is in a value, in the units of CEL's cost: one for each that is
// not text, and one for every ten bytes of text.
func weigh(value ref.Val) int {
	switch v := value.(type) {
	case *object:
		return v.weight
	case *list:
		return v.weight
	case types.String:
		return textWeight(len(v))
	case types.Bytes:
		return textWeight(len(v))
	case *types.Optional:
		if v.HasValue() {
			return 1 + weigh(v.GetValue())
		}
	}
	return 1
}

func textWeight(length int) int { return 1 + length/10 }

// settle makes one of the two kinds above of what CEL has built, which also finds what is
// too much. A list that is still being filled stays as it is.
func settle(value ref.Val) ref.Val {
	switch v := value.(type) {
	case *object, *list, *stepOutputs, traits.MutableLister, traits.MutableMapper:
		return value
	case traits.Lister:
		l := newList(itemsOf(v))
		if l.weight > maxWeight {
			return errHeavy()
		}
		return l
	case traits.Mapper:
		return newObject(v)
	default:
		return value
	}
}

func itemsOf(l traits.Lister) []ref.Val {
	if own, ok := l.(*list); ok {
		return own.items
	}
	if items, ok := l.Value().([]ref.Val); ok {
		return items
	}
	var items []ref.Val
	for it := l.Iterator(); it.HasNext() == types.True; {
		items = append(items, it.Next())
	}
	return items
}

func errHeavy() ref.Val {
	return types.NewErr("the expression builds more than an expression may: over %d values", maxWeight)
}

// typeName is a value's type with its article.
func typeName(value ref.Val) string {
	if value == types.NullValue {
		return "null"
	}
	return articled(value.Type().TypeName())
}

func articled(name string) string {
	switch name {
	case "null_type", "null":
		return "null"
	case "google.protobuf.Timestamp":
		return "a timestamp"
	case "google.protobuf.Duration":
		return "a duration"
	case "optional_type":
		return "an optional value; .orValue() makes one of it that is always there"
	case "int":
		return "an int"
	default:
		return fmt.Sprintf("a %s", name)
	}
}
