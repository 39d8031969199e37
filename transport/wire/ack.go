package wire

// Ack acknowledges every notification up to Seq, for the device: of the session's own
// stream, or of that of a listen.
type Ack struct {
	Subscription []byte // Of a listen; empty for the session's own stream.
	Seq          uint64
}

func (m *Ack) reset() { *m = Ack{} }

func (m *Ack) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldSeq:
		d.uint(&m.Seq)
	default:
		d.ignore(field)
	}
}

func (m *Ack) check(d *Decoder) { d.need(fieldSeq) }

// AppendAck appends m.
func AppendAck(dst Buffer, m *Ack) Buffer {
	e := open(dst, TypeAck)
	e.optText(fieldSubscription, m.Subscription)
	e.number(fieldSeq, m.Seq)
	return e.close()
}
