package wire

// EventFields are what a publish, an emitted event and a followed event have in
// common: the publish fields.
type EventFields struct {
	Channel        []byte
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
	d.need(fieldChannel)
	d.needPayload(&m.Payload)
}

func (m *EventFields) append(dst []byte, rawHeaders Raw) []byte {
	dst = appendText(dst, `"channel":`, m.Channel)
	dst = appendOptText(dst, `,"idempotency_key":`, m.IdempotencyKey)
	dst = appendOptText(dst, `,"correlation_id":`, m.CorrelationID)
	dst = appendOptText(dst, `,"causation_id":`, m.CausationID)
	dst = appendOptText(dst, `,"key":`, m.Key)
	dst = appendOptUint(dst, `,"client_seq":`, m.ClientSeq)
	dst = appendOptUint(dst, `,"priority":`, uint64(m.Priority))
	dst = appendOptMillis(dst, `,"delay_ms":`, m.DelayMs)
	dst = appendOptMillis(dst, `,"deliver_at":`, m.DeliverAt)
	dst = appendOptMillis(dst, `,"ttl_ms":`, m.TTLMs)
	dst = appendOptText(dst, `,"on_end":`, m.OnEnd)
	dst = appendOptHeaders(dst, m.Headers)
	dst = appendOptRaw(dst, `,"headers":`, rawHeaders)
	dst = appendOptText(dst, `,"content_type":`, m.ContentType)
	return appendPayload(dst, &m.Payload)
}
