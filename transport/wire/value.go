package wire

// The readers of single values. Each one consumes a value, stores it, or
// refuses the field; none is called after a refusal.

// unescape answers the text of a span, in scratch.
func (d *Decoder) unescape(span []byte) (text []byte, ok bool) {
	start := len(d.scratch)
	d.scratch, ok = appendUnescaped(d.scratch, span)
	return d.scratch[start:len(d.scratch):len(d.scratch)], ok
}

// isText and isObject look at the value that is next.
func (d *Decoder) isText() bool {
	if d.binary {
		return d.kind == kindText
	}
	return d.peek() == '"'
}

func (d *Decoder) isObject() bool {
	if d.binary {
		return d.kind == kindObject
	}
	return d.peek() == '{'
}

// null consumes null, which only JSON has: in a record, empty text says it.
func (d *Decoder) null() bool { return !d.binary && d.peek() == 'n' && d.literal("null") }

// string reads a string of any length.
func (d *Decoder) string(want string) (text []byte, ok bool) {
	if d.binary {
		return d.recordText(want)
	}
	if d.peek() != '"' {
		d.refuse(want)
		return nil, false
	}
	text, escaped, ok := d.quoted()
	if ok && escaped {
		if text, ok = d.unescape(text); !ok {
			d.refuse("must not escape half a surrogate pair")
		}
	}
	return text, ok
}

// text reads a string of at most limit bytes.
func (d *Decoder) text(dst *[]byte, limit int) {
	text, ok := d.string("must be a string")
	switch {
	case !ok:
	case len(text) > limit:
		d.refuse(limitText(limit))
	default:
		*dst = text
	}
}

// limitText spells the limits out: a refusal costs no formatting.
func limitText(limit int) string {
	switch limit {
	case MaxNameBytes:
		return "must be at most 255 bytes"
	case MaxOpaqueBytes:
		return "must be at most 512 bytes"
	case MaxReasonBytes:
		return "must be at most 4096 bytes"
	default:
		return "must be at most 16384 bytes"
	}
}

// opaque reads what the server made up and the client hands back, which is
// never empty.
func (d *Decoder) opaque(dst *[]byte) {
	d.text(dst, MaxOpaqueBytes)
	if d.side == FromClient && d.fault.text == "" && len(*dst) == 0 {
		d.refuse("must not be empty")
	}
}

// cursor is opaque for a follower's, which names a position for each partition.
func (d *Decoder) cursor(dst *[]byte) {
	d.text(dst, MaxCursorBytes)
	if d.side == FromClient && d.fault.text == "" && len(*dst) == 0 {
		d.refuse("must not be empty")
	}
}

// name reads the name of a channel or a group.
func (d *Decoder) name(dst *[]byte) {
	text, ok := d.string("must be a string")
	switch {
	case !ok:
	case !ValidName(text):
		d.refuse("must be 1 to 255 of A-Z a-z 0-9 . _ -")
	default:
		*dst = text
	}
}

// texts reads a list of strings.
func (d *Decoder) texts(dst *[][]byte) {
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		if n == MaxNodes {
			d.refuse("must have at most 256 items")
			return
		}
		var text []byte
		d.text(&text, MaxReasonBytes)
		*dst = append(*dst, text)
	}
}

// array consumes the beginning of a list.
func (d *Decoder) array() bool {
	if d.binary {
		if d.kind == kindList {
			return d.enterGroup()
		}
		d.refuse("must be an array")
		return false
	}
	if d.peek() != '[' {
		d.refuse("must be an array")
		return false
	}
	return d.enter()
}

// element steps to the n-th element of a list.
func (d *Decoder) element(n int) bool {
	if d.binary {
		return d.nextValue()
	}
	return d.fault.text == "" && d.more(n, ']')
}

// nested reads an object inside the message.
func (d *Decoder) nested(b body) {
	f := d.field
	if !d.isObject() {
		d.refuse("must be an object")
		return
	}
	d.object(b)
	d.field = f
	d.within(f, -1)
}

// item reads an object inside a list, which list's field it is given as.
func (d *Decoder) item(b body, index int) {
	f := d.field
	if !d.isObject() {
		d.refuse("must be an array of objects")
		return
	}
	d.object(b)
	d.field = f
	d.within(f, index)
}

// anyJSON reads any value, as JSON.
func (d *Decoder) anyJSON() (span []byte, ok bool) {
	if d.binary {
		return d.recordJSON()
	}
	return d.value()
}

// raw reads any value.
func (d *Decoder) raw(dst *Raw) {
	if span, ok := d.anyJSON(); ok {
		*dst = span
	}
}

// boolean reads true or false.
func (d *Decoder) boolean(dst *bool) {
	if d.binary {
		d.recordBoolean(dst)
		return
	}
	switch d.peek() {
	case 't':
		*dst = d.literal("true")
	case 'f':
		*dst = false
		d.literal("false")
	default:
		d.refuse("must be true or false")
	}
}

// tristate reads true or false where neither is the third.
func (d *Decoder) tristate(dst *Tristate) {
	var yes bool
	d.boolean(&yes)
	*dst = No
	if yes {
		*dst = Yes
	}
}

const wantInteger = "must be an integer from 0 to 2^53-1"

// uint reads a counter or an id.
func (d *Decoder) uint(dst *uint64) {
	if d.binary {
		d.recordUint(dst)
		return
	}
	c := d.peek()
	if c != '-' && c-'0' > 9 {
		d.refuse(wantInteger)
		return
	}
	span, ok := d.number()
	if !ok {
		return
	}
	n, ok := integer(span)
	if !ok {
		d.refuse(wantInteger)
		return
	}
	*dst = n
}

// millis reads a time or a duration in milliseconds.
func (d *Decoder) millis(dst *int64) {
	var n uint64
	d.uint(&n)
	*dst = int64(n)
}

// integer is the value of a number that is written as a plain integer from 0
// to MaxInteger: no sign, no fraction, no exponent.
func integer(span []byte) (n uint64, ok bool) {
	if len(span) == 0 || len(span) > 16 {
		return 0, false
	}
	for _, c := range span {
		if c-'0' > 9 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, n <= MaxInteger
}

// Tristate is a boolean that may be absent.
type Tristate uint8

// The values of a Tristate.
const (
	Unset Tristate = iota
	No
	Yes
)

// Or is the boolean, or fallback where none was given.
func (t Tristate) Or(fallback bool) bool {
	if t == Unset {
		return fallback
	}
	return t == Yes
}
