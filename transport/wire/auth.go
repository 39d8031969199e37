package wire

// Auth renews the token before it expires. Answered by OK or Error.
type Auth struct {
	ID    uint64
	Token []byte
}

func (m *Auth) reset() { *m = Auth{} }

func (m *Auth) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldToken:
		d.text(&m.Token, MaxTokenBytes)
	default:
		d.ignore(field)
	}
}

func (m *Auth) check(d *Decoder) { d.need(fieldID, fieldToken) }

// AppendAuth appends m as one JSON object.
func AppendAuth(dst []byte, m *Auth) []byte {
	dst = appendUint(dst, `{"type":"auth","id":`, m.ID)
	dst = appendText(dst, `,"token":`, m.Token)
	return append(dst, '}')
}
