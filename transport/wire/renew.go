package wire

// Renew extends leases. Answered by Renewed.
type Renew struct {
	Leases []RenewLease
}

// RenewLease is one lease to renew; bare, it is written as a string.
type RenewLease struct {
	Lease      []byte
	Progress   Raw
	Checkpoint Raw // Kept by the cluster for the next attempt.
}

func (m *Renew) reset() { m.Leases = m.Leases[:0] }

func (m *Renew) set(d *Decoder, field uint8) {
	if field != fieldLeases {
		d.ignore(field)
		return
	}
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		if n == MaxRenewLeases {
			d.refuse("must have at most 1024 leases")
			return
		}
		m.Leases = append(m.Leases, RenewLease{})
		switch {
		case d.isText():
			d.opaque(&m.Leases[n].Lease)
		case d.isObject():
			d.item(&m.Leases[n], n)
		default:
			d.refuse("must be an array of strings and objects")
		}
	}
}

func (m *Renew) check(d *Decoder) { d.need(fieldLeases) }

func (m *RenewLease) reset() {}

func (m *RenewLease) set(d *Decoder, field uint8) {
	switch field {
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldProgress:
		d.raw(&m.Progress)
	case fieldCheckpoint:
		d.raw(&m.Checkpoint)
	default:
		d.ignore(field)
	}
}

func (m *RenewLease) check(d *Decoder) { d.need(fieldLease) }

// AppendRenew appends m.
func AppendRenew(dst Buffer, m *Renew) Buffer {
	e := open(dst, TypeRenew)
	mark := e.list(fieldLeases)
	for i := range m.Leases {
		m.Leases[i].encode(&e)
	}
	e.endList(mark)
	return e.close()
}

func (m *RenewLease) encode(e *encoder) {
	if m.Progress == nil && m.Checkpoint == nil {
		e.textItem(m.Lease)
		return
	}
	mark := e.item()
	e.text(fieldLease, m.Lease)
	e.optRaw(fieldProgress, m.Progress)
	e.optRaw(fieldCheckpoint, m.Checkpoint)
	e.endObject(mark)
}
