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

// AppendAuth appends m.
func AppendAuth(dst Buffer, m *Auth) Buffer {
	e := open(dst, TypeAuth)
	e.id(m.ID)
	e.text(fieldToken, m.Token)
	return e.close()
}
