package wire

// Welcome answers Hello. The stream's fields (Epoch, Seq, Oldest, Resumed) are
// written only where there is a ClientID.
type Welcome struct {
	Session     []byte
	Node        []byte
	Tenant      []byte
	ClientID    []byte
	Epoch       []byte
	Seq         uint64 // The stream's last.
	Oldest      uint64 // The oldest still retained.
	Resumed     Resumed
	Protocol    []byte
	Features    [][]byte
	Limits      Limits
	Nodes       [][]byte // The cluster's client URLs.
	HeartbeatMs int64
	ServerTime  int64 // Unix milliseconds.
	// TokenExpiresMs is for how long the token is good, 0 for ever.
	TokenExpiresMs int64
}

// Resumed says how much of what a client missed is still there.
type Resumed uint8

// How much is there.
const (
	ResumedNone Resumed = iota
	ResumedPartial
	ResumedFull
)

// String is the word on the wire.
func (r Resumed) String() string {
	switch r {
	case ResumedFull:
		return "full"
	case ResumedPartial:
		return "partial"
	case ResumedNone:
	}
	return "none"
}

// Limits are the connection's bounds.
type Limits struct {
	MaxInFlight     uint64 // Requests not yet answered.
	MaxMessageBytes uint64
	MaxPayloadBytes uint64 // Of one data, result, checkpoint or detail; 0 from a node that does not say.
	Window          uint64 // Notifications not yet acknowledged.
}

func (m *Welcome) reset() { *m = Welcome{Features: m.Features[:0], Nodes: m.Nodes[:0]} }

func (m *Welcome) set(d *Decoder, field uint8) {
	switch field {
	case fieldSession:
		d.opaque(&m.Session)
	case fieldNode:
		d.text(&m.Node, MaxReasonBytes)
	case fieldTenant:
		d.text(&m.Tenant, MaxClientIDBytes)
	case fieldClientID:
		d.text(&m.ClientID, MaxClientIDBytes)
	case fieldProtocol:
		d.text(&m.Protocol, MaxNameBytes)
	case fieldFeatures:
		d.texts(&m.Features)
	case fieldLimits:
		d.nested(&m.Limits)
	case fieldNodes:
		d.texts(&m.Nodes)
	case fieldHeartbeatMs:
		d.millis(&m.HeartbeatMs)
	case fieldServerTime:
		d.millis(&m.ServerTime)
	case fieldTokenExpiresMs:
		d.millis(&m.TokenExpiresMs)
	default:
		m.setStream(d, field)
	}
}

func (m *Welcome) setStream(d *Decoder, field uint8) {
	switch field {
	case fieldEpoch:
		d.opaque(&m.Epoch)
	case fieldSeq:
		d.uint(&m.Seq)
	case fieldOldest:
		d.uint(&m.Oldest)
	case fieldResumed:
		d.resumed(&m.Resumed)
	default:
		d.ignore(field)
	}
}

func (m *Welcome) check(d *Decoder) { d.need(fieldSession) }

func (d *Decoder) resumed(dst *Resumed) {
	const want = `must be "full", "partial" or "none"`
	text, ok := d.string(want)
	if !ok {
		return
	}
	switch string(text) {
	case "full":
		*dst = ResumedFull
	case "partial":
		*dst = ResumedPartial
	case "none":
		*dst = ResumedNone
	default:
		d.refuse(want)
	}
}

func (m *Limits) reset() { *m = Limits{} }

func (m *Limits) set(d *Decoder, field uint8) {
	switch field {
	case fieldMaxInFlight:
		d.uint(&m.MaxInFlight)
	case fieldMaxMessageBytes:
		d.uint(&m.MaxMessageBytes)
	case fieldMaxPayloadBytes:
		d.uint(&m.MaxPayloadBytes)
	case fieldWindow:
		d.uint(&m.Window)
	default:
		d.ignore(field)
	}
}

func (m *Limits) check(*Decoder) {}

// AppendWelcome appends m.
func AppendWelcome(dst Buffer, m *Welcome) Buffer {
	e := open(dst, TypeWelcome)
	e.text(fieldSession, m.Session)
	e.text(fieldNode, m.Node)
	e.text(fieldTenant, m.Tenant)
	if len(m.ClientID) > 0 {
		e.text(fieldClientID, m.ClientID)
		e.text(fieldEpoch, m.Epoch)
		e.uint(fieldSeq, m.Seq)
		e.uint(fieldOldest, m.Oldest)
		e.word(fieldResumed, m.Resumed.String())
	}
	e.text(fieldProtocol, m.Protocol)
	e.texts(fieldFeatures, m.Features)
	m.Limits.encode(&e)
	e.texts(fieldNodes, m.Nodes)
	e.millis(fieldHeartbeatMs, m.HeartbeatMs)
	e.millis(fieldServerTime, m.ServerTime)
	e.optMillis(fieldTokenExpiresMs, m.TokenExpiresMs)
	return e.close()
}

func (m *Limits) encode(e *encoder) {
	mark := e.object(fieldLimits)
	e.uint(fieldMaxInFlight, m.MaxInFlight)
	e.uint(fieldMaxMessageBytes, m.MaxMessageBytes)
	e.optUint(fieldMaxPayloadBytes, m.MaxPayloadBytes)
	e.uint(fieldWindow, m.Window)
	e.endObject(mark)
}
