package wire

// Unlisten ends a listen. Answered by OK or Error.
type Unlisten struct {
	ID           uint64
	Subscription []byte
}

func (m *Unlisten) reset() { *m = Unlisten{} }

func (m *Unlisten) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldSubscription:
		d.opaque(&m.Subscription)
	default:
		d.ignore(field)
	}
}

func (m *Unlisten) check(d *Decoder) { d.need(fieldID, fieldSubscription) }

// AppendUnlisten appends m.
func AppendUnlisten(dst Buffer, m *Unlisten) Buffer {
	e := open(dst, TypeUnlisten)
	e.id(m.ID)
	e.text(fieldSubscription, m.Subscription)
	return e.close()
}
