package wire

// Cancel stops work. A client's names what it cancels (exactly one of
// CorrelationID, Run and EventID) and is answered by OK or Error; a server's
// names a worker's Lease.
type Cancel struct {
	ID            uint64
	CorrelationID []byte
	Run           []byte
	EventID       []byte
	Reason        []byte
	Lease         []byte // Not empty: a server's.
	GraceMs       int64  // Complete or Fail may still follow so long.
}

func (m *Cancel) reset() { *m = Cancel{} }

func (m *Cancel) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldRun:
		d.opaque(&m.Run)
	case fieldEventID:
		d.opaque(&m.EventID)
	case fieldReason:
		d.text(&m.Reason, MaxReasonBytes)
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldGraceMs:
		d.millis(&m.GraceMs)
	default:
		d.ignore(field)
	}
}

func (m *Cancel) check(d *Decoder) {
	if d.side == FromServer {
		if len(m.Lease) == 0 {
			d.missing(fieldLease)
		}
		return
	}
	m.Lease, m.GraceMs = nil, 0
	d.need(fieldID)
	named := 0
	for _, target := range [...][]byte{m.CorrelationID, m.Run, m.EventID} {
		if len(target) > 0 {
			named++
		}
	}
	if named != 1 {
		d.refuseWhole("cancel must name exactly one of correlation_id, run and event_id")
	}
}

// AppendCancel appends m: a server's where it has a Lease.
func AppendCancel(dst Buffer, m *Cancel) Buffer {
	e := open(dst, TypeCancel)
	if len(m.Lease) > 0 {
		e.text(fieldLease, m.Lease)
		e.text(fieldReason, m.Reason)
		e.millis(fieldGraceMs, m.GraceMs)
		return e.close()
	}
	e.id(m.ID)
	e.optText(fieldCorrelationID, m.CorrelationID)
	e.optText(fieldRun, m.Run)
	e.optText(fieldEventID, m.EventID)
	e.optText(fieldReason, m.Reason)
	return e.close()
}
