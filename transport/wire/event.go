package wire

// Event is one event of a followed channel: the publish fields, and where and
// when it was stored.
type Event struct {
	EventFields

	Subscription []byte
	Cursor       []byte
	EventID      []byte
	ClientID     []byte
	Tenant       []byte
	Time         int64 // Unix milliseconds.
}

func (m *Event) reset() {
	headers := m.Headers[:0]
	*m = Event{}
	m.Headers = headers
}

func (m *Event) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldCursor:
		d.cursor(&m.Cursor)
	case fieldEventID:
		d.opaque(&m.EventID)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldTenant:
		d.text(&m.Tenant, MaxClientIDBytes)
	case fieldTime:
		d.millis(&m.Time)
	default:
		m.EventFields.set(d, field)
	}
}

func (m *Event) check(d *Decoder) {
	d.need(fieldSubscription, fieldCursor, fieldEventID, fieldChannel)
}

// AppendEvent appends m.
func AppendEvent(dst Buffer, m *Event) Buffer { return AppendEventRaw(dst, m, nil) }

// AppendEventRaw is AppendEvent for headers that are encoded already, by
// AppendHeaders; m.Headers must be empty then.
func AppendEventRaw(dst Buffer, m *Event, rawHeaders Raw) Buffer {
	e := open(dst, TypeEvent)
	e.text(fieldSubscription, m.Subscription)
	e.text(fieldCursor, m.Cursor)
	e.text(fieldEventID, m.EventID)
	e.optText(fieldClientID, m.ClientID)
	e.optText(fieldTenant, m.Tenant)
	e.optMillis(fieldTime, m.Time)
	m.encode(&e, rawHeaders)
	return e.close()
}
