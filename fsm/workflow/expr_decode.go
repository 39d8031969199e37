package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// errNotJSON means that a variable's value is not JSON: what stores it is at fault.
var errNotJSON = errors.New("the value is not JSON")

// decodeValue reads JSON into CEL's values. A number without a fraction and an exponent is
// an int where 64 bits hold it, any other a double. Of a key that comes twice the last
// counts, as with encoding/json.
//
// It is written by hand because it is most of what a guard costs: encoding/json would
// build maps first, whose order is random, to be sorted and converted afterwards.
func decodeValue(data []byte) (ref.Val, error) {
	if len(data) > maxValueBytes {
		return nil, fmt.Errorf("the value has %d bytes, and an expression may read %d", len(data), maxValueBytes)
	}
	d := decoder{text: string(data)}
	value, err := d.value(0)
	if err != nil {
		return nil, err
	}
	if d.space(); d.at != len(d.text) {
		return nil, errNotJSON
	}
	return value, nil
}

// decoder is at one place of a text.
type decoder struct {
	text string
	at   int
}

func (d *decoder) value(depth int) (ref.Val, error) {
	if depth > maxValueDepth {
		return nil, fmt.Errorf("the value is nested deeper than %d", maxValueDepth)
	}
	d.space()
	switch d.peek() {
	case '{':
		return d.object(depth)
	case '[':
		return d.list(depth)
	case '"':
		text, err := d.string()
		return types.String(text), err
	case 't':
		return types.True, d.word("true")
	case 'f':
		return types.False, d.word("false")
	case 'n':
		return types.NullValue, d.word("null")
	default:
		return d.number()
	}
}

func (d *decoder) object(depth int) (ref.Val, error) {
	o := &object{}
	for more := d.open('}'); more; {
		d.space()
		key, err := d.string()
		if err != nil {
			return nil, err
		}
		if d.space(); !d.take(':') {
			return nil, errNotJSON
		}
		value, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o.keys, o.values = append(o.keys, key), append(o.values, value)
		if more, err = d.more('}'); err != nil {
			return nil, err
		}
	}
	o.settle()
	return o, nil
}

func (d *decoder) list(depth int) (ref.Val, error) {
	var items []ref.Val
	for more := d.open(']'); more; {
		item, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		if more, err = d.more(']'); err != nil {
			return nil, err
		}
	}
	return newList(items), nil
}

// open steps over a bracket, and over its counterpart where nothing is between them.
func (d *decoder) open(end byte) (more bool) {
	d.at++
	d.space()
	return !d.take(end)
}

// more steps over a comma or the closing bracket.
func (d *decoder) more(end byte) (bool, error) {
	d.space()
	if d.take(',') {
		return true, nil
	}
	if d.take(end) {
		return false, nil
	}
	return false, errNotJSON
}

func (d *decoder) string() (string, error) {
	if !d.take('"') {
		return "", errNotJSON
	}
	begin, plain := d.at, true
	for ; d.at < len(d.text); d.at++ {
		switch c := d.text[d.at]; {
		case c == '"':
			text := d.text[begin:d.at]
			d.at++
			if plain || !strings.Contains(text, `\`) && utf8.ValidString(text) {
				return text, nil
			}
			return unescape(d.text[begin-1 : d.at])
		case c == '\\':
			plain = false
			d.at++
		case c < ' ':
			return "", errNotJSON
		case c >= utf8.RuneSelf:
			plain = false
		}
	}
	return "", errNotJSON
}

func unescape(quoted string) (string, error) {
	var text string
	if json.Unmarshal([]byte(quoted), &text) != nil {
		return "", errNotJSON
	}
	return text, nil
}

func (d *decoder) number() (ref.Val, error) {
	begin := d.at
	d.take('-')
	if !d.take('0') && !d.digits() {
		return nil, errNotJSON
	}
	whole := true
	if d.take('.') {
		if whole = false; !d.digits() {
			return nil, errNotJSON
		}
	}
	if d.take('e') || d.take('E') {
		if !d.take('-') {
			d.take('+')
		}
		if whole = false; !d.digits() {
			return nil, errNotJSON
		}
	}
	text := d.text[begin:d.at]
	if whole {
		if number, err := strconv.ParseInt(text, 10, 64); err == nil {
			return types.Int(number), nil
		}
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(number, 0) {
		return nil, fmt.Errorf("the number %.40s is too large", text)
	}
	return types.Double(number), nil
}

// digits steps over one digit or more.
func (d *decoder) digits() bool {
	begin := d.at
	for d.peek() >= '0' && d.peek() <= '9' {
		d.at++
	}
	return d.at > begin
}

func (d *decoder) word(word string) error {
	if len(d.text)-d.at < len(word) || d.text[d.at:d.at+len(word)] != word {
		return errNotJSON
	}
	d.at += len(word)
	return nil
}

func (d *decoder) space() {
	for d.at < len(d.text) {
		switch d.text[d.at] {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return
		}
	}
}

// peek is the next byte, 0 at the end.
func (d *decoder) peek() byte {
	if d.at < len(d.text) {
		return d.text[d.at]
	}
	return 0
}

func (d *decoder) take(c byte) bool {
	if d.at < len(d.text) && d.text[d.at] == c {
		d.at++
		return true
	}
	return false
}

// settle sorts an object's fields, drops those that come again, and weighs it.
func (o *object) settle() {
	if !sort.StringsAreSorted(o.keys) {
		sort.Stable(byKey{o})
	}
	kept := 0
	for i, key := range o.keys {
		if i+1 < len(o.keys) && o.keys[i+1] == key {
			continue
		}
		o.keys[kept], o.values[kept] = key, o.values[i]
		kept++
	}
	o.keys, o.values = o.keys[:kept], o.values[:kept]
	o.weight = 1
	for i, key := range o.keys {
		o.weight += textWeight(len(key)) + weigh(o.values[i])
	}
}

// byKey sorts an object's fields by their names' bytes.
type byKey struct{ *object }

func (s byKey) Len() int           { return len(s.keys) }
func (s byKey) Less(i, j int) bool { return s.keys[i] < s.keys[j] }
func (s byKey) Swap(i, j int) {
	s.keys[i], s.keys[j] = s.keys[j], s.keys[i]
	s.values[i], s.values[j] = s.values[j], s.values[i]
}
