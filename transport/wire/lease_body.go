package wire

// The bodies of an HTTP complete and fail are the messages without type and id.

// CompleteBody reads the body of an HTTP complete.
func (d *Decoder) CompleteBody(body []byte, m *Complete) error {
	return d.whole(body, &completeBody{m}, TypeComplete)
}

// FailBody reads the body of an HTTP fail.
func (d *Decoder) FailBody(body []byte, m *Fail) error { return d.whole(body, &failBody{m}, TypeFail) }

// AppendCompleteBody appends m as CompleteBody reads it.
func AppendCompleteBody(dst []byte, m *Complete) []byte {
	e := openBody(dst)
	m.encode(&e)
	return e.closeBody()
}

// AppendFailBody appends m as FailBody reads it.
func AppendFailBody(dst []byte, m *Fail) []byte {
	e := openBody(dst)
	m.encode(&e)
	return e.closeBody()
}

type completeBody struct{ *Complete }

func (m *completeBody) set(d *Decoder, field uint8) {
	if field == fieldID {
		d.ignore(field)
		return
	}
	m.Complete.set(d, field)
}

func (*completeBody) check(d *Decoder) { d.need(fieldLease) }

type failBody struct{ *Fail }

func (m *failBody) set(d *Decoder, field uint8) {
	if field == fieldID {
		d.ignore(field)
		return
	}
	m.Fail.set(d, field)
}

func (*failBody) check(d *Decoder) { d.need(fieldLease, fieldError) }
