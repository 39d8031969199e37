package wire

// Read resumes a token stream at an offset. Answered by OK or Error, and by Chunks.
type Read struct {
	ID      uint64
	Stream  []byte
	Attempt uint64 // Whose bytes before Offset the client has; 0 where it does not know.
	Offset  uint64
}

func (m *Read) reset() { *m = Read{} }

func (m *Read) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldStream:
		d.text(&m.Stream, MaxNameBytes)
	case fieldAttempt:
		d.uint(&m.Attempt)
	case fieldOffset:
		d.uint(&m.Offset)
	default:
		d.ignore(field)
	}
}

func (m *Read) check(d *Decoder) { d.need(fieldID, fieldStream, fieldOffset) }

// AppendRead appends m.
func AppendRead(dst Buffer, m *Read) Buffer {
	e := open(dst, TypeRead)
	e.id(m.ID)
	e.text(fieldStream, m.Stream)
	e.optUint(fieldAttempt, m.Attempt)
	e.uint(fieldOffset, m.Offset)
	return e.close()
}
