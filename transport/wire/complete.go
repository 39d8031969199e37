package wire

// Complete finishes a job: acknowledgement, emitted events and notifications in
// one atomic entry. Answered by OK with Events, or by Error.
type Complete struct {
	ID     uint64
	Lease  []byte
	Result Raw
	Usage  Raw
	Emit   []Emit
	Notify []NotifyItem
}

// NotifyItem is a notification that a finished job sends. Without ClientID it
// goes to the client whose event the job was.
type NotifyItem struct {
	ClientID []byte
	Name     []byte
	Payload  Payload
}

func (m *Complete) reset() { *m = Complete{Emit: m.Emit[:0], Notify: m.Notify[:0]} }

func (m *Complete) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldResult:
		d.raw(&m.Result)
	case fieldUsage:
		d.raw(&m.Usage)
	case fieldEmit:
		m.setEmit(d)
	case fieldNotify:
		m.setNotify(d)
	default:
		d.ignore(field)
	}
}

func (m *Complete) setEmit(d *Decoder) {
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		if n == MaxEmits {
			d.refuse("must have at most 256 events")
			return
		}
		m.Emit = extend(m.Emit)
		d.item(&m.Emit[n], n)
	}
}

func (m *Complete) setNotify(d *Decoder) {
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		if n == MaxNotifies {
			d.refuse("must have at most 256 notifications")
			return
		}
		m.Notify = extend(m.Notify)
		d.item(&m.Notify[n], n)
	}
}

func (m *Complete) check(d *Decoder) { d.need(fieldID, fieldLease) }

// extend makes room for one more element, which keeps what an earlier message
// left there, so that its own slices are reused.
func extend[T any](items []T) []T {
	if len(items) < cap(items) {
		return items[:len(items)+1]
	}
	var zero T
	return append(items, zero)
}

func (m *NotifyItem) reset() { *m = NotifyItem{} }

func (m *NotifyItem) set(d *Decoder, field uint8) {
	switch field {
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldName:
		d.text(&m.Name, MaxNameBytes)
	case fieldData:
		d.payload(&m.Payload)
	case fieldDataBase64:
		d.payloadBase64(&m.Payload)
	default:
		d.ignore(field)
	}
}

func (m *NotifyItem) check(d *Decoder) {
	d.need(fieldName)
	d.needPayload(&m.Payload)
}

func (m *NotifyItem) encode(e *encoder) {
	mark := e.item()
	e.optText(fieldClientID, m.ClientID)
	e.text(fieldName, m.Name)
	e.payload(&m.Payload)
	e.endObject(mark)
}

// AppendComplete appends m.
func AppendComplete(dst Buffer, m *Complete) Buffer {
	e := open(dst, TypeComplete)
	e.id(m.ID)
	m.encode(&e)
	return e.close()
}

// encode writes what stands in a message behind its id.
func (m *Complete) encode(e *encoder) {
	e.text(fieldLease, m.Lease)
	e.optRaw(fieldResult, m.Result)
	e.optRaw(fieldUsage, m.Usage)
	if len(m.Emit) > 0 {
		mark := e.list(fieldEmit)
		for i := range m.Emit {
			m.Emit[i].encode(e)
		}
		e.endList(mark)
	}
	if len(m.Notify) > 0 {
		mark := e.list(fieldNotify)
		for i := range m.Notify {
			m.Notify[i].encode(e)
		}
		e.endList(mark)
	}
}
