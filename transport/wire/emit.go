package wire

// Emit is an event that a finished job sends on, with the publish fields. What
// it does not name it inherits from the job's event.
type Emit struct {
	EventFields

	ClientID []byte
	// Tenant is read from the body of an HTTP publish only; a job's emits carry
	// the job's tenant and are refused when they name one.
	Tenant []byte
}

func (m *Emit) reset() {
	headers := m.Headers[:0]
	*m = Emit{}
	m.Headers = headers
}

func (m *Emit) set(d *Decoder, field uint8) {
	switch {
	case field == fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case field == fieldTenant && d.depth == 1:
		d.text(&m.Tenant, MaxClientIDBytes)
	case field == fieldTenant:
		d.refuse("is the job's: an emit cannot name it")
	case field == fieldOnEnd && d.depth > 1:
		d.refuse("is for publish: an emit cannot have it")
	default:
		m.EventFields.set(d, field)
	}
}

func (m *Emit) encode(e *encoder) {
	mark := e.item()
	e.optText(fieldClientID, m.ClientID)
	m.EventFields.encode(e, nil)
	e.endObject(mark)
}

// AppendBody appends m as the body of an HTTP publish, as Decoder.Body reads it.
func AppendBody(dst []byte, m *Emit) []byte {
	e := openBody(dst)
	e.optText(fieldTenant, m.Tenant)
	e.optText(fieldClientID, m.ClientID)
	m.EventFields.encode(&e, nil)
	return e.closeBody()
}
