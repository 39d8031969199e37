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
	m.encodeShared(&e, rawHeaders)
	return e.close()
}

// encodeShared writes what is the same for all followers.
func (m *Event) encodeShared(e *encoder, rawHeaders Raw) {
	e.text(fieldEventID, m.EventID)
	e.optText(fieldClientID, m.ClientID)
	e.optText(fieldTenant, m.Tenant)
	e.optMillis(fieldTime, m.Time)
	m.encode(e, rawHeaders)
}

// AppendSharedEvent appends an event without subscription and cursor, to be made whole
// for each follower by AppendEventOf: it is encoded once for all of them.
func AppendSharedEvent(dst Buffer, m *Event, rawHeaders Raw) Buffer {
	e := open(dst, TypeEvent)
	m.encodeShared(&e, rawHeaders)
	return e.close()
}

// AppendEventOf appends the event that AppendSharedEvent has written in the same
// encoding, for one follower.
func AppendEventOf(dst Buffer, subscription, cursor, shared []byte) Buffer {
	e := open(dst, TypeEvent)
	e.text(fieldSubscription, subscription)
	e.text(fieldCursor, cursor)
	if e.binary {
		e.buf[e.start+5] = shared[5] // The kind of its payload.
		e.buf = append(e.buf, shared[headerSize:]...)
		return e.close()
	}
	e.buf = append(e.buf, shared[len(types[TypeEvent].opening):len(shared)-len("}")]...)
	return e.close()
}
