package wire

// Subscribe asks for the jobs of a channel's group. Answered by OK with
// Subscription, or by Error.
type Subscribe struct {
	ID      uint64
	Channel []byte
	Group   []byte // Empty: the group "default".
	From    From   // Where a group begins that does not exist yet.
	Credit  uint64 // Jobs outstanding at most.
	LeaseMs int64  // 0: the channel's.
}

func (m *Subscribe) reset() { *m = Subscribe{} }

func (m *Subscribe) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldChannel:
		d.name(&m.Channel)
	case fieldGroup:
		d.name(&m.Group)
	case fieldFrom:
		d.from(&m.From)
	case fieldCredit:
		d.uint(&m.Credit)
	case fieldLeaseMs:
		d.millis(&m.LeaseMs)
	default:
		d.ignore(field)
	}
}

func (m *Subscribe) check(d *Decoder) { d.need(fieldID, fieldChannel, fieldCredit) }

// AppendSubscribe appends m.
func AppendSubscribe(dst Buffer, m *Subscribe) Buffer {
	e := open(dst, TypeSubscribe)
	e.id(m.ID)
	e.text(fieldChannel, m.Channel)
	e.optText(fieldGroup, m.Group)
	m.From.encode(&e)
	e.uint(fieldCredit, m.Credit)
	e.optMillis(fieldLeaseMs, m.LeaseMs)
	return e.close()
}
