package wire

import (
	"encoding/binary"
	"strconv"
)

// encoder writes one message, or one object, in either encoding. Each message
// says once what it consists of; the encoder's primitives know how that is
// spelled. It lives on its caller's stack and allocates nothing but room.
type encoder struct {
	buf    []byte
	binary bool
	first  bool // JSON: the next field is the first of its object, which has no comma
	start  int  // of the record
	depth  int  // objects and lists that are open in the message
}

// open begins a message.
func open(dst Buffer, t Type) encoder {
	if dst.Encoding == Binary {
		header := [headerSize]byte{4: byte(t)}
		return encoder{buf: append(dst.Bytes, header[:]...), binary: true, start: len(dst.Bytes)}
	}
	return encoder{buf: append(dst.Bytes, types[t].opening...)}
}

// close ends the message.
func (e *encoder) close() Buffer {
	if !e.binary {
		return Buffer{Bytes: append(e.buf, '}')}
	}
	binary.LittleEndian.PutUint32(e.buf[e.start:], uint32(len(e.buf)-e.start)) //nolint:gosec // no message is that long
	return Buffer{Bytes: e.buf, Encoding: Binary}
}

// openBody begins an object that stands alone: the body of an HTTP request.
func openBody(dst []byte) encoder { return encoder{buf: append(dst, '{'), first: true} }

// closeBody ends it.
func (e *encoder) closeBody() []byte { return append(e.buf, '}') }

// name is the buffer behind the name of a field in JSON.
func (e *encoder) name(field uint8) []byte {
	spelling := fieldSpellings[field]
	if e.first {
		e.first = false
		spelling = spelling[1:]
	}
	return append(e.buf, spelling...)
}

// id writes the message's id, and number the number that its type has in the
// header's place: there where it is not 0, which means that there is none.
func (e *encoder) id(n uint64) { e.number(fieldID, n) }

func (e *encoder) number(field uint8, n uint64) {
	if e.binary && n != 0 {
		binary.LittleEndian.PutUint64(e.buf[e.start+8:], n)
		return
	}
	e.uint(field, n)
}

func (e *encoder) text(field uint8, text []byte) {
	if e.binary {
		e.buf = appendSpan(append(e.buf, field, kindText), text)
		return
	}
	e.buf = appendQuoted(e.name(field), text)
}

// optText leaves empty text out.
func (e *encoder) optText(field uint8, text []byte) {
	if len(text) > 0 {
		e.text(field, text)
	}
}

// word writes one of the protocol's own words.
func (e *encoder) word(field uint8, word string) {
	if e.binary {
		e.buf = binary.AppendUvarint(append(e.buf, field, kindText), uint64(len(word)))
		e.buf = append(e.buf, word...)
		return
	}
	e.buf = append(e.name(field), '"')
	e.buf = append(e.buf, word...)
	e.buf = append(e.buf, '"')
}

func (e *encoder) uint(field uint8, n uint64) {
	if e.binary {
		e.buf = binary.AppendUvarint(append(e.buf, field, kindInteger), n)
		return
	}
	e.buf = strconv.AppendUint(e.name(field), n, 10)
}

// optUint leaves zero out.
func (e *encoder) optUint(field uint8, n uint64) {
	if n > 0 {
		e.uint(field, n)
	}
}

func (e *encoder) millis(field uint8, n int64) {
	if e.binary {
		e.uint(field, uint64(n)) //nolint:gosec // a reader refuses what was negative, in both encodings
		return
	}
	e.buf = strconv.AppendInt(e.name(field), n, 10)
}

// optMillis leaves zero out.
func (e *encoder) optMillis(field uint8, n int64) {
	if n != 0 {
		e.millis(field, n)
	}
}

func (e *encoder) boolean(field uint8, yes bool) { //nolint:revive // The flag is what is written.
	if !e.binary {
		e.buf = strconv.AppendBool(e.name(field), yes)
		return
	}
	kind := kindFalse
	if yes {
		kind = kindTrue
	}
	e.buf = append(e.buf, field, kind)
}

// flag leaves false out.
func (e *encoder) flag(field uint8, yes bool) { //nolint:revive // The flag is what is written.
	if yes {
		e.boolean(field, true)
	}
}

func (e *encoder) tristate(field uint8, t Tristate) {
	if t != Unset {
		e.boolean(field, t == Yes)
	}
}

// optRaw leaves an absent value out.
func (e *encoder) optRaw(field uint8, value Raw) {
	switch {
	case len(value) == 0:
	case e.binary:
		e.buf = binary.AppendUvarint(append(e.buf, field, kindJSON), uint64(len(value)))
		e.buf = append(e.buf, value...)
	default:
		e.buf = append(e.name(field), value...)
	}
}

// optHeaders leaves an empty set out. Raw headers are encoded already, by
// AppendHeaders, and stand in the place of the others.
func (e *encoder) optHeaders(headers []Header, raw Raw) {
	switch {
	case len(headers) == 0:
		e.optRaw(fieldHeaders, raw)
	case e.binary:
		e.buf = append(e.buf, fieldHeaders, kindJSON)
		at := len(e.buf)
		e.buf = sealSpan(AppendHeaders(e.buf, headers), at)
	default:
		e.buf = AppendHeaders(e.name(fieldHeaders), headers)
	}
}
