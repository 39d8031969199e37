package wire

// Checkpoint keeps a worker's progress with its lease, for the next attempt, and
// is answered when it is kept: by OK or Error. The checkpoint of a Renew is kept
// some time.
type Checkpoint struct {
	ID         uint64
	Lease      []byte
	Checkpoint Raw
}

func (m *Checkpoint) reset() { *m = Checkpoint{} }

func (m *Checkpoint) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldCheckpoint:
		d.raw(&m.Checkpoint)
	default:
		d.ignore(field)
	}
}

func (m *Checkpoint) check(d *Decoder) { d.need(fieldID, fieldLease, fieldCheckpoint) }

// AppendCheckpoint appends m.
func AppendCheckpoint(dst Buffer, m *Checkpoint) Buffer {
	e := open(dst, TypeCheckpoint)
	e.id(m.ID)
	e.text(fieldLease, m.Lease)
	e.optRaw(fieldCheckpoint, m.Checkpoint)
	return e.close()
}
