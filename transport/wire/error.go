package wire

// Error refuses a request, or a message whose id is not known.
type Error struct {
	ID           uint64
	HasID        bool
	Code         int // An HTTP status.
	Reason       Reason
	Message      []byte // A sentence for people.
	Retryable    bool
	RetryAfterMs int64
}

func (m *Error) reset() { *m = Error{} }

func (m *Error) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
		m.HasID = true
	case fieldCode:
		var code uint64
		if d.uint(&code); code > 999 {
			d.refuse("must be an HTTP status")
		}
		m.Code = int(code)
	case fieldReason:
		var reason []byte
		d.text(&reason, MaxReasonBytes)
		m.Reason = reasonOf(reason)
	case fieldMessage:
		d.text(&m.Message, MaxReasonBytes)
	case fieldRetryable:
		d.boolean(&m.Retryable)
	case fieldRetryAfterMs:
		d.millis(&m.RetryAfterMs)
	default:
		d.ignore(field)
	}
}

func (m *Error) check(d *Decoder) { d.need(fieldCode, fieldReason) }

// AppendError appends m.
func AppendError(dst Buffer, m *Error) Buffer {
	e := open(dst, TypeError)
	if m.HasID {
		e.id(m.ID)
	}
	e.uint(fieldCode, uint64(m.Code)) //nolint:gosec // an HTTP status
	e.text(fieldReason, []byte(m.Reason))
	e.text(fieldMessage, m.Message)
	e.boolean(fieldRetryable, m.Retryable)
	e.optMillis(fieldRetryAfterMs, m.RetryAfterMs)
	return e.close()
}
