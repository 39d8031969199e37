package wire

// Reset says that a new attempt began to fill a token stream: clear what was shown.
type Reset struct {
	Stream  []byte
	Attempt uint64
}

func (m *Reset) reset() { *m = Reset{} }

func (m *Reset) set(d *Decoder, field uint8) {
	switch field {
	case fieldStream:
		d.text(&m.Stream, MaxNameBytes)
	case fieldAttempt:
		d.uint(&m.Attempt)
	default:
		d.ignore(field)
	}
}

func (m *Reset) check(d *Decoder) { d.need(fieldStream, fieldAttempt) }

// AppendReset appends m.
func AppendReset(dst Buffer, m *Reset) Buffer {
	e := open(dst, TypeReset)
	e.text(fieldStream, m.Stream)
	e.uint(fieldAttempt, m.Attempt)
	return e.close()
}
