package wire

// Renewed answers Renew: what is left of each lease, and the leases that are
// lost, since the last Renewed too.
type Renewed struct {
	Leases []RenewedLease
	Lost   [][]byte
}

// RenewedLease is a lease and how long it lasts from now.
type RenewedLease struct {
	Lease   []byte
	LeaseMs int64
}

func (m *Renewed) reset() { *m = Renewed{Leases: m.Leases[:0], Lost: m.Lost[:0]} }

func (m *Renewed) set(d *Decoder, field uint8) {
	switch field {
	case fieldLeases:
		m.setLeases(d)
	case fieldLost:
		m.setLost(d)
	default:
		d.ignore(field)
	}
}

func (m *Renewed) setLeases(d *Decoder) {
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		m.Leases = append(m.Leases, RenewedLease{})
		d.item(&m.Leases[n], n)
	}
}

func (m *Renewed) setLost(d *Decoder) {
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		var lease []byte
		d.opaque(&lease)
		m.Lost = append(m.Lost, lease)
	}
}

func (m *Renewed) check(d *Decoder) { d.need(fieldLeases, fieldLost) }

func (m *RenewedLease) reset() {}

func (m *RenewedLease) set(d *Decoder, field uint8) {
	switch field {
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldLeaseMs:
		d.millis(&m.LeaseMs)
	default:
		d.ignore(field)
	}
}

func (m *RenewedLease) check(d *Decoder) { d.need(fieldLease, fieldLeaseMs) }

// AppendRenewed appends m.
func AppendRenewed(dst Buffer, m *Renewed) Buffer {
	e := open(dst, TypeRenewed)
	mark := e.list(fieldLeases)
	for i := range m.Leases {
		item := e.item()
		e.text(fieldLease, m.Leases[i].Lease)
		e.millis(fieldLeaseMs, m.Leases[i].LeaseMs)
		e.endObject(item)
	}
	e.endList(mark)
	e.texts(fieldLost, m.Lost)
	return e.close()
}
