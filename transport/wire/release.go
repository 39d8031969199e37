package wire

// Release gives a job back that was not started; it counts no attempt. It is not answered.
type Release struct {
	Lease []byte
}

func (m *Release) reset() { *m = Release{} }

func (m *Release) set(d *Decoder, field uint8) {
	if field == fieldLease {
		d.opaque(&m.Lease)
		return
	}
	d.ignore(field)
}

func (m *Release) check(d *Decoder) { d.need(fieldLease) }

// AppendRelease appends m.
func AppendRelease(dst Buffer, m *Release) Buffer {
	e := open(dst, TypeRelease)
	e.text(fieldLease, m.Lease)
	return e.close()
}
