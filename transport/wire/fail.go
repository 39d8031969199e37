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
	c := d.peek()
	if c == '"' {
		d.text(dst, MaxReasonBytes)
		return
	}
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

// AppendFail appends m as one JSON object.
func AppendFail(dst []byte, m *Fail) []byte {
	dst = appendUint(dst, `{"type":"fail","id":`, m.ID)
	return m.append(append(dst, ','))
}

// append appends what stands in a message behind its id, and the closing bracket.
func (m *Fail) append(dst []byte) []byte {
	dst = appendText(dst, `"lease":`, m.Lease)
	dst = appendText(dst, `,"error":{"code":`, m.Error.Code)
	dst = appendText(dst, `,"message":`, m.Error.Message)
	dst = appendOptRaw(dst, `,"detail":`, m.Error.Detail)
	dst = append(dst, '}')
	dst = appendTristate(dst, `,"retryable":`, m.Retryable)
	dst = appendOptMillis(dst, `,"retry_after_ms":`, m.RetryAfterMs)
	if m.Throttled {
		dst = append(dst, `,"throttled":true`...)
	}
	return append(dst, '}')
}
