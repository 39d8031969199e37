package wire

// Notify is one notification of a client's durable stream.
type Notify struct {
	// Subscription and ClientID are of a listen; empty for the session's own stream.
	Subscription  []byte
	ClientID      []byte
	Seq           uint64
	Name          []byte
	EventID       []byte
	CorrelationID []byte
	CausationID   []byte
	Time          int64 // Unix milliseconds.
	Redelivered   bool
	Payload       Payload
}

func (m *Notify) reset() { *m = Notify{} }

func (m *Notify) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldSeq:
		d.uint(&m.Seq)
	case fieldName:
		d.text(&m.Name, MaxNameBytes)
	case fieldEventID:
		d.opaque(&m.EventID)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldCausationID:
		d.text(&m.CausationID, MaxCorrelationIDBytes)
	case fieldTime:
		d.millis(&m.Time)
	case fieldRedelivered:
		d.boolean(&m.Redelivered)
	case fieldData:
		d.payload(&m.Payload)
	case fieldDataBase64:
		d.payloadBase64(&m.Payload)
	default:
		d.ignore(field)
	}
}

func (m *Notify) check(d *Decoder) { d.need(fieldSeq, fieldName) }

// AppendNotify appends m.
func AppendNotify(dst Buffer, m *Notify) Buffer {
	e := open(dst, TypeNotify)
	e.optText(fieldSubscription, m.Subscription)
	e.optText(fieldClientID, m.ClientID)
	e.number(fieldSeq, m.Seq)
	e.text(fieldName, m.Name)
	e.text(fieldEventID, m.EventID)
	e.text(fieldCorrelationID, m.CorrelationID)
	e.text(fieldCausationID, m.CausationID)
	e.millis(fieldTime, m.Time)
	e.flag(fieldRedelivered, m.Redelivered)
	e.payload(&m.Payload)
	return e.close()
}
