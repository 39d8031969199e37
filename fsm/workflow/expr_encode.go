package workflow

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
)

// appendValue appends a value's JSON: keys ascending, no spaces, a double as the shortest
// text that reads as the same, bytes as base64, times in UTC as RFC 3339 and durations in
// seconds as in 90s.
func appendValue(to []byte, value ref.Val, depth int) ([]byte, error) {
	if depth > maxValueDepth {
		return nil, fmt.Errorf("the result is nested deeper than %d", maxValueDepth)
	}
	if len(to) > MaxExpressionResult {
		return nil, errLargeResult
	}
	switch v := value.(type) {
	case *object:
		return appendObject(to, v, depth)
	case *list:
		return appendList(to, v.items, depth)
	case types.String:
		return appendText(to, string(v))
	case types.Int:
		return strconv.AppendInt(to, int64(v), 10), nil
	case types.Double:
		return appendDouble(to, float64(v))
	case types.Bool:
		return strconv.AppendBool(to, bool(v)), nil
	case types.Null:
		return append(to, "null"...), nil
	default:
		return appendRare(to, value, depth)
	}
}

// appendRare appends what JSON has no type for.
func appendRare(to []byte, value ref.Val, depth int) ([]byte, error) {
	switch v := value.(type) {
	case types.Uint:
		return strconv.AppendUint(to, uint64(v), 10), nil
	case types.Bytes:
		return appendText(to, base64.StdEncoding.EncodeToString(v))
	case types.Timestamp:
		return appendText(to, v.UTC().Format(time.RFC3339Nano))
	case types.Duration:
		return appendText(to, durationText(v.Duration))
	}
	switch settled := settle(value).(type) {
	case *object, *list:
		return appendValue(to, settled, depth)
	case *types.Err:
		return nil, settled
	}
	return nil, fmt.Errorf("the result holds %s, which JSON cannot", typeName(value))
}

func appendObject(to []byte, o *object, depth int) ([]byte, error) {
	to = append(to, '{')
	for i, key := range o.keys {
		if i > 0 {
			to = append(to, ',')
		}
		var err error
		if to, err = appendText(to, key); err != nil {
			return nil, err
		}
		if to, err = appendValue(append(to, ':'), o.values[i], depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, '}'), nil
}

func appendList(to []byte, items []ref.Val, depth int) ([]byte, error) {
	to = append(to, '[')
	for i, item := range items {
		if i > 0 {
			to = append(to, ',')
		}
		var err error
		if to, err = appendValue(to, item, depth+1); err != nil {
			return nil, err
		}
	}
	return append(to, ']'), nil
}

// appendDouble writes as encoding/json does.
func appendDouble(to []byte, number float64) ([]byte, error) {
	if math.IsNaN(number) || math.IsInf(number, 0) {
		return nil, fmt.Errorf("the result holds %v, which JSON cannot", number)
	}
	format := byte('f')
	if size := math.Abs(number); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	begin := len(to)
	to = strconv.AppendFloat(to, number, format, -1, 64)
	if n := len(to); format == 'e' && n-begin >= 4 && to[n-4] == 'e' && to[n-3] == '-' && to[n-2] == '0' {
		to = append(to[:n-2], to[n-1]) // e-09 is e-9
	}
	return to, nil
}

// appendText writes as encoding/json does when it does not escape HTML.
func appendText(to []byte, text string) ([]byte, error) {
	if len(to)+len(text) > MaxExpressionResult {
		return nil, errLargeResult
	}
	to = append(to, '"')
	begin := 0
	for i := 0; i < len(text); {
		char, size := utf8.DecodeRuneInString(text[i:])
		escape := escapeOf(char, size)
		if escape != "" {
			to = append(append(to, text[begin:i]...), escape...)
			begin = i + size
		}
		i += size
	}
	return append(append(to, text[begin:]...), '"'), nil
}

// escapeOf is how a character is written; empty for as it is.
func escapeOf(char rune, size int) string {
	switch {
	case char == utf8.RuneError && size == 1:
		return `\ufffd`
	case char == '"':
		return `\"`
	case char == '\\':
		return `\\`
	case char == '\u2028':
		return `\u2028`
	case char == '\u2029':
		return `\u2029`
	case char >= ' ':
		return ""
	}
	switch char {
	case '\b':
		return `\b`
	case '\f':
		return `\f`
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	default:
		return fmt.Sprintf(`\u%04x`, char)
	}
}

// durationText is a duration in seconds, as in 90s or 1.5s.
func durationText(d time.Duration) string {
	seconds, nanos := int64(d/time.Second), int64(d%time.Second)
	if nanos == 0 {
		return strconv.FormatInt(seconds, 10) + "s"
	}
	sign := ""
	if d < 0 {
		sign, seconds, nanos = "-", -seconds, -nanos
	}
	digits := fmt.Sprintf("%09d", nanos)
	for digits[len(digits)-1] == '0' {
		digits = digits[:len(digits)-1]
	}
	return sign + strconv.FormatInt(seconds, 10) + "." + digits + "s"
}
