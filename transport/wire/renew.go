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
		switch d.peek() {
		case '"':
			d.opaque(&m.Leases[n].Lease)
		case '{':
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

// AppendRenew appends m as one JSON object.
func AppendRenew(dst []byte, m *Renew) []byte {
	dst = append(dst, `{"type":"renew","leases":[`...)
	for i := range m.Leases {
		if i > 0 {
			dst = append(dst, ',')
		}
		lease := &m.Leases[i]
		if lease.Progress == nil && lease.Checkpoint == nil {
			dst = appendQuoted(dst, lease.Lease)
			continue
		}
		dst = appendText(dst, `{"lease":`, lease.Lease)
		dst = appendOptRaw(dst, `,"progress":`, lease.Progress)
		dst = appendOptRaw(dst, `,"checkpoint":`, lease.Checkpoint)
		dst = append(dst, '}')
	}
	return append(dst, `]}`...)
}
