package wire

// Synced says that the replay is over: live from here.
type Synced struct {
	Subscription []byte // Of a listen; empty for the session's own stream.
	Seq          uint64 // The last one replayed.
}

func (m *Synced) reset() { *m = Synced{} }

func (m *Synced) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldSeq:
		d.uint(&m.Seq)
	default:
		d.ignore(field)
	}
}

func (m *Synced) check(d *Decoder) { d.need(fieldSeq) }

// AppendSynced appends m.
func AppendSynced(dst Buffer, m *Synced) Buffer {
	e := open(dst, TypeSynced)
	e.optText(fieldSubscription, m.Subscription)
	e.number(fieldSeq, m.Seq)
	return e.close()
}
