package command

// Codec says what a payload's bytes are.
type Codec uint8

// The codecs of a payload.
const (
	// CodecNone is an absent payload.
	CodecNone Codec = 0
	// CodecJSON is exactly one JSON value, as the bytes received.
	CodecJSON Codec = 1
	// CodecBytes is anything else; JSON clients see it as data_base64.
	CodecBytes Codec = 2
)

// Payload is the data of an event or notification: never decoded, only carried.
type Payload struct {
	Codec Codec
	Bytes []byte
}

// AppendPayload appends codec and bytes.
func AppendPayload(dst []byte, p Payload) []byte {
	return AppendString(append(dst, byte(p.Codec)), p.Bytes)
}

// Payload reads what AppendPayload wrote; its bytes alias the record.
func (r *Reader) Payload() Payload { return Payload{Codec: Codec(r.Byte()), Bytes: r.Bytes()} }

// Event is what a publish says about an event, and what the state keeps of it.
type Event struct {
	Channel  string
	Tenant   string
	ClientID string
	// Key is the partition key: the given key, else the client id, else the
	// idempotency key, else a random one. Always set.
	Key            string
	IdempotencyKey string
	// CorrelationID is empty for an event that starts its own lineage.
	CorrelationID string
	CausationID   string
	DeviceID      string
	ContentType   string
	Traceparent   string
	// Headers is an encoded JSON object of strings, or empty.
	Headers []byte
	// ClientSeq is the client's own count of its events, 0 for none.
	ClientSeq uint64
	// DelayMS and DeliverAtMS hold the event back; 0 for not.
	DelayMS     uint64
	DeliverAtMS uint64
	// TTLMS is for how long it is worth working on, from when it is stored; 0 for
	// ever.
	TTLMS uint64
	// Priority is its class, 0 to MaxPriority: the higher the sooner.
	Priority uint32
	// OnEnd is the name under which its client is notified when the event's lineage
	// has ended; empty for not. Only a publish has one.
	OnEnd   string
	Payload Payload
	// Task makes it the job of a run's step, where its Run is not zero. Uses are the
	// limits that it takes part in.
	Task Task
	Uses []Use
}

// MaxPriority is the most urgent class of events.
const MaxPriority = 9

// codecExtended stands in the place of a payload's codec where an event has
// fields that came later: the payload follows, then they, with their length. An
// event without them has the bytes that it always had.
const codecExtended = 0xff

// AppendEvent appends the event's fields in their order.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = AppendString(dst, e.Channel)
	dst = AppendString(dst, e.Tenant)
	dst = AppendString(dst, e.ClientID)
	dst = AppendString(dst, e.Key)
	dst = AppendString(dst, e.IdempotencyKey)
	dst = AppendString(dst, e.CorrelationID)
	dst = AppendString(dst, e.CausationID)
	dst = AppendString(dst, e.DeviceID)
	dst = AppendString(dst, e.ContentType)
	dst = AppendString(dst, e.Traceparent)
	dst = AppendString(dst, e.Headers)
	dst = AppendUint(dst, e.ClientSeq)
	dst = AppendUint(dst, e.DelayMS)
	dst = AppendUint(dst, e.DeliverAtMS)
	if e.plain() {
		return AppendPayload(dst, e.Payload)
	}
	var room [256]byte
	dst = AppendPayload(append(dst, codecExtended), e.Payload)
	return AppendString(dst, appendLater(room[:0], e))
}

// plain tells whether an event has none of the fields that came later.
func (e *Event) plain() bool {
	return e.TTLMS == 0 && e.Priority == 0 && e.OnEnd == "" && e.Task == (Task{}) && len(e.Uses) == 0 &&
		e.Payload.Codec != codecExtended
}

// appendLater appends the fields that came later, up to the last that says something.
func appendLater(dst []byte, e *Event) []byte {
	dst = AppendUint(dst, e.TTLMS)
	works := e.Task != (Task{}) || len(e.Uses) > 0
	if e.Priority != 0 || e.OnEnd != "" || works {
		dst = AppendUint(dst, uint64(e.Priority))
	}
	if e.OnEnd != "" || works {
		dst = AppendString(dst, e.OnEnd)
	}
	if works {
		dst = AppendUses(appendTask(dst, &e.Task), e.Uses)
	}
	return dst
}

// Event reads what AppendEvent wrote; byte slices alias the record.
func (r *Reader) Event() Event {
	var e Event
	r.texts(&e.Channel, &e.Tenant, &e.ClientID, &e.Key, &e.IdempotencyKey,
		&e.CorrelationID, &e.CausationID, &e.DeviceID, &e.ContentType, &e.Traceparent)
	e.Headers = r.Bytes()
	e.ClientSeq, e.DelayMS, e.DeliverAtMS = r.Uint(), r.Uint(), r.Uint()
	r.extended(&e)
	return e
}

// extended reads an event's payload and what may follow it.
func (r *Reader) extended(e *Event) {
	codec := r.Byte()
	if codec != codecExtended {
		e.Payload = Payload{Codec: Codec(codec), Bytes: r.Bytes()}
		return
	}
	e.Payload = r.Payload()
	later := NewReader(r.Bytes())
	e.TTLMS = later.Uint()
	e.Priority = later.Uint32()
	e.OnEnd = later.String()
	e.Task, e.Uses = later.task(), later.Uses()
	if later.Err() != nil {
		r.fail(later.Err())
	}
}
