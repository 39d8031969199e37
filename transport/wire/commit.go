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

// AppendCommit appends m.
func AppendCommit(dst Buffer, m *Commit) Buffer {
	e := open(dst, TypeCommit)
	e.text(fieldSubscription, m.Subscription)
	e.text(fieldCursor, m.Cursor)
	return e.close()
}
