package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// transcoder writes a record as the JSON that says the same, whatever it says: it
// knows the two grammars, and nothing of what a message may have. It is how the
// refusals of the two encodings are compared.
type transcoder struct {
	out []byte
	// alike is false once something had no counterpart in JSON.
	alike bool
}

// transcode is the record as one JSON object; false where JSON cannot say it.
func transcode(record []byte) (object []byte, ok bool) {
	t := transcoder{alike: true}
	typ := Type(record[4])
	if typ == TypeUnknown || typ >= TypeCount {
		return nil, false
	}
	t.out = append(t.out, `{"type":"`+typ.String()+`"`...)
	if n := binary.LittleEndian.Uint64(record[8:]); n != 0 {
		t.out = append(t.out, `,"`+nameOf(typ.numbered())+`":`...)
		t.out = strconv.AppendUint(t.out, n, 10)
	}
	payload := t.fields(record[headerSize:], record[5] != 0)
	switch PayloadKind(record[5]) {
	case PayloadJSON:
		t.field(fieldData)
		t.json(payload)
	case PayloadBytes:
		t.field(fieldDataBase64)
		t.bytes(payload)
	case PayloadNone:
	}
	return append(t.out, '}'), t.alike
}

// fields writes fields up to their end, and answers what is behind.
func (t *transcoder) fields(body []byte, top bool) (rest []byte) {
	for len(body) > 0 && t.alike {
		if body[0] == endOfFields {
			t.alike = top
			return body[1:]
		}
		if len(body) < 2 {
			break
		}
		field, kind := body[0], body[1]
		value, behind, ok := t.cut(kind, body[2:])
		if !ok {
			break
		}
		if body = behind; field < fieldCount {
			t.field(field)
			t.value(field, kind, value)
		}
	}
	t.alike = t.alike && len(body) == 0 && !top
	return nil
}

// cut separates a value from what is behind it.
func (t *transcoder) cut(kind uint8, body []byte) (value, behind []byte, ok bool) {
	switch kind & shapeMask {
	case shapeNothing:
		return nil, body, true
	case shapeNumber:
		_, size := binary.Uvarint(body)
		return body[:max(size, 0)], body[max(size, 0):], size > 0 && (size == 1 || body[size-1] != 0)
	case shapeSpan:
		n, size := binary.Uvarint(body)
		if size <= 0 || size > 1 && body[size-1] == 0 || n > uint64(len(body)-size) {
			return nil, nil, false
		}
		return body[size:][:n], body[size:][n:], true
	default:
		if len(body) < 4 {
			return nil, nil, false
		}
		n := uint64(binary.LittleEndian.Uint32(body))
		if n > uint64(len(body)-4) {
			return nil, nil, false
		}
		return body[4:][:n], body[4:][n:], true
	}
}

// field begins a field. There is no number for a channel in JSON.
func (t *transcoder) field(field uint8) {
	t.alike = t.alike && field != fieldChannelHandle
	if t.out[len(t.out)-1] != '{' {
		t.out = append(t.out, ',')
	}
	t.out = append(t.out, `"`+nameOf(field)+`":`...)
}

// value writes one value. The places of any JSON take it only from that kind, and
// base64 only from bytes, for which JSON has text.
func (t *transcoder) value(field, kind uint8, value []byte) {
	if t.alike = t.alike && hasCounterpart(field, kind, value); !t.alike {
		return
	}
	switch kind {
	case kindFalse:
		t.out = append(t.out, "false"...)
	case kindTrue:
		t.out = append(t.out, "true"...)
	case kindInteger:
		n, _ := binary.Uvarint(value)
		t.out = strconv.AppendUint(t.out, n, 10)
	case kindText:
		t.alike = utf8.Valid(value)
		t.out = appendQuoted(t.out, value)
	case kindJSON:
		t.alike = isRaw(field) || field == fieldHeaders
		t.json(value)
	case kindBytes:
		t.bytes(value)
	case kindList:
		t.list(field, value)
	case kindObject:
		t.out = append(t.out, '{')
		t.fields(value, false)
		t.out = append(t.out, '}')
	default:
		t.alike = false
	}
}

// hasCounterpart is false for kinds in places for which JSON has another rule: null
// in the place of headers is no field there.
func hasCounterpart(field, kind uint8, value []byte) bool {
	switch {
	case isRaw(field) && kind != kindJSON, (field == fieldDataBase64) != (kind == kindBytes):
		return false
	default:
		return kind != kindJSON || string(bytes.TrimSpace(value)) != "null" || isRaw(field)
	}
}

func (t *transcoder) list(field uint8, body []byte) {
	t.out = append(t.out, '[')
	for n := 0; len(body) > 0 && t.alike; n++ {
		kind := body[0]
		value, behind, ok := t.cut(kind, body[1:])
		if t.alike = t.alike && ok; !ok {
			return
		}
		if body = behind; n > 0 {
			t.out = append(t.out, ',')
		}
		t.value(field, kind, value)
	}
	t.out = append(t.out, ']')
}

func (t *transcoder) json(value []byte) {
	t.alike = t.alike && ValidJSON(value)
	t.out = append(t.out, value...)
}

func (t *transcoder) bytes(value []byte) {
	t.out = append(t.out, '"')
	t.out = base64.StdEncoding.AppendEncode(t.out, value)
	t.out = append(t.out, '"')
}
