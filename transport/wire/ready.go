package wire

// Ready ends the wait that a hello with "ready":false began: deliver from now on.
type Ready struct{}

func (m *Ready) reset() {}

func (m *Ready) set(d *Decoder, field uint8) { d.ignore(field) }

func (m *Ready) check(*Decoder) {}

// AppendReady appends m as one JSON object.
func AppendReady(dst []byte, _ *Ready) []byte { return append(dst, `{"type":"ready"}`...) }
