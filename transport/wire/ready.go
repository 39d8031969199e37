package wire

// Ready ends the wait that a hello with "ready":false began: deliver from now on.
type Ready struct{}

func (m *Ready) reset() {}

func (m *Ready) set(d *Decoder, field uint8) { d.ignore(field) }

func (m *Ready) check(*Decoder) {}

// AppendReady appends m.
func AppendReady(dst Buffer, _ *Ready) Buffer {
	e := open(dst, TypeReady)
	return e.close()
}
