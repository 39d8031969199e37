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

// AppendPublish appends m.
func AppendPublish(dst Buffer, m *Publish) Buffer {
	e := open(dst, TypePublish)
	e.id(m.ID)
	m.encode(&e, nil)
	return e.close()
}
