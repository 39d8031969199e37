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

// AppendPark appends m as one JSON object.
func AppendPark(dst []byte, m *Park) []byte {
	dst = appendUint(dst, `{"type":"park","id":`, m.ID)
	dst = appendText(dst, `,"lease":`, m.Lease)
	dst = appendOptMillis(dst, `,"timeout_ms":`, m.TimeoutMs)
	return append(dst, '}')
}
