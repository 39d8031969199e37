package wire

// EventFields are what a publish, an emitted event and a followed event have in
// common: the publish fields.
type EventFields struct {
	Channel        []byte
	ChannelHandle  uint8 // A number for Channel on a binary connection, from 1; 0 is none.
	IdempotencyKey []byte
	CorrelationID  []byte
	CausationID    []byte
	Key            []byte // The partition key.
	ClientSeq      uint64 // From 1; 0 is none.
	Priority       uint8
	DelayMs        int64 // 0 is none.
	DeliverAt      int64 // Unix milliseconds; 0 is none.
	TTLMs          int64 // 0 is none.
	// OnEnd names the notification of the lineage's end; of a publish only.
	OnEnd       []byte
	Headers     []Header
	ContentType []byte
	Payload     Payload
}

func (m *EventFields) reset() { *m = EventFields{Headers: m.Headers[:0]} }

func (m *EventFields) set(d *Decoder, field uint8) {
	switch field {
	case fieldChannel:
		d.name(&m.Channel)
	case fieldChannelHandle:
		d.handle(&m.ChannelHandle)
	case fieldIdempotencyKey:
		d.text(&m.IdempotencyKey, MaxIdempotencyKeyBytes)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldCausationID:
		d.text(&m.CausationID, MaxCorrelationIDBytes)
	case fieldKey:
		d.text(&m.Key, MaxKeyBytes)
	case fieldOnEnd:
		d.text(&m.OnEnd, MaxNameBytes)
	case fieldHeaders:
		d.headers(&m.Headers)
	case fieldContentType:
		d.text(&m.ContentType, MaxContentTypeBytes)
	case fieldData:
		d.payload(&m.Payload)
	case fieldDataBase64:
		d.payloadBase64(&m.Payload)
	default:
		m.setNumber(d, field)
	}
}

func (m *EventFields) setNumber(d *Decoder, field uint8) {
	switch field {
	case fieldClientSeq:
		if d.uint(&m.ClientSeq); m.ClientSeq == 0 {
			d.refuse("must be an integer from 1 to 2^53-1")
		}
	case fieldPriority:
		var n uint64
		if d.uint(&n); n > MaxPriority {
			d.refuse("must be an integer from 0 to 9")
		}
		m.Priority = uint8(n)
	case fieldDelayMs:
		d.millis(&m.DelayMs)
	case fieldDeliverAt:
		d.millis(&m.DeliverAt)
	case fieldTTLMs:
		d.millis(&m.TTLMs)
	default:
		d.ignore(field)
	}
}

func (m *EventFields) check(d *Decoder) {
	d.findChannel(m.ChannelHandle, &m.Channel)
	d.need(fieldChannel)
	d.needPayload(&m.Payload)
	d.keepChannel(m.ChannelHandle, m.Channel)
}

func (m *EventFields) encode(e *encoder, rawHeaders Raw) {
	e.channel(m.Channel, m.ChannelHandle)
	e.optText(fieldIdempotencyKey, m.IdempotencyKey)
	e.optText(fieldCorrelationID, m.CorrelationID)
	e.optText(fieldCausationID, m.CausationID)
	e.optText(fieldKey, m.Key)
	e.optUint(fieldClientSeq, m.ClientSeq)
	e.optUint(fieldPriority, uint64(m.Priority))
	e.optMillis(fieldDelayMs, m.DelayMs)
	e.optMillis(fieldDeliverAt, m.DeliverAt)
	e.optMillis(fieldTTLMs, m.TTLMs)
	e.optText(fieldOnEnd, m.OnEnd)
	e.optHeaders(m.Headers, rawHeaders)
	e.optText(fieldContentType, m.ContentType)
	e.payload(&m.Payload)
}

// channel writes a channel's name, or the number that it was given.
func (e *encoder) channel(name []byte, handle uint8) {
	numbered := e.binary && handle > 0
	if len(name) > 0 || !numbered {
		e.text(fieldChannel, name)
	}
	if numbered {
		e.uint(fieldChannelHandle, uint64(handle))
	}
}
