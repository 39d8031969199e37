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

// AppendJob appends m.
func AppendJob(dst Buffer, m *Job) Buffer { return AppendJobRaw(dst, m, nil) }

// AppendJobRaw is AppendJob for headers that are encoded already, by
// AppendHeaders; m.Headers must be empty then.
func AppendJobRaw(dst Buffer, m *Job, rawHeaders Raw) Buffer {
	e := open(dst, TypeJob)
	e.text(fieldSubscription, m.Subscription)
	e.text(fieldLease, m.Lease)
	e.uint(fieldFence, m.Fence)
	e.text(fieldEventID, m.EventID)
	e.text(fieldChannel, m.Channel)
	e.text(fieldGroup, m.Group)
	e.uint(fieldAttempt, m.Attempt)
	e.millis(fieldLeaseMs, m.LeaseMs)
	e.text(fieldKey, m.Key)
	e.text(fieldIdempotencyKey, m.IdempotencyKey)
	e.text(fieldCorrelationID, m.CorrelationID)
	e.text(fieldCausationID, m.CausationID)
	e.optText(fieldClientID, m.ClientID)
	e.text(fieldTenant, m.Tenant)
	e.optHeaders(m.Headers, rawHeaders)
	e.optText(fieldContentType, m.ContentType)
	e.optText(fieldRun, m.Run)
	e.optText(fieldStep, m.Step)
	e.optRaw(fieldCheckpoint, m.Checkpoint)
	e.payload(&m.Payload)
	return e.close()
}
