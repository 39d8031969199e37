package wire

// Listen has a backend's connection be sent another client's durable stream, beside
// others. Answered by OK, with Subscription and the stream's state, or by Error.
type Listen struct {
	ID       uint64
	ClientID []byte
	DeviceID []byte
	Window   uint64 // Unacknowledged notifications at most; 0 leaves it to the server.
	Resume   Resume
}

func (m *Listen) reset() { *m = Listen{} }

func (m *Listen) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldDeviceID:
		d.text(&m.DeviceID, MaxDeviceIDBytes)
	case fieldWindow:
		d.uint(&m.Window)
	case fieldResume:
		d.resume(&m.Resume)
	default:
		d.ignore(field)
	}
}

func (m *Listen) check(d *Decoder) { d.need(fieldID, fieldClientID) }

// AppendListen appends m.
func AppendListen(dst Buffer, m *Listen) Buffer {
	e := open(dst, TypeListen)
	e.id(m.ID)
	e.text(fieldClientID, m.ClientID)
	e.optText(fieldDeviceID, m.DeviceID)
	e.optUint(fieldWindow, m.Window)
	m.Resume.encode(&e)
	return e.close()
}
