package wire

// Commit keeps a named follower's offset in the cluster.
type Commit struct {
	Subscription []byte
	Cursor       []byte
}

func (m *Commit) reset() { *m = Commit{} }

func (m *Commit) set(d *Decoder, field uint8) {
	switch field {
	case fieldSubscription:
		d.opaque(&m.Subscription)
	case fieldCursor:
		d.cursor(&m.Cursor)
	default:
		d.ignore(field)
	}
}

func (m *Commit) check(d *Decoder) { d.need(fieldSubscription, fieldCursor) }

// AppendCommit appends m as one JSON object.
func AppendCommit(dst []byte, m *Commit) []byte {
	dst = appendText(dst, `{"type":"commit","subscription":`, m.Subscription)
	dst = appendText(dst, `,"cursor":`, m.Cursor)
	return append(dst, '}')
}
