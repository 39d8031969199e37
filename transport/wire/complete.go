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

func (m *NotifyItem) append(dst []byte) []byte {
	dst = append(dst, '{')
	if len(m.ClientID) > 0 {
		dst = appendText(dst, `"client_id":`, m.ClientID)
		dst = append(dst, ',')
	}
	dst = appendText(dst, `"name":`, m.Name)
	dst = appendPayload(dst, &m.Payload)
	return append(dst, '}')
}

// AppendComplete appends m as one JSON object.
func AppendComplete(dst []byte, m *Complete) []byte {
	dst = appendUint(dst, `{"type":"complete","id":`, m.ID)
	return m.append(append(dst, ','))
}

// append appends what stands in a message behind its id, and the closing bracket.
func (m *Complete) append(dst []byte) []byte {
	dst = appendText(dst, `"lease":`, m.Lease)
	dst = appendOptRaw(dst, `,"result":`, m.Result)
	dst = appendOptRaw(dst, `,"usage":`, m.Usage)
	if len(m.Emit) > 0 {
		dst = append(dst, `,"emit":`...)
		for i := range m.Emit {
			dst = append(dst, opening(i))
			dst = m.Emit[i].append(dst)
		}
		dst = append(dst, ']')
	}
	if len(m.Notify) > 0 {
		dst = append(dst, `,"notify":`...)
		for i := range m.Notify {
			dst = append(dst, opening(i))
			dst = m.Notify[i].append(dst)
		}
		dst = append(dst, ']')
	}
	return append(dst, '}')
}

// opening is what stands before the i-th element of a list.
func opening(i int) byte {
	if i == 0 {
		return '['
	}
	return ','
}
