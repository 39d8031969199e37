package wire

// Gap says that the notifications From to To, both included, are not there. With the
// Subscription of a follow it says that a follower comes too late for some events, and
// has From and To left out.
type Gap struct {
	Subscription []byte
	From, To     uint64
	Reason       GapReason
}

// GapReason says why notifications are missing.
type GapReason uint8

// The reasons of a gap.
const (
	GapTrimmed GapReason = iota // Retention ended before they were acknowledged, or followed.
	GapEpoch                    // The client's cursor is of another epoch: a restored cluster.
)

// String is the word on the wire.
func (r GapReason) String() string {
	if r == GapEpoch {
		return "epoch"
	}
	return "trimmed"
}

func (m *Gap) reset() { *m = Gap{} }

func (m *Gap) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldFrom:
		d.uint(&m.From)
	case fieldTo:
		d.uint(&m.To)
	case fieldReason:
		d.gapReason(&m.Reason)
	default:
		d.ignore(field)
	}
}

func (m *Gap) check(d *Decoder) {
	if len(m.Subscription) == 0 {
		d.need(fieldFrom, fieldTo)
	}
	d.need(fieldReason)
}

func (d *Decoder) gapReason(dst *GapReason) {
	const want = `must be "trimmed" or "epoch"`
	text, ok := d.string(want)
	if !ok {
		return
	}
	switch string(text) {
	case "trimmed":
		*dst = GapTrimmed
	case "epoch":
		*dst = GapEpoch
	default:
		d.refuse(want)
	}
}

// AppendGap appends m.
func AppendGap(dst Buffer, m *Gap) Buffer {
	e := open(dst, TypeGap)
	if len(m.Subscription) > 0 {
		e.text(fieldSubscription, m.Subscription)
		e.optUint(fieldFrom, m.From)
		e.optUint(fieldTo, m.To)
	} else {
		e.uint(fieldFrom, m.From)
		e.uint(fieldTo, m.To)
	}
	e.word(fieldReason, m.Reason.String())
	return e.close()
}
