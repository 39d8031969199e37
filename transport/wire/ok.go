package wire

// OK answers a request. Besides the id it has the parts of what it answers:
// EventID, CorrelationID and Offset of a publish, Events of a complete,
// Subscription of a subscribe, Subscription and Cursor of a follow.
type OK struct {
	ID            uint64
	EventID       []byte // Not empty: CorrelationID and Offset are there too.
	CorrelationID []byte
	Offset        uint64
	// HasEvents marks the answer to a complete. Events then has one id for each
	// emitted event, nil (null) for one on its way to another partition.
	HasEvents    bool
	Events       [][]byte
	Subscription []byte
	Cursor       []byte
	Duplicate    bool // The request had been answered before; so is this one.
	// TokenExpiresMs answers auth: for how long the token is good, 0 for ever.
	TokenExpiresMs int64
}

func (m *OK) reset() { *m = OK{Events: m.Events[:0]} }

func (m *OK) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldEventID:
		d.opaque(&m.EventID)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldOffset:
		d.uint(&m.Offset)
	case fieldEvents:
		m.setEvents(d)
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldCursor:
		d.cursor(&m.Cursor)
	case fieldDuplicate:
		d.boolean(&m.Duplicate)
	case fieldTokenExpiresMs:
		d.millis(&m.TokenExpiresMs)
	default:
		d.ignore(field)
	}
}

func (m *OK) setEvents(d *Decoder) {
	if !d.array() {
		return
	}
	m.HasEvents = true
	for n := 0; d.element(n); n++ {
		if n == MaxEmits {
			d.refuse("must have at most 256 events")
			return
		}
		var id []byte
		if d.peek() == 'n' {
			d.literal("null")
		} else {
			d.opaque(&id)
		}
		m.Events = append(m.Events, id)
	}
}

func (m *OK) check(d *Decoder) { d.need(fieldID) }

// AppendOK appends m as one JSON object.
func AppendOK(dst []byte, m *OK) []byte {
	dst = appendUint(dst, `{"type":"ok","id":`, m.ID)
	if len(m.EventID) > 0 {
		dst = appendText(dst, `,"event_id":`, m.EventID)
		dst = appendText(dst, `,"correlation_id":`, m.CorrelationID)
		dst = appendUint(dst, `,"offset":`, m.Offset)
	}
	if m.HasEvents {
		dst = append(dst, `,"events":[`...)
		for i, id := range m.Events {
			if i > 0 {
				dst = append(dst, ',')
			}
			if len(id) == 0 {
				dst = append(dst, "null"...)
			} else {
				dst = appendQuoted(dst, id)
			}
		}
		dst = append(dst, ']')
	}
	dst = appendOptText(dst, `,"subscription":`, m.Subscription)
	dst = appendOptText(dst, `,"cursor":`, m.Cursor)
	if m.Duplicate {
		dst = append(dst, `,"duplicate":true`...)
	}
	if m.TokenExpiresMs > 0 {
		dst = appendMillis(dst, `,"token_expires_ms":`, m.TokenExpiresMs)
	}
	return append(dst, '}')
}
