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

// AppendUnsubscribe appends m.
func AppendUnsubscribe(dst Buffer, m *Unsubscribe) Buffer {
	e := open(dst, TypeUnsubscribe)
	e.id(m.ID)
	e.text(fieldSubscription, m.Subscription)
	return e.close()
}
