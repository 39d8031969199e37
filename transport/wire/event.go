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

// AppendEvent appends m as one JSON object.
func AppendEvent(dst []byte, m *Event) []byte { return AppendEventRaw(dst, m, nil) }

// AppendEventRaw is AppendEvent for headers that are encoded already, by
// AppendHeaders; m.Headers must be empty then.
func AppendEventRaw(dst []byte, m *Event, rawHeaders Raw) []byte {
	dst = appendText(dst, `{"type":"event","subscription":`, m.Subscription)
	dst = appendText(dst, `,"cursor":`, m.Cursor)
	dst = appendText(dst, `,"event_id":`, m.EventID)
	dst = appendOptText(dst, `,"client_id":`, m.ClientID)
	dst = appendOptText(dst, `,"tenant":`, m.Tenant)
	dst = appendOptMillis(dst, `,"time":`, m.Time)
	dst = append(dst, ',')
	dst = m.append(dst, rawHeaders)
	return append(dst, '}')
}
