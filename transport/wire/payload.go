package wire

import (
	"bytes"
	"encoding/base64"
)

// PayloadKind says what the bytes of a Payload are.
type PayloadKind uint8

// The kinds of payload.
const (
	PayloadNone  PayloadKind = iota // Neither data nor data_base64 was given.
	PayloadJSON                     // One JSON value, as received; null is one.
	PayloadBytes                    // Bytes that travel as data_base64.
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
	if span, ok := d.value(); ok {
		*p = Payload{Bytes: span, Kind: PayloadJSON}
	}
}

// payloadBase64 reads data_base64: the standard alphabet, padded.
func (d *Decoder) payloadBase64(p *Payload) {
	if p.Kind != PayloadNone {
		d.refuse("must not stand beside data")
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

// appendPayload appends the payload as the last field of an object.
func appendPayload(dst []byte, p *Payload) []byte {
	switch p.Kind {
	case PayloadJSON:
		if len(p.Bytes) == 0 {
			return dst // No JSON value is empty.
		}
		dst = append(dst, `,"data":`...)
		return append(dst, p.Bytes...)
	case PayloadBytes:
		dst = append(dst, `,"data_base64":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, p.Bytes)
		return append(dst, '"')
	case PayloadNone:
	}
	return dst
}
