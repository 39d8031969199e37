package wire

// Ping asks for a Pong with the same Time. Either side may send it.
type Ping struct {
	Time int64 // Unix milliseconds; 0 is none.
}

func (m *Ping) reset() { *m = Ping{} }

func (m *Ping) set(d *Decoder, field uint8) {
	if field == fieldTime {
		d.millis(&m.Time)
		return
	}
	d.ignore(field)
}

func (m *Ping) check(*Decoder) {}

// AppendPing appends m.
func AppendPing(dst Buffer, m *Ping) Buffer {
	e := open(dst, TypePing)
	e.optMillis(fieldTime, m.Time)
	return e.close()
}
