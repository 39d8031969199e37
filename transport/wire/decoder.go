package wire

import (
	"io"
	"strconv"
)

// maxScratch is how much unescaped text a Decoder keeps room for between frames.
const maxScratch = 64 << 10

// Decoder reads the messages of one frame after the other. It is not safe for
// concurrent use. What it fills in points into the frame, or into the Decoder's
// own scratch where text had to be unescaped, and is valid until the next call
// of Next and for as long as the frame's bytes are left alone.
type Decoder struct {
	scanner
	record

	side    Side
	binary  bool
	scratch []byte

	// Of the object being read.
	seen  fieldSet // its fields so far
	field uint8    // the one being read
	fault fault    // what the message is refused for
}

// fault is a refusal in the making: the field's path and what is wanted of it.
type fault struct {
	field string
	text  string
}

// NewDecoder returns a Decoder of the messages that side sends.
func NewDecoder(side Side) *Decoder { return &Decoder{side: side} }

// Reset begins a frame of JSON.
func (d *Decoder) Reset(frame []byte) {
	d.binary = false
	d.begin(frame)
	if cap(d.scratch) > maxScratch {
		d.scratch = nil
	}
}

// ResetAs begins a frame of a connection's encoding. handles are the
// connection's; nil where the other side cannot give any.
func (d *Decoder) ResetAs(encoding Encoding, frame []byte, handles *ChannelHandles) {
	d.Reset(frame)
	if encoding == Binary {
		d.binary = true
		d.record = record{handles: handles}
	}
}

// Next reads the frame's next message into m. It returns io.EOF at the end of
// the frame, and otherwise only a *DecodeError. After one that is ErrMalformed
// it returns the same for the rest of the frame; after any other it goes on
// with the next message.
func (d *Decoder) Next(m *Message) error {
	m.Type = TypeUnknown
	d.scratch = d.scratch[:0]
	d.fault = fault{}
	if d.binary {
		return d.nextRecord(m)
	}
	switch c := d.peek(); {
	case d.problem != "":
		return d.malformedError()
	case c == 0 && d.pos == len(d.buf):
		return io.EOF
	case c != '{':
		d.malformed("a message must be a JSON object")
		return d.malformedError()
	}
	start := d.pos
	name, ok := d.leadingType()
	if !ok {
		found := d.survey(start)
		if d.problem != "" {
			return d.malformedError()
		}
		if name = found.name; !found.hasType {
			return found.decodeError(ErrMissingType, "type is missing or not a string")
		}
	}
	t := typeOf(name)
	if !t.SentBy(d.side) {
		return d.unknownType(start)
	}
	d.pos, d.depth = start, 0
	d.object(m.body(t))
	if d.problem == "" && d.fault.text == "" {
		m.Type = t
		return nil
	}
	return d.refused(start, t)
}

// Body reads the body of an HTTP publish: the fields of a publish without type
// and id, with client_id and tenant. The body is one object and nothing else.
func (d *Decoder) Body(body []byte, m *Emit) error { return d.whole(body, m, TypePublish) }

// whole reads one object and nothing else; refusals are those of a message of
// type t.
func (d *Decoder) whole(body []byte, m body, t Type) error {
	d.Reset(body)
	d.scratch = d.scratch[:0]
	d.fault = fault{}
	if d.peek() != '{' {
		d.malformed("the body must be a JSON object")
		return d.malformedError()
	}
	start := d.pos
	d.object(m)
	if d.problem != "" || d.fault.text != "" {
		return d.refused(start, t)
	}
	if d.peek() != 0 || d.pos < len(d.buf) {
		d.malformed("something follows the body")
		return d.malformedError()
	}
	return nil
}

// leadingType reads the type where writers put it: as the first field. The
// position is left for object to start over.
func (d *Decoder) leadingType() (name []byte, ok bool) {
	if !d.enter() || !d.more(0, '}') {
		return nil, false
	}
	span, escaped, ok := d.key()
	if !ok || escaped || string(span) != "type" || d.peek() != '"' {
		return nil, false
	}
	name, escaped, ok = d.quoted()
	return name, ok && !escaped
}

// object reads an object, which isObject has shown.
func (d *Decoder) object(b body) {
	outer := d.seen
	d.seen = fieldSet{}
	b.reset()
	if d.binary {
		if !d.enterGroup() || !d.fields(b) {
			return
		}
		d.leaveGroup()
	} else {
		if !d.enter() {
			return
		}
		for n := 0; d.more(n, '}'); n++ {
			if !d.member(b) {
				return
			}
		}
	}
	if d.problem == "" {
		b.check(d)
	}
	d.seen = outer
}

// member reads one field of an object in JSON.
func (d *Decoder) member(b body) bool {
	span, escaped, ok := d.key()
	if !ok {
		return false
	}
	f := lookup(span)
	if escaped {
		f = d.lookupEscaped(span)
	}
	if f == fieldUnknown {
		return d.skip()
	}
	if d.peek() == 'n' && !isRaw(f) {
		return d.literal("null")
	}
	return d.give(b, f)
}

// give hands a field to the object that it belongs to.
func (d *Decoder) give(b body, f uint8) bool {
	d.field = f
	if d.seen.has(f) {
		d.refuse("is given twice")
		return false
	}
	d.seen.add(f)
	if f == fieldType && d.depth == 1 {
		return d.pass() // Next has read it.
	}
	b.set(d, f)
	return d.problem == "" && d.fault.text == ""
}

// pass goes over the value of a field.
func (d *Decoder) pass() bool {
	if d.binary {
		return d.passValue()
	}
	return d.skip()
}

// lookupEscaped is lookup of a name that is spelled with escapes.
func (d *Decoder) lookupEscaped(span []byte) uint8 {
	name, ok := d.unescape(span)
	if !ok {
		return fieldUnknown
	}
	return lookup(name)
}

// ignore skips a field that this object does not know.
func (d *Decoder) ignore(field uint8) {
	d.seen.remove(field)
	d.pass()
}

// refuse says that the current field is not as wanted.
func (d *Decoder) refuse(text string) {
	if d.fault.text == "" && d.problem == "" {
		d.fault = fault{field: nameOf(d.field), text: text}
	}
}

// refuseWhole refuses the object rather than one of its fields.
func (d *Decoder) refuseWhole(text string) {
	if d.fault.text == "" && d.problem == "" {
		d.fault = fault{text: text}
	}
}

// within puts the name of the object or list around it before a refused field.
func (d *Decoder) within(field uint8, index int) {
	if d.fault.text == "" {
		return
	}
	path := nameOf(field)
	if index >= 0 {
		path += "[" + strconv.Itoa(index) + "]"
	}
	if d.fault.field == "" {
		d.fault.field = path
		return
	}
	d.fault.field = path + "." + d.fault.field
}

// missing refuses an object for what it lacks.
func (d *Decoder) missing(field uint8) {
	d.field = field
	d.refuse("is missing")
}

// need refuses an object that lacks one of the fields.
func (d *Decoder) need(fields ...uint8) {
	for _, f := range fields {
		if !d.seen.has(f) {
			d.missing(f)
			return
		}
	}
}
