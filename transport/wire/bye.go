package wire

// Bye ends a connection. A client's has no fields; a server's has a Reason, and
// says where and when to go on.
type Bye struct {
	Reason    []byte // Not empty: a server's.
	Reconnect bool
	AfterMs   int64
	Nodes     [][]byte
}

func (m *Bye) reset() { *m = Bye{Nodes: m.Nodes[:0]} }

func (m *Bye) set(d *Decoder, field uint8) {
	switch field {
	case fieldReason:
		d.text(&m.Reason, MaxReasonBytes)
	case fieldReconnect:
		d.boolean(&m.Reconnect)
	case fieldAfterMs:
		d.millis(&m.AfterMs)
	case fieldNodes:
		d.texts(&m.Nodes)
	default:
		d.ignore(field)
	}
}

func (m *Bye) check(d *Decoder) {
	if d.side == FromServer && len(m.Reason) == 0 {
		d.missing(fieldReason)
	}
}

// AppendBye appends m: a server's where it has a Reason.
func AppendBye(dst Buffer, m *Bye) Buffer {
	e := open(dst, TypeBye)
	if len(m.Reason) == 0 {
		return e.close()
	}
	e.text(fieldReason, m.Reason)
	e.boolean(fieldReconnect, m.Reconnect)
	e.optMillis(fieldAfterMs, m.AfterMs)
	if len(m.Nodes) > 0 {
		e.texts(fieldNodes, m.Nodes)
	}
	return e.close()
}
