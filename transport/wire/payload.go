package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
)

// PayloadKind says what the bytes of a Payload are.
type PayloadKind uint8

// The kinds of payload; a record's header has their numbers.
const (
	PayloadNone  PayloadKind = iota // Neither data nor data_base64 was given.
	PayloadJSON                     // One JSON value, as received; null is one.
	PayloadBytes                    // Bytes, which JSON writes as data_base64.
)

// Payload is what an event, a notification or a chunk carries. Bytes that are
// JSON are never decoded and encoded again: they leave as they came.
type Payload struct {
	Bytes []byte
	Kind  PayloadKind
}

// Raw is one JSON value as received (without the whitespace around it), nil if
// it was not given.
type Raw []byte

// payload reads data, whatever its value.
func (d *Decoder) payload(p *Payload) {
	if p.Kind != PayloadNone {
		d.refuse("must not stand beside data_base64")
		return
	}
	if span, ok := d.anyJSON(); ok {
		*p = Payload{Bytes: span, Kind: PayloadJSON}
	}
}

// payloadBase64 reads data_base64: in JSON the standard alphabet, padded; in a
// record the bytes themselves.
func (d *Decoder) payloadBase64(p *Payload) {
	if p.Kind != PayloadNone {
		d.refuse("must not stand beside data")
		return
	}
	if d.binary {
		if span, ok := d.recordBytes(); ok {
			*p = Payload{Bytes: span, Kind: PayloadBytes}
		}
		return
	}
	const want = "must be a string of padded base64"
	text, ok := d.string(want)
	if !ok {
		return
	}
	// The library skips newlines; a payload has one spelling only.
	if bytes.ContainsAny(text, "\r\n") {
		d.refuse(want)
		return
	}
	start := len(d.scratch)
	var err error
	if d.scratch, err = base64.StdEncoding.AppendDecode(d.scratch, text); err != nil {
		d.refuse(want)
		return
	}
	*p = Payload{Bytes: d.scratch[start:len(d.scratch):len(d.scratch)], Kind: PayloadBytes}
}

// needPayload refuses an object that carries no data.
func (d *Decoder) needPayload(p *Payload) {
	if p.Kind == PayloadNone {
		d.missing(fieldData)
	}
}

// payload writes the payload as the last field of an object.
func (e *encoder) payload(p *Payload) {
	switch {
	case p.Kind == PayloadNone, p.Kind == PayloadJSON && len(p.Bytes) == 0: // No JSON value is empty.
	case e.binary:
		e.rawPayload(p)
	case p.Kind == PayloadJSON:
		e.buf = append(e.name(fieldData), p.Bytes...)
	default:
		e.buf = append(e.name(fieldDataBase64), '"')
		e.buf = base64.StdEncoding.AppendEncode(e.buf, p.Bytes)
		e.buf = append(e.buf, '"')
	}
}

// rawPayload writes the payload of a message behind all its fields, and that of
// an object inside it as one of them.
func (e *encoder) rawPayload(p *Payload) {
	if e.depth == 0 {
		e.buf[e.start+5] = byte(p.Kind)
		e.buf = append(e.buf, endOfFields)
		e.buf = append(e.buf, p.Bytes...)
		return
	}
	field, kind := fieldData, kindJSON
	if p.Kind == PayloadBytes {
		field, kind = fieldDataBase64, kindBytes
	}
	e.buf = binary.AppendUvarint(append(e.buf, field, kind), uint64(len(p.Bytes)))
	e.buf = append(e.buf, p.Bytes...)
}
