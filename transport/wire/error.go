package wire

import "strconv"

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

// AppendError appends m as one JSON object.
func AppendError(dst []byte, m *Error) []byte {
	dst = append(dst, `{"type":"error"`...)
	if m.HasID {
		dst = appendUint(dst, `,"id":`, m.ID)
	}
	dst = append(dst, `,"code":`...)
	dst = strconv.AppendInt(dst, int64(m.Code), 10)
	dst = appendText(dst, `,"reason":`, []byte(m.Reason))
	dst = appendText(dst, `,"message":`, m.Message)
	dst = append(dst, `,"retryable":`...)
	dst = strconv.AppendBool(dst, m.Retryable)
	dst = appendOptMillis(dst, `,"retry_after_ms":`, m.RetryAfterMs)
	return append(dst, '}')
}
