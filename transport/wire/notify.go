package wire

// Notify is one notification of a client's durable stream.
type Notify struct {
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

// AppendNotify appends m as one JSON object.
func AppendNotify(dst []byte, m *Notify) []byte {
	dst = appendUint(dst, `{"type":"notify","seq":`, m.Seq)
	dst = appendText(dst, `,"name":`, m.Name)
	dst = appendText(dst, `,"event_id":`, m.EventID)
	dst = appendText(dst, `,"correlation_id":`, m.CorrelationID)
	dst = appendText(dst, `,"causation_id":`, m.CausationID)
	dst = appendMillis(dst, `,"time":`, m.Time)
	if m.Redelivered {
		dst = append(dst, `,"redelivered":true`...)
	}
	dst = appendPayload(dst, &m.Payload)
	return append(dst, '}')
}
