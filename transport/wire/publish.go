package wire

// Publish stores an event in a channel. Answered by OK or Error.
type Publish struct {
	EventFields

	ID uint64
	// ClientID is whose event it is, where a backend publishes for many clients.
	ClientID []byte
}

func (m *Publish) reset() {
	m.ID, m.ClientID = 0, nil
	m.EventFields.reset()
}

func (m *Publish) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	default:
		m.EventFields.set(d, field)
	}
}

func (m *Publish) check(d *Decoder) {
	d.need(fieldID)
	m.EventFields.check(d)
}

// AppendPublish appends m.
func AppendPublish(dst Buffer, m *Publish) Buffer {
	e := open(dst, TypePublish)
	e.id(m.ID)
	e.optText(fieldClientID, m.ClientID)
	m.encode(&e, nil)
	return e.close()
}
