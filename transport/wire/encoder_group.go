package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// object begins an object inside the message, and item one inside a list. The
// mark is for endObject.
func (e *encoder) object(field uint8) (mark int) {
	if !e.binary {
		e.buf = append(e.name(field), '{')
		e.first = true
		return e.opened(0)
	}
	e.buf = append(e.buf, field, kindObject)
	return e.opened(4)
}

func (e *encoder) item() (mark int) {
	if !e.binary {
		e.separate()
		e.buf = append(e.buf, '{')
		e.first = true
		return e.opened(0)
	}
	e.buf = append(e.buf, kindObject)
	return e.opened(4)
}

func (e *encoder) endObject(mark int) { e.closed(mark, '}') }

// list begins a list. The mark is for endList.
func (e *encoder) list(field uint8) (mark int) {
	if !e.binary {
		e.buf = append(e.name(field), '[')
		return e.opened(0)
	}
	e.buf = append(e.buf, field, kindList)
	return e.opened(4)
}

func (e *encoder) endList(mark int) { e.closed(mark, ']') }

// opened leaves room for the size of a group.
func (e *encoder) opened(room int) (mark int) {
	e.depth++
	mark = len(e.buf)
	e.buf = append(e.buf, "\x00\x00\x00\x00"[:room]...)
	return mark
}

func (e *encoder) closed(mark int, bracket byte) {
	e.depth--
	if !e.binary {
		e.buf = append(e.buf, bracket)
		e.first = false
		return
	}
	binary.LittleEndian.PutUint32(e.buf[mark:], uint32(len(e.buf)-mark-4)) //nolint:gosec // no message is that long
}

// separate writes the comma between two elements of a list in JSON.
func (e *encoder) separate() {
	if e.buf[len(e.buf)-1] != '[' {
		e.buf = append(e.buf, ',')
	}
}

// textItem writes an element of a list.
func (e *encoder) textItem(text []byte) {
	if e.binary {
		e.buf = appendSpan(append(e.buf, kindText), text)
		return
	}
	e.separate()
	e.buf = appendQuoted(e.buf, text)
}

// nullableItem is textItem for a list in which empty text is null.
func (e *encoder) nullableItem(text []byte) {
	if !e.binary && len(text) == 0 {
		e.separate()
		e.buf = append(e.buf, "null"...)
		return
	}
	e.textItem(text)
}

func (e *encoder) texts(field uint8, texts [][]byte) {
	mark := e.list(field)
	for _, text := range texts {
		e.textItem(text)
	}
	e.endList(mark)
}

// appendSpan appends text with its length. As in JSON, bytes that are not UTF-8
// become U+FFFD: what this package writes is always valid.
func appendSpan(dst, text []byte) []byte {
	if utf8.Valid(text) {
		return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
	}
	at := len(dst)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, r)
		text = text[size:]
	}
	return sealSpan(dst, at)
}

// sealSpan puts the length of what stands behind at before it.
func sealSpan(buf []byte, at int) []byte {
	length := len(buf) - at
	room := max(1, (bits.Len(uint(length))+6)/7)
	buf = append(buf, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"[:room]...)
	copy(buf[at+room:], buf[at:len(buf)-room])
	binary.PutUvarint(buf[at:], uint64(length)) //nolint:gosec // a length
	return buf
}
