package gateway

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// schema is a JSON schema as far as asyncapi.json uses it: what it does not know is a
// word that the document must not use.
type schema struct {
	Ref             string             `json:"$ref"`
	Type            string             `json:"type"`
	Const           any                `json:"const"`
	Enum            []any              `json:"enum"`
	Examples        []any              `json:"examples"`
	Description     string             `json:"description"`
	Properties      map[string]*schema `json:"properties"`
	Additional      *schema            `json:"additionalProperties"`
	Required        []string           `json:"required"`
	OneOf           []*schema          `json:"oneOf"`
	AnyOf           []*schema          `json:"anyOf"`
	Not             *schema            `json:"not"`
	Items           *schema            `json:"items"`
	MaxItems        *int               `json:"maxItems"`
	MaxProperties   *int               `json:"maxProperties"`
	MinLength       *int               `json:"minLength"`
	MaxLength       *int               `json:"maxLength"`
	Minimum         *float64           `json:"minimum"`
	Maximum         *float64           `json:"maximum"`
	Pattern         string             `json:"pattern"`
	ContentEncoding string             `json:"contentEncoding"`
}

// schemas are those of a document, by name.
type schemas map[string]*schema

func (all schemas) resolve(s *schema) *schema {
	for s.Ref != "" {
		s = all[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	return s
}

// valid tells whether a value, as package json has it, is one of the schema.
func (all schemas) valid(s *schema, value any) bool {
	s = all.resolve(s)
	if s.Type != "" && !isOf(s.Type, value) || !s.allows(value) || !all.validChoice(s, value) {
		return false
	}
	switch v := value.(type) {
	case string:
		return s.validText(v)
	case float64:
		return s.validNumber(v)
	case []any:
		return (s.MaxItems == nil || len(v) <= *s.MaxItems) &&
			(s.Items == nil || !slices.ContainsFunc(v, func(item any) bool { return !all.valid(s.Items, item) }))
	case map[string]any:
		return all.validObject(s, v)
	default:
		return true
	}
}

// allows tells whether a value is one of those that are listed, where some are.
func (s *schema) allows(value any) bool {
	same := func(one any) bool { return reflect.DeepEqual(one, value) }
	return (s.Const == nil || same(s.Const)) && (s.Enum == nil || slices.ContainsFunc(s.Enum, same))
}

func (all schemas) validChoice(s *schema, value any) bool {
	matches := func(one *schema) bool { return all.valid(one, value) }
	switch {
	case s.OneOf != nil && countOf(s.OneOf, matches) != 1, s.AnyOf != nil && countOf(s.AnyOf, matches) == 0:
		return false
	default:
		return s.Not == nil || !matches(s.Not)
	}
}

func (s *schema) validText(v string) bool {
	if s.ContentEncoding != "" {
		if _, err := base64.StdEncoding.DecodeString(v); err != nil {
			return false
		}
	}
	return (s.MinLength == nil || len(v) >= *s.MinLength) && (s.MaxLength == nil || len(v) <= *s.MaxLength) &&
		(s.Pattern == "" || regexp.MustCompile(s.Pattern).MatchString(v))
}

func (s *schema) validNumber(v float64) bool {
	return (s.Minimum == nil || v >= *s.Minimum) && (s.Maximum == nil || v <= *s.Maximum)
}

func (all schemas) validObject(s *schema, v map[string]any) bool {
	for _, name := range s.Required {
		if _, ok := v[name]; !ok {
			return false
		}
	}
	for name, value := range v {
		property := s.Properties[name]
		if property == nil {
			property = s.Additional
		}
		if property != nil && !all.valid(property, value) {
			return false
		}
	}
	return s.MaxProperties == nil || len(v) <= *s.MaxProperties
}

// lacks tells whether a field is missing that is required of an object, or of one in it.
func (all schemas) lacks(s *schema, value any) bool {
	s = all.resolve(s)
	object, ok := value.(map[string]any)
	if !ok {
		return false
	}
	for _, name := range s.Required {
		if _, ok := object[name]; !ok {
			return true
		}
	}
	for name, property := range s.Properties {
		if all.lacks(property, object[name]) {
			return true
		}
	}
	return false
}

func isOf(kind string, value any) bool {
	switch v := value.(type) {
	case string:
		return kind == "string"
	case float64:
		return kind == "number" || kind == "integer" && v == math.Trunc(v)
	case bool:
		return kind == "boolean"
	case []any:
		return kind == "array"
	case map[string]any:
		return kind == "object"
	default:
		return kind == "null"
	}
}

func countOf(list []*schema, matches func(*schema) bool) (n int) {
	for _, one := range list {
		if matches(one) {
			n++
		}
	}
	return n
}

// values are some of every kind, and those at and beyond each bound of the schema.
func (all schemas) values(s *schema) (some []any) {
	s = all.resolve(s)
	some = []any{"", "x", "a b", "live", "new", "earliest", "trimmed", 0.0, 1.0, -1.0, 1.5, 2000.0, math.Exp2(53), true, false, []any{}, []any{1.0}, map[string]any{}}
	some = append(some, s.Enum...)
	if s.Const != nil {
		some = append(some, s.Const)
	}
	if s.MaxLength != nil {
		some = append(some, strings.Repeat("x", *s.MaxLength), strings.Repeat("x", *s.MaxLength+1))
	}
	if s.Pattern != "" {
		some = append(some, strings.Repeat("x", 255), strings.Repeat("x", 256))
	}
	if s.Maximum != nil {
		some = append(some, *s.Maximum, *s.Maximum+1)
	}
	for _, one := range append(slices.Clone(s.OneOf), s.AnyOf...) {
		some = append(some, all.values(one)...)
	}
	if s.Items != nil {
		some = append(some, all.lists(s)...)
	}
	if s.MaxProperties != nil {
		some = append(some, objectOf(*s.MaxProperties), objectOf(*s.MaxProperties+1), map[string]any{"name": 5.0})
	}
	if s.Properties != nil {
		some = append(some, all.variants(s, all.least(s))...)
	}
	return some
}

func objectOf(size int) map[string]any {
	object := make(map[string]any)
	for i := range size {
		object[strings.Repeat("n", i)] = ""
	}
	return object
}

// lists are as long as may be, one longer, and with one item of each value.
func (all schemas) lists(s *schema) (some []any) {
	items := all.values(s.Items)
	for _, item := range items {
		some = append(some, []any{item})
	}
	at := slices.IndexFunc(items, func(item any) bool { return all.valid(s.Items, item) })
	if s.MaxItems != nil && at >= 0 {
		some = append(some, slices.Repeat([]any{items[at]}, *s.MaxItems), slices.Repeat([]any{items[at]}, *s.MaxItems+1))
	}
	return some
}

// least is an object with no more than it must have.
func (all schemas) least(s *schema) map[string]any {
	object := make(map[string]any)
	required := slices.Clone(s.Required)
	for _, alternatives := range [][]*schema{s.OneOf, s.AnyOf} {
		if len(alternatives) > 0 {
			required = append(required, alternatives[0].Required...)
		}
	}
	for _, name := range required {
		property := all.resolve(s.Properties[name])
		if property.Const != nil {
			object[name] = property.Const
			continue
		}
		some := all.values(property)
		object[name] = some[slices.IndexFunc(some, func(value any) bool { return all.valid(property, value) })]
	}
	return object
}

// variants are an object with each property in turn left out, or of any value.
func (all schemas) variants(s *schema, base map[string]any) (some []any) {
	with := func(name string, value any, there bool) {
		changed := make(map[string]any)
		maps.Copy(changed, base)
		delete(changed, name)
		if there {
			changed[name] = value
		}
		some = append(some, changed)
	}
	for name, property := range s.Properties {
		if name == "type" {
			continue
		}
		with(name, nil, false)
		for _, value := range all.values(property) {
			with(name, value, true)
		}
	}
	return some
}

// unknown lists the fields of a value that the schema does not have.
func (all schemas) unknown(t *testing.T, s *schema, value any, at string) {
	t.Helper()
	s = all.resolve(s)
	switch v := value.(type) {
	case map[string]any:
		for _, one := range s.OneOf {
			if one = all.resolve(one); one.Properties != nil && s.Properties == nil && all.valid(one, value) {
				s = one
			}
		}
		if s.Properties == nil {
			return // Any value, or any names.
		}
		for name, field := range v {
			if s.Properties[name] == nil {
				t.Errorf("%s.%s is not described", at, name)
			} else {
				all.unknown(t, s.Properties[name], field, at+"."+name)
			}
		}
	case []any:
		for _, item := range v {
			if s.Items != nil {
				all.unknown(t, s.Items, item, at+"[]")
			}
		}
	}
}

// plainJSON is text as package json has it.
func plainJSON(t *testing.T, text []byte) (value any) {
	t.Helper()
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return value
}
