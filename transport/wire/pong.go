package wire

// Pong answers Ping.
type Pong struct {
	Time int64 // The Ping's.
}

func (m *Pong) reset() { *m = Pong{} }

func (m *Pong) set(d *Decoder, field uint8) {
	if field == fieldTime {
		d.millis(&m.Time)
		return
	}
	d.ignore(field)
}

func (m *Pong) check(*Decoder) {}

// AppendPong appends m.
func AppendPong(dst Buffer, m *Pong) Buffer {
	e := open(dst, TypePong)
	e.optMillis(fieldTime, m.Time)
	return e.close()
}
