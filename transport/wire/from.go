package wire

// FromKind says where a follower or a new group begins.
type FromKind uint8

// The kinds of beginning.
const (
	FromUnset    FromKind = iota // Not given.
	FromNew                      // With what comes from now on.
	FromEarliest                 // With the oldest retained.
	FromCursor                   // After Cursor.
	FromTime                     // With the first event at or after Time.
)

// From is where a follower, or a group that does not exist yet, begins.
type From struct {
	Kind   FromKind
	Cursor []byte
	Time   int64 // Unix milliseconds.
}

const wantFrom = `must be "new", "earliest", or an object with either cursor or time`

// from reads a word or an object.
func (d *Decoder) from(f *From) {
	if d.isObject() {
		d.nested(f)
		return
	}
	text, ok := d.string(wantFrom)
	if !ok {
		return
	}
	switch string(text) {
	case "new":
		f.Kind = FromNew
	case "earliest":
		f.Kind = FromEarliest
	default:
		d.refuse(wantFrom)
	}
}

func (f *From) reset() { *f = From{} }

func (f *From) set(d *Decoder, field uint8) {
	switch field {
	case fieldCursor:
		d.cursor(&f.Cursor)
		f.Kind = FromCursor
	case fieldTime:
		d.millis(&f.Time)
		f.Kind = FromTime
	default:
		d.ignore(field)
	}
}

func (f *From) check(d *Decoder) {
	if d.seen.has(fieldCursor) == d.seen.has(fieldTime) {
		d.refuseWhole(wantFrom)
	}
}

func (f *From) encode(e *encoder) {
	switch f.Kind {
	case FromNew:
		e.word(fieldFrom, "new")
	case FromEarliest:
		e.word(fieldFrom, "earliest")
	case FromCursor:
		mark := e.object(fieldFrom)
		e.text(fieldCursor, f.Cursor)
		e.endObject(mark)
	case FromTime:
		mark := e.object(fieldFrom)
		e.millis(fieldTime, f.Time)
		e.endObject(mark)
	case FromUnset:
	}
}
