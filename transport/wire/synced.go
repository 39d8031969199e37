package wire

// Synced says that the replay is over: live from here.
type Synced struct {
	Seq uint64 // The last one replayed.
}

func (m *Synced) reset() { *m = Synced{} }

func (m *Synced) set(d *Decoder, field uint8) {
	if field == fieldSeq {
		d.uint(&m.Seq)
		return
	}
	d.ignore(field)
}

func (m *Synced) check(d *Decoder) { d.need(fieldSeq) }

// AppendSynced appends m.
func AppendSynced(dst Buffer, m *Synced) Buffer {
	e := open(dst, TypeSynced)
	e.number(fieldSeq, m.Seq)
	return e.close()
}
