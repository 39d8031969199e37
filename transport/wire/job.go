package wire

// Job is an event leased to a worker.
type Job struct {
	Subscription   []byte
	Lease          []byte
	Fence          uint64
	EventID        []byte
	Channel        []byte
	Group          []byte
	Attempt        uint64
	LeaseMs        int64
	Key            []byte
	IdempotencyKey []byte
	CorrelationID  []byte
	CausationID    []byte
	ClientID       []byte // Empty where the event has no client.
	Tenant         []byte
	Headers        []Header
	ContentType    []byte // What the publisher, or an edited redrive, said of the data.
	Run            []byte // The workflow run and step, if this is one's.
	Step           []byte
	Checkpoint     Raw // What the last attempt saved.
	Payload        Payload
}

func (m *Job) reset() { *m = Job{Headers: m.Headers[:0]} }

func (m *Job) set(d *Decoder, field uint8) {
	switch field {
	case fieldEventID:
		d.opaque(&m.EventID)
	case fieldChannel:
		d.text(&m.Channel, MaxNameBytes)
	case fieldKey:
		d.text(&m.Key, MaxKeyBytes)
	case fieldIdempotencyKey:
		d.text(&m.IdempotencyKey, MaxIdempotencyKeyBytes)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldCausationID:
		d.text(&m.CausationID, MaxCorrelationIDBytes)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldTenant:
		d.text(&m.Tenant, MaxClientIDBytes)
	case fieldHeaders:
		d.headers(&m.Headers)
	case fieldContentType:
		d.text(&m.ContentType, MaxContentTypeBytes)
	case fieldData:
		d.payload(&m.Payload)
	case fieldDataBase64:
		d.payloadBase64(&m.Payload)
	default:
		m.setWork(d, field)
	}
}

func (m *Job) setWork(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldFence:
		d.uint(&m.Fence)
	case fieldGroup:
		d.text(&m.Group, MaxNameBytes)
	case fieldAttempt:
		d.uint(&m.Attempt)
	case fieldLeaseMs:
		d.millis(&m.LeaseMs)
	case fieldRun:
		d.opaque(&m.Run)
	case fieldStep:
		d.opaque(&m.Step)
	case fieldCheckpoint:
		d.raw(&m.Checkpoint)
	default:
		d.ignore(field)
	}
}

func (m *Job) check(d *Decoder) {
	d.need(fieldSubscription, fieldLease, fieldFence, fieldEventID, fieldChannel, fieldAttempt, fieldLeaseMs)
}

// AppendJob appends m as one JSON object.
func AppendJob(dst []byte, m *Job) []byte { return AppendJobRaw(dst, m, nil) }

// AppendJobRaw is AppendJob for headers that are encoded already, by
// AppendHeaders; m.Headers must be empty then.
func AppendJobRaw(dst []byte, m *Job, rawHeaders Raw) []byte {
	dst = appendText(dst, `{"type":"job","subscription":`, m.Subscription)
	dst = appendText(dst, `,"lease":`, m.Lease)
	dst = appendUint(dst, `,"fence":`, m.Fence)
	dst = appendText(dst, `,"event_id":`, m.EventID)
	dst = appendText(dst, `,"channel":`, m.Channel)
	dst = appendText(dst, `,"group":`, m.Group)
	dst = appendUint(dst, `,"attempt":`, m.Attempt)
	dst = appendMillis(dst, `,"lease_ms":`, m.LeaseMs)
	dst = appendText(dst, `,"key":`, m.Key)
	dst = appendText(dst, `,"idempotency_key":`, m.IdempotencyKey)
	dst = appendText(dst, `,"correlation_id":`, m.CorrelationID)
	dst = appendText(dst, `,"causation_id":`, m.CausationID)
	dst = appendOptText(dst, `,"client_id":`, m.ClientID)
	dst = appendText(dst, `,"tenant":`, m.Tenant)
	dst = appendOptHeaders(dst, m.Headers)
	dst = appendOptRaw(dst, `,"headers":`, rawHeaders)
	dst = appendOptText(dst, `,"content_type":`, m.ContentType)
	dst = appendOptText(dst, `,"run":`, m.Run)
	dst = appendOptText(dst, `,"step":`, m.Step)
	dst = appendOptRaw(dst, `,"checkpoint":`, m.Checkpoint)
	dst = appendPayload(dst, &m.Payload)
	return append(dst, '}')
}
