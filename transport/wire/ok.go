package wire

// OK answers a request. Besides the id it has the parts of what it answers:
// EventID, CorrelationID and Offset of a publish, Events of a complete,
// Subscription of a subscribe, Subscription and Cursor of a follow, Subscription and
// the stream of a listen, EventID and CorrelationID of a broadcast.
type OK struct {
	ID            uint64
	EventID       []byte // Not empty: CorrelationID and Offset are there too, Offset 0 of a broadcast.
	CorrelationID []byte
	Offset        uint64
	// HasEvents marks the answer to a complete. Events then has one id for each
	// emitted event, nil (null) for one on its way to another partition.
	HasEvents    bool
	Events       [][]byte
	Subscription []byte
	Cursor       []byte
	// Epoch, Seq, Oldest and Resumed are the stream of a listen, as in Welcome; Epoch
	// is empty of others.
	Epoch     []byte
	Seq       uint64
	Oldest    uint64
	Resumed   Resumed
	Duplicate bool // The request had been answered before; so is this one.
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
		m.setStream(d, field)
	}
}

func (m *OK) setStream(d *Decoder, field uint8) {
	switch field {
	case fieldEpoch:
		d.opaque(&m.Epoch)
	case fieldSeq:
		d.uint(&m.Seq)
	case fieldOldest:
		d.uint(&m.Oldest)
	case fieldResumed:
		d.resumed(&m.Resumed)
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
		if !d.null() {
			d.opaque(&id)
		}
		m.Events = append(m.Events, id)
	}
}

func (m *OK) check(d *Decoder) { d.need(fieldID) }

// AppendOK appends m.
func AppendOK(dst Buffer, m *OK) Buffer {
	e := open(dst, TypeOK)
	e.id(m.ID)
	if len(m.EventID) > 0 {
		e.text(fieldEventID, m.EventID)
		e.text(fieldCorrelationID, m.CorrelationID)
		e.uint(fieldOffset, m.Offset)
	}
	if m.HasEvents {
		mark := e.list(fieldEvents)
		for _, id := range m.Events {
			e.nullableItem(id)
		}
		e.endList(mark)
	}
	e.optText(fieldSubscription, m.Subscription)
	e.optText(fieldCursor, m.Cursor)
	if len(m.Epoch) > 0 {
		e.text(fieldEpoch, m.Epoch)
		e.uint(fieldSeq, m.Seq)
		e.uint(fieldOldest, m.Oldest)
		e.word(fieldResumed, m.Resumed.String())
	}
	e.flag(fieldDuplicate, m.Duplicate)
	e.optMillis(fieldTokenExpiresMs, m.TokenExpiresMs)
	return e.close()
}
