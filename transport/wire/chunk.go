package wire

// Chunk is a piece of a token stream. A worker's names its Lease; a server's
// the stream, its lineage and the attempt. Chunks are best effort.
type Chunk struct {
	Lease         []byte // Not empty: a worker's.
	Stream        []byte
	CorrelationID []byte
	Attempt       uint64
	Offset        uint64
	Final         bool // The stream ends here; there may be no payload.
	Payload       Payload
}

func (m *Chunk) reset() { *m = Chunk{} }

func (m *Chunk) set(d *Decoder, field uint8) {
	switch field {
	case fieldLease:
		d.opaque(&m.Lease)
	case fieldStream:
		d.text(&m.Stream, MaxNameBytes)
	case fieldCorrelationID:
		d.text(&m.CorrelationID, MaxCorrelationIDBytes)
	case fieldAttempt:
		d.uint(&m.Attempt)
	case fieldOffset:
		d.uint(&m.Offset)
	case fieldFinal:
		d.boolean(&m.Final)
	case fieldData:
		d.payload(&m.Payload)
	case fieldDataBase64:
		d.payloadBase64(&m.Payload)
	default:
		d.ignore(field)
	}
}

func (m *Chunk) check(d *Decoder) {
	if d.side == FromServer {
		m.Lease = nil
		d.need(fieldStream, fieldAttempt, fieldOffset)
		return
	}
	d.need(fieldLease, fieldOffset)
	if !m.Final {
		d.needPayload(&m.Payload)
	}
}

// AppendChunk appends m: a worker's where it has a Lease.
func AppendChunk(dst Buffer, m *Chunk) Buffer {
	e := open(dst, TypeChunk)
	if len(m.Lease) > 0 {
		e.text(fieldLease, m.Lease)
		e.optText(fieldStream, m.Stream)
	} else {
		e.text(fieldStream, m.Stream)
		e.text(fieldCorrelationID, m.CorrelationID)
		e.uint(fieldAttempt, m.Attempt)
	}
	e.uint(fieldOffset, m.Offset)
	e.flag(fieldFinal, m.Final)
	e.payload(&m.Payload)
	return e.close()
}
