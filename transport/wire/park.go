package wire

// Park keeps a job for a completion from outside. Answered by OK or Error.
type Park struct {
	ID        uint64
	Lease     []byte
	TimeoutMs int64 // Then it is lost; 0 leaves it to the cluster.
}

func (m *Park) reset() { *m = Park{} }

func (m *Park) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldTimeoutMs:
		d.millis(&m.TimeoutMs)
	default:
		d.ignore(field)
	}
}

func (m *Park) check(d *Decoder) { d.need(fieldID, fieldLease) }

// AppendPark appends m.
func AppendPark(dst Buffer, m *Park) Buffer {
	e := open(dst, TypePark)
	e.id(m.ID)
	e.text(fieldLease, m.Lease)
	e.optMillis(fieldTimeoutMs, m.TimeoutMs)
	return e.close()
}
