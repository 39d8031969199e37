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

// AppendPing appends m as one JSON object.
func AppendPing(dst []byte, m *Ping) []byte {
	dst = append(dst, `{"type":"ping"`...)
	dst = appendOptMillis(dst, `,"time":`, m.Time)
	return append(dst, '}')
}
