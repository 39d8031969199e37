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

// AppendReset appends m as one JSON object.
func AppendReset(dst []byte, m *Reset) []byte {
	dst = appendText(dst, `{"type":"reset","stream":`, m.Stream)
	dst = appendUint(dst, `,"attempt":`, m.Attempt)
	return append(dst, '}')
}
