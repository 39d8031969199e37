package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"

	"github.com/batonmq/baton/transport/wire"
)

// Payload is what an event or a notification carries: one JSON value, or bytes.
// The zero value is JSON's null.
type Payload struct {
	bytes  []byte
	binary bool
}

// Raw is a payload of one JSON value, as it is.
func Raw(value []byte) Payload { return Payload{bytes: value} }

// Bytes is a payload of any bytes; it travels as data_base64.
func Bytes(data []byte) Payload { return Payload{bytes: data, binary: true} }

// IsBytes tells whether the payload is bytes rather than JSON.
func (p Payload) IsBytes() bool { return p.binary }

// Bytes are the bytes, or the text of the JSON value.
func (p Payload) Bytes() []byte { return p.bytes }

// Decode reads the JSON value into v, as json.Unmarshal does.
func (p Payload) Decode(v any) error {
	if p.binary {
		return errors.New("client: the data is bytes, not JSON: use Bytes")
	}
	if err := json.Unmarshal(p.bytes, v); err != nil {
		return fmt.Errorf("client: decoding data: %w", err)
	}
	return nil
}

// MarshalJSON makes {"data": …} of a payload possible: bytes become a string of
// base64.
func (p Payload) MarshalJSON() ([]byte, error) {
	switch {
	case p.binary:
		return json.Marshal(p.bytes)
	case len(p.bytes) == 0:
		return []byte("null"), nil
	default:
		return p.bytes, nil
	}
}

// String is the payload as text.
func (p Payload) String() string { return string(p.bytes) }

// payloadOf is what the data that a user gives becomes: a Payload as it is, a
// json.RawMessage as JSON, []byte as bytes, and everything else encoded as JSON.
func payloadOf(data any) (wire.Payload, error) {
	var p Payload
	switch d := data.(type) {
	case Payload:
		p = d
	case json.RawMessage:
		p.bytes = d
	case []byte:
		return wire.Payload{Bytes: d, Kind: wire.PayloadBytes}, nil
	default:
		encoded, err := json.Marshal(d)
		if err != nil {
			return wire.Payload{}, fmt.Errorf("client: encoding data: %w", err)
		}
		p.bytes = encoded
	}
	switch {
	case p.binary:
		return wire.Payload{Bytes: p.bytes, Kind: wire.PayloadBytes}, nil
	case p.bytes == nil:
		return wire.Payload{Bytes: []byte("null"), Kind: wire.PayloadJSON}, nil
	case !wire.ValidJSON(p.bytes):
		return wire.Payload{}, refuse(wire.ReasonBadRequest, "data must be exactly one JSON value")
	}
	return wire.Payload{Bytes: p.bytes, Kind: wire.PayloadJSON}, nil
}

// rawOf is payloadOf where only JSON may stand.
func rawOf(value any) (wire.Raw, error) {
	p, err := payloadOf(value)
	if err != nil {
		return nil, err
	}
	if p.Kind != wire.PayloadJSON {
		return nil, refuse(wire.ReasonBadRequest, "bytes may not stand here, only JSON")
	}
	return wire.Raw(p.Bytes), nil
}

// payloadFrom copies what came: the decoder's bytes are its own.
func payloadFrom(p *wire.Payload) Payload {
	return Payload{bytes: append([]byte(nil), p.Bytes...), binary: p.Kind == wire.PayloadBytes}
}

// alias is text as bytes that nobody may write to: what wire appends it only reads.
func alias(text string) []byte {
	return unsafe.Slice(unsafe.StringData(text), len(text)) //nolint:gosec // see above
}
