package wire

// Fail gives a job back as failed. Answered by OK or Error.
type Fail struct {
	ID           uint64
	Lease        []byte
	Error        FailError
	Retryable    Tristate
	RetryAfterMs int64
	Throttled    bool // A limit outside refused the work: park, count no attempt.
}

// FailError is what went wrong, in the worker's words.
type FailError struct {
	Code    []byte // A string; an integer is taken as its digits.
	Message []byte
	Detail  Raw
}

func (m *Fail) reset() { *m = Fail{} }

func (m *Fail) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldError:
		d.nested(&m.Error)
	case fieldRetryable:
		d.tristate(&m.Retryable)
	case fieldRetryAfterMs:
		d.millis(&m.RetryAfterMs)
	case fieldThrottled:
		d.boolean(&m.Throttled)
	default:
		d.ignore(field)
	}
}

func (m *Fail) check(d *Decoder) { d.need(fieldID, fieldLease, fieldError) }

func (m *FailError) reset() { *m = FailError{} }

func (m *FailError) set(d *Decoder, field uint8) {
	switch field {
	case fieldCode:
		d.code(&m.Code)
	case fieldMessage:
		d.text(&m.Message, MaxReasonBytes)
	case fieldDetail:
		d.raw(&m.Detail)
	default:
		d.ignore(field)
	}
}

func (m *FailError) check(d *Decoder) { d.need(fieldCode, fieldMessage) }

// code reads a string, or an integer as the text it is.
func (d *Decoder) code(dst *[]byte) {
	const want = "must be a string or an integer"
	if d.isText() {
		d.text(dst, MaxReasonBytes)
		return
	}
	if d.binary {
		d.recordDigits(dst, want)
		return
	}
	c := d.peek()
	if c != '-' && c-'0' > 9 {
		d.refuse(want)
		return
	}
	span, ok := d.number()
	if !ok {
		return
	}
	digits := span
	if c == '-' {
		digits = span[1:]
	}
	if _, ok = integer(digits); !ok {
		d.refuse(want)
		return
	}
	*dst = span
}

// AppendFail appends m.
func AppendFail(dst Buffer, m *Fail) Buffer {
	e := open(dst, TypeFail)
	e.id(m.ID)
	m.encode(&e)
	return e.close()
}

// encode writes what stands in a message behind its id.
func (m *Fail) encode(e *encoder) {
	e.text(fieldLease, m.Lease)
	mark := e.object(fieldError)
	e.text(fieldCode, m.Error.Code)
	e.text(fieldMessage, m.Error.Message)
	e.optRaw(fieldDetail, m.Error.Detail)
	e.endObject(mark)
	e.tristate(fieldRetryable, m.Retryable)
	e.optMillis(fieldRetryAfterMs, m.RetryAfterMs)
	e.flag(fieldThrottled, m.Throttled)
}
