package wire

// Follow asks for every event of a channel. Answered by OK with Subscription
// and Cursor, or by Error.
type Follow struct {
	ID      uint64
	Channel []byte
	From    From
	Name    []byte // Named followers have their offset kept by the cluster.
	Window  uint64 // 0 leaves it to the server.
}

func (m *Follow) reset() { *m = Follow{} }

func (m *Follow) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldChannel:
		d.name(&m.Channel)
	case fieldFrom:
		d.from(&m.From)
	case fieldName:
		d.text(&m.Name, MaxNameBytes)
	case fieldWindow:
		d.uint(&m.Window)
	default:
		d.ignore(field)
	}
}

func (m *Follow) check(d *Decoder) { d.need(fieldID, fieldChannel) }

// AppendFollow appends m.
func AppendFollow(dst Buffer, m *Follow) Buffer {
	e := open(dst, TypeFollow)
	e.id(m.ID)
	e.text(fieldChannel, m.Channel)
	m.From.encode(&e)
	e.optText(fieldName, m.Name)
	e.optUint(fieldWindow, m.Window)
	return e.close()
}
