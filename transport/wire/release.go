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

// AppendRelease appends m as one JSON object.
func AppendRelease(dst []byte, m *Release) []byte {
	dst = appendText(dst, `{"type":"release","lease":`, m.Lease)
	return append(dst, '}')
}
