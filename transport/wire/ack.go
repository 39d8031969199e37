package wire

// Ack acknowledges every notification up to Seq, for the device.
type Ack struct {
	Seq uint64
}

func (m *Ack) reset() { *m = Ack{} }

func (m *Ack) set(d *Decoder, field uint8) {
	if field == fieldSeq {
		d.uint(&m.Seq)
		return
	}
	d.ignore(field)
}

func (m *Ack) check(d *Decoder) { d.need(fieldSeq) }

// AppendAck appends m.
func AppendAck(dst Buffer, m *Ack) Buffer {
	e := open(dst, TypeAck)
	e.number(fieldSeq, m.Seq)
	return e.close()
}
