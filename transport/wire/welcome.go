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

// AppendWelcome appends m as one JSON object.
func AppendWelcome(dst []byte, m *Welcome) []byte {
	dst = appendText(dst, `{"type":"welcome","session":`, m.Session)
	dst = appendText(dst, `,"node":`, m.Node)
	dst = appendText(dst, `,"tenant":`, m.Tenant)
	if len(m.ClientID) > 0 {
		dst = appendText(dst, `,"client_id":`, m.ClientID)
		dst = appendText(dst, `,"epoch":`, m.Epoch)
		dst = appendUint(dst, `,"seq":`, m.Seq)
		dst = appendUint(dst, `,"oldest":`, m.Oldest)
		dst = append(dst, `,"resumed":"`...)
		dst = append(dst, m.Resumed.String()...)
		dst = append(dst, '"')
	}
	dst = appendText(dst, `,"protocol":`, m.Protocol)
	dst = appendTexts(dst, `,"features":`, m.Features)
	dst = appendUint(dst, `,"limits":{"max_in_flight":`, m.Limits.MaxInFlight)
	dst = appendUint(dst, `,"max_message_bytes":`, m.Limits.MaxMessageBytes)
	dst = appendOptUint(dst, `,"max_payload_bytes":`, m.Limits.MaxPayloadBytes)
	dst = appendUint(dst, `,"window":`, m.Limits.Window)
	dst = appendTexts(dst, `},"nodes":`, m.Nodes)
	dst = appendMillis(dst, `,"heartbeat_ms":`, m.HeartbeatMs)
	dst = appendMillis(dst, `,"server_time":`, m.ServerTime)
	if m.TokenExpiresMs > 0 {
		dst = appendMillis(dst, `,"token_expires_ms":`, m.TokenExpiresMs)
	}
	return append(dst, '}')
}
