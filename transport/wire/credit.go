package wire

// Credit sets the window of a subscription: so many jobs outstanding at most; 0 pauses.
type Credit struct {
	Subscription []byte
	Credit       uint64
}

func (m *Credit) reset() { *m = Credit{} }

func (m *Credit) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldCredit:
		d.uint(&m.Credit)
	default:
		d.ignore(field)
	}
}

func (m *Credit) check(d *Decoder) { d.need(fieldSubscription, fieldCredit) }

// AppendCredit appends m.
func AppendCredit(dst Buffer, m *Credit) Buffer {
	e := open(dst, TypeCredit)
	e.text(fieldSubscription, m.Subscription)
	e.uint(fieldCredit, m.Credit)
	return e.close()
}
