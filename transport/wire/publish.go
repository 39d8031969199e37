package wire

// Publish stores an event in a channel. Answered by OK or Error.
type Publish struct {
	EventFields

	ID uint64
}

func (m *Publish) reset() {
	m.ID = 0
	m.EventFields.reset()
}

func (m *Publish) set(d *Decoder, field uint8) {
	if field == fieldID {
		d.uint(&m.ID)
		return
	}
	m.EventFields.set(d, field)
}

func (m *Publish) check(d *Decoder) {
	d.need(fieldID)
	m.EventFields.check(d)
}

// AppendPublish appends m as one JSON object.
func AppendPublish(dst []byte, m *Publish) []byte {
	dst = appendUint(dst, `{"type":"publish","id":`, m.ID)
	dst = append(dst, ',')
	dst = m.append(dst, nil)
	return append(dst, '}')
}
