package wire

// Unsubscribe ends a subscription or a follow. Answered by OK or Error.
type Unsubscribe struct {
	ID           uint64
	Subscription []byte
}

func (m *Unsubscribe) reset() { *m = Unsubscribe{} }

func (m *Unsubscribe) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldSubscription:
		d.opaque(&m.Subscription)
	default:
		d.ignore(field)
	}
}

func (m *Unsubscribe) check(d *Decoder) { d.need(fieldID, fieldSubscription) }

// AppendUnsubscribe appends m as one JSON object.
func AppendUnsubscribe(dst []byte, m *Unsubscribe) []byte {
	dst = appendUint(dst, `{"type":"unsubscribe","id":`, m.ID)
	dst = appendText(dst, `,"subscription":`, m.Subscription)
	return append(dst, '}')
}
