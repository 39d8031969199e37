package wire

import (
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// The readers of single values of a record. d.kind is the value's; each one
// consumes the value, or refuses the field.

// uvarint consumes a variable-length integer: seven bits a byte, lowest first.
func (d *Decoder) uvarint() (n uint64, ok bool) {
	if d.pos < d.end && d.buf[d.pos] < 0x80 {
		n = uint64(d.buf[d.pos])
		d.pos++
		return n, true
	}
	n, size := binary.Uvarint(d.buf[d.pos:d.end])
	switch {
	case size == 0:
		return 0, d.malformed("a number that is cut off")
	case size < 0:
		return 0, d.malformed("a number of more than 64 bits")
	case d.buf[d.pos+size-1] == 0:
		return 0, d.malformed("a number that has a shorter form")
	}
	d.pos += size
	return n, true
}

// span consumes a length and so many bytes, which it answers.
func (d *Decoder) span() (span []byte, ok bool) {
	n := uint64(d.end - d.pos) //nolint:gosec // not negative
	if d.place != inPayload {
		if n, ok = d.uvarint(); !ok {
			return nil, false
		}
	}
	return d.take(n)
}

func (d *Decoder) take(n uint64) (span []byte, ok bool) {
	if n > uint64(d.end-d.pos) { //nolint:gosec // not negative
		return nil, d.malformed("a value that is longer than what it is part of")
	}
	start := d.pos
	d.pos += int(n) //nolint:gosec // no more than there is
	return d.buf[start:d.pos:d.pos], true
}

// groupSize consumes the size of a group.
func (d *Decoder) groupSize() (n uint64, ok bool) {
	size, ok := d.take(4)
	if !ok {
		return 0, false
	}
	return uint64(binary.LittleEndian.Uint32(size)), true
}

// passValue consumes a value of any kind, known or not.
func (d *Decoder) passValue() (ok bool) {
	switch d.kind & shapeMask {
	case shapeNothing:
		return true
	case shapeNumber:
		if d.place == inHeader {
			return true
		}
		_, ok = d.uvarint()
	case shapeSpan:
		_, ok = d.span()
	case shapeGroup:
		var n uint64
		if n, ok = d.groupSize(); ok {
			_, ok = d.take(n)
		}
	}
	return ok
}

// enterGroup consumes the size of a list or an object; what follows is read from
// inside it, up to leaveGroup.
func (d *Decoder) enterGroup() bool {
	n, ok := d.groupSize()
	switch {
	case !ok:
		return false
	case n > uint64(d.end-d.pos): //nolint:gosec // not negative
		return d.malformed("a value that is longer than what it is part of")
	case d.depth == maxGroups:
		return d.malformed("nested deeper than any message")
	}
	d.outer[d.depth] = d.end
	d.depth++
	d.end = d.pos + int(n) //nolint:gosec // no more than there is
	return true
}

func (d *Decoder) leaveGroup() {
	d.depth--
	d.end = d.outer[d.depth]
}

// nextValue steps to the next value of a list, or out of it.
func (d *Decoder) nextValue() bool {
	if d.fault.text != "" || d.problem != "" {
		return false
	}
	if d.pos == d.end {
		d.leaveGroup()
		return false
	}
	d.kind = d.buf[d.pos]
	d.pos++
	return true
}

func (d *Decoder) recordText(want string) (text []byte, ok bool) {
	if d.kind != kindText {
		d.refuse(want)
		return nil, false
	}
	text, ok = d.span()
	if ok && !utf8.Valid(text) {
		d.refuse("must be valid UTF-8")
		return nil, false
	}
	return text, ok
}

// recordJSON reads one JSON value and answers it without the whitespace around it.
func (d *Decoder) recordJSON() (value []byte, ok bool) {
	if d.kind != kindJSON {
		d.refuse("must be of the kind JSON")
		return nil, false
	}
	span, ok := d.span()
	if !ok {
		return nil, false
	}
	s := scanner{buf: span, depth: d.depth}
	value, ok = s.value()
	if !ok || s.peek() != 0 || s.pos < len(span) {
		d.refuse("must be one JSON value, nested at most 128 deep with the message")
		return nil, false
	}
	return value, true
}

func (d *Decoder) recordBytes() (span []byte, ok bool) {
	if d.kind != kindBytes {
		d.refuse("must be of the kind bytes")
		return nil, false
	}
	return d.span()
}

// recordHeaders reads the JSON object that headers are in records too: they are
// stored and delivered as that, without being taken apart.
func (d *Decoder) recordHeaders(dst *[]Header) {
	const want = "must be an object of strings"
	if d.kind != kindJSON {
		d.refuse(want)
		return
	}
	span, ok := d.span()
	if !ok {
		return
	}
	outer := d.scanner
	d.scanner, d.binary = scanner{buf: span, depth: d.depth}, false
	d.headers(dst)
	ok = d.problem == "" && d.peek() == 0 && d.pos == len(span)
	d.scanner, d.binary = outer, true
	if !ok {
		d.refuse(want)
	}
}

func (d *Decoder) recordBoolean(dst *bool) {
	if d.kind != kindTrue && d.kind != kindFalse {
		d.refuse("must be true or false")
		return
	}
	*dst = d.kind == kindTrue
}

func (d *Decoder) recordUint(dst *uint64) {
	if d.kind != kindInteger {
		d.refuse(wantInteger)
		return
	}
	n, ok := d.headerNumber, true
	if d.place != inHeader {
		n, ok = d.uvarint()
	}
	switch {
	case !ok:
	case n > MaxInteger:
		d.refuse(wantInteger)
	default:
		*dst = n
	}
}

// recordDigits reads an integer as the text it is.
func (d *Decoder) recordDigits(dst *[]byte, want string) {
	var n uint64
	if d.recordUint(&n); d.fault.text != "" {
		d.fault.text = want
		return
	}
	start := len(d.scratch)
	d.scratch = strconv.AppendUint(d.scratch, n, 10)
	*dst = d.scratch[start:len(d.scratch):len(d.scratch)]
}
