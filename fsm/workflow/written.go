package workflow

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
)

// written is a value of a canonical text. It is written by hand: what package json
// escapes has changed with its versions, and hashes may not.
type written interface {
	append(dst []byte) []byte
}

type (
	writtenText   string
	writtenNumber string
	writtenFlag   bool
	writtenList   []written
	writtenObject []member
)

// member is a key of an object with its value.
type member struct {
	key   string
	value written
}

// append writes a string: all as it is but quotes, backslashes and control characters.
func (t writtenText) append(dst []byte) []byte {
	dst = append(dst, '"')
	for i := range len(t) {
		switch c := t[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

func (n writtenNumber) append(dst []byte) []byte { return append(dst, n...) }

func (f writtenFlag) append(dst []byte) []byte { return strconv.AppendBool(dst, bool(f)) }

func (l writtenList) append(dst []byte) []byte {
	dst = append(dst, '[')
	for i, item := range l {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item.append(dst)
	}
	return append(dst, ']')
}

func (o *writtenObject) append(dst []byte) []byte {
	members := slices.SortedFunc(slices.Values(*o), func(a, b member) int { return cmp.Compare(a.key, b.key) })
	dst = append(dst, '{')
	for i, m := range members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(writtenText(m.key).append(dst), ':')
		dst = m.value.append(dst)
	}
	return append(dst, '}')
}

// put adds a member. The others, below, add none for what says nothing.
func (o *writtenObject) put(key string, v written) *writtenObject {
	*o = append(*o, member{key, v})
	return o
}

func (o *writtenObject) text(key, v string) *writtenObject {
	if v == "" {
		return o
	}
	return o.put(key, writtenText(v))
}

func (o *writtenObject) expression(key string, e *Expr) *writtenObject {
	return o.text(key, sourceOf(e))
}

func (o *writtenObject) duration(key string, ms int64) *writtenObject {
	if ms == 0 {
		return o
	}
	return o.put(key, writtenText(formatDuration(ms)))
}

func (o *writtenObject) count(key string, n int64) *writtenObject {
	if n == 0 {
		return o
	}
	return o.put(key, writtenNumber(strconv.FormatInt(n, 10)))
}

func (o *writtenObject) flag(key string, v bool) *writtenObject { //nolint:revive // v is a value, not a control flag
	if !v {
		return o
	}
	return o.put(key, writtenFlag(v))
}

func (o *writtenObject) texts(key string, of []string) *writtenObject {
	held := make(writtenList, len(of))
	for i, v := range of {
		held[i] = writtenText(v)
	}
	return o.list(key, held)
}

func (o *writtenObject) list(key string, v writtenList) *writtenObject {
	if len(v) == 0 {
		return o
	}
	return o.put(key, v)
}

func (o *writtenObject) object(key string, v *writtenObject) *writtenObject {
	if len(*v) == 0 {
		return o
	}
	return o.put(key, v)
}

func writtenRate(count, perMS int64) written {
	return writtenText(strconv.FormatInt(count, 10) + "/" + formatDuration(perMS))
}

// sourceOf is an expression's text, empty for none.
func sourceOf(e *Expr) string {
	if e == nil {
		return ""
	}
	return e.Source
}
