package wire

import (
	"encoding/binary"
	"io"
	"strconv"
)

// record is where a Decoder stands in a binary frame. A length is believed only
// as far as there are bytes, and nothing is allocated for it.
type record struct {
	handles *ChannelHandles

	headerNumber uint64 // what the header has in the place of an id
	payloadKind  PayloadKind
	kind         uint8 // of the value that is next
	place        place // where it stands
	end          int   // of the innermost group that is open, or of the record
	outer        [maxGroups]int
}

// maxGroups is how deep groups nest in the messages that there are, with room.
// Those in unknown fields are passed over as one.
const maxGroups = 8

// place is where a value stands.
type place uint8

const (
	inField   place = iota
	inHeader        // the number of the header
	inPayload       // the rest of the record, without a length
)

// nextRecord is Next for a binary frame.
func (d *Decoder) nextRecord(m *Message) error {
	start := d.pos
	switch {
	case d.problem != "":
		return d.malformedError()
	case start == len(d.buf):
		return io.EOF
	case !d.openRecord():
		return d.malformedError()
	}
	t := Type(d.buf[start+4])
	if !t.SentBy(d.side) {
		return d.unknownRecord(start, t)
	}
	d.message(m.body(t), t)
	switch {
	case d.problem != "":
		return d.malformedError()
	case d.fault.text != "":
		return d.refused(start, t)
	}
	m.Type = t
	return nil
}

// openRecord reads the header at the position, and goes behind it.
func (d *Decoder) openRecord() bool {
	left := d.buf[d.pos:]
	if len(left) < headerSize {
		return d.malformed("a header that is cut off")
	}
	size := binary.LittleEndian.Uint32(left)
	switch {
	case size < headerSize, uint64(size) > uint64(len(left)):
		return d.malformed("a size that no record in the frame can have")
	case left[5] > byte(PayloadBytes):
		return d.malformed("an unknown kind of payload")
	case left[6]|left[7] != 0:
		return d.malformed("reserved bytes that are not 0")
	}
	d.headerNumber = binary.LittleEndian.Uint64(left[8:])
	d.payloadKind = PayloadKind(left[5])
	d.end = d.pos + int(size)
	d.pos += headerSize
	d.depth = 1
	return true
}

// message reads a record behind its header, as object reads an object.
func (d *Decoder) message(b body, t Type) {
	d.seen = fieldSet{}
	d.seen.add(fieldType)
	b.reset()
	if d.headerNumber != 0 {
		d.place, d.kind = inHeader, kindInteger
		ok := d.give(b, t.numbered())
		d.place = inField
		if !ok {
			return
		}
	}
	if d.fields(b) {
		b.check(d)
	}
}

// fields reads the fields of the record or of a group, and the record's payload.
func (d *Decoder) fields(b body) bool {
	for d.pos < d.end {
		f := d.buf[d.pos]
		switch {
		case f == endOfFields:
			return d.givePayload(b)
		case d.end-d.pos < 2:
			return d.malformed("a field that is cut off")
		}
		d.kind = d.buf[d.pos+1]
		d.pos += 2
		if f < fieldCount && !d.give(b, f) || f >= fieldCount && !d.passValue() {
			return false
		}
	}
	if d.depth == 1 && d.payloadKind != PayloadNone {
		return d.malformed("a payload without a zero byte before it")
	}
	return true
}

// givePayload hands the rest of the record on as the field that it is in JSON.
func (d *Decoder) givePayload(b body) (ok bool) {
	if d.depth > 1 || d.payloadKind == PayloadNone {
		return d.malformed("a field with the number 0")
	}
	d.pos++
	d.place = inPayload
	if d.payloadKind == PayloadJSON {
		d.kind = kindJSON
		ok = d.give(b, fieldData)
	} else {
		d.kind = kindBytes
		ok = d.give(b, fieldDataBase64)
	}
	d.place = inField
	return ok
}

// surveyRecord is survey of the record at start. It picks out the id; a framing
// error behind what was refused wins over the refusal.
func (d *Decoder) surveyRecord(start int) survey {
	found := survey{start: start}
	d.pos, d.place = start, inField
	d.openRecord()
	if d.headerNumber != 0 && d.headerNumber <= MaxInteger && Type(d.buf[start+4]).numbered() == fieldID {
		found.id, found.hasID = d.headerNumber, true
	}
	for d.pos < d.end && d.buf[d.pos] != endOfFields {
		if d.end-d.pos < 2 {
			d.malformed("a field that is cut off")
			return found
		}
		field := d.buf[d.pos]
		d.kind = d.buf[d.pos+1]
		d.pos += 2
		at := d.pos
		if !d.passValue() {
			return found
		}
		if field == fieldID && d.kind == kindInteger {
			if id, _ := binary.Uvarint(d.buf[at:d.pos]); id <= MaxInteger {
				found.id, found.hasID = id, true
			}
		}
	}
	d.pos = d.end
	return found
}

func (d *Decoder) unknownRecord(start int, t Type) error {
	found := d.surveyRecord(start)
	if d.problem != "" {
		return d.malformedError()
	}
	name := strconv.Itoa(int(t))
	if t > TypeUnknown && t < TypeCount {
		name = strconv.Quote(t.String())
	}
	err := found.decodeError(ErrUnknownType, "unknown type "+name)
	err.TypeName = name
	return err
}
