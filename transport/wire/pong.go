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

// AppendPong appends m as one JSON object.
func AppendPong(dst []byte, m *Pong) []byte {
	dst = append(dst, `{"type":"pong"`...)
	dst = appendOptMillis(dst, `,"time":`, m.Time)
	return append(dst, '}')
}
