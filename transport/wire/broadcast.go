package wire

// Broadcast notifies several clients of the same. Answered by OK, with the id and
// the correlation id that the notifications have, or by Error.
type Broadcast struct {
	ID             uint64
	ClientIDs      [][]byte
	Name           []byte
	IdempotencyKey []byte
	CorrelationID  []byte
	CausationID    []byte
	Payload        Payload
}

func (m *Broadcast) reset() { *m = Broadcast{ClientIDs: m.ClientIDs[:0]} }

func (m *Broadcast) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.uint(&m.ID)
	case fieldClientIDs:
		m.setClients(d)
	case fieldName:
		d.text(&m.Name, MaxNameBytes)
	case fieldIdempotencyKey:
		d.text(&m.IdempotencyKey, MaxIdempotencyKeyBytes)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldCausationID:
		d.text(&m.CausationID, MaxCorrelationIDBytes)
	case fieldData:
		d.payload(&m.Payload)
	case fieldDataBase64:
		d.payloadBase64(&m.Payload)
	default:
		d.ignore(field)
	}
}

func (m *Broadcast) setClients(d *Decoder) {
	if !d.array() {
		return
	}
	for n := 0; d.element(n); n++ {
		if n == MaxBroadcastClients {
			d.refuse("must have at most 10000 clients")
			return
		}
		var client []byte
		d.text(&client, MaxClientIDBytes)
		m.ClientIDs = append(m.ClientIDs, client)
	}
}

func (m *Broadcast) check(d *Decoder) {
	d.need(fieldID)
	m.checkBody(d)
}

func (m *Broadcast) checkBody(d *Decoder) {
	d.need(fieldClientIDs, fieldName)
	d.needPayload(&m.Payload)
}

// AppendBroadcast appends m.
func AppendBroadcast(dst Buffer, m *Broadcast) Buffer {
	e := open(dst, TypeBroadcast)
	e.id(m.ID)
	m.encode(&e)
	return e.close()
}

// encode writes what stands in a message behind its id.
func (m *Broadcast) encode(e *encoder) {
	e.texts(fieldClientIDs, m.ClientIDs)
	e.text(fieldName, m.Name)
	e.optText(fieldIdempotencyKey, m.IdempotencyKey)
	e.optText(fieldCorrelationID, m.CorrelationID)
	e.optText(fieldCausationID, m.CausationID)
	e.payload(&m.Payload)
}

// BroadcastBody is the body of an HTTP broadcast: the message without type and id,
// with a tenant.
type BroadcastBody struct {
	Broadcast

	Tenant []byte
}

// BroadcastBody reads the body of an HTTP broadcast.
func (d *Decoder) BroadcastBody(body []byte, m *BroadcastBody) error {
	return d.whole(body, m, TypeBroadcast)
}

// AppendBroadcastBody appends m as Decoder.BroadcastBody reads it.
func AppendBroadcastBody(dst []byte, m *BroadcastBody) []byte {
	e := openBody(dst)
	e.optText(fieldTenant, m.Tenant)
	m.encode(&e)
	return e.closeBody()
}

func (m *BroadcastBody) reset() {
	m.Tenant = nil
	m.Broadcast.reset()
}

func (m *BroadcastBody) set(d *Decoder, field uint8) {
	switch field {
	case fieldID:
		d.ignore(field)
	case fieldTenant:
		d.text(&m.Tenant, MaxClientIDBytes)
	default:
		m.Broadcast.set(d, field)
	}
}

func (m *BroadcastBody) check(d *Decoder) { m.checkBody(d) }
