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

// AppendSubscribe appends m as one JSON object.
func AppendSubscribe(dst []byte, m *Subscribe) []byte {
	dst = appendUint(dst, `{"type":"subscribe","id":`, m.ID)
	dst = appendText(dst, `,"channel":`, m.Channel)
	dst = appendOptText(dst, `,"group":`, m.Group)
	dst = m.From.append(dst)
	dst = appendUint(dst, `,"credit":`, m.Credit)
	dst = appendOptMillis(dst, `,"lease_ms":`, m.LeaseMs)
	return append(dst, '}')
}
