package wire

// Encoding is how a connection writes the protocol's messages, both ways.
type Encoding uint8

// The encodings.
const (
	JSON   Encoding = iota // Text frames of JSON objects.
	Binary                 // Binary frames of records.

	encodingCount = iota
)

//nolint:gochecknoglobals // a constant table; Go has no constant arrays
var protocols = [encodingCount]string{JSON: "baton.v1.json", Binary: "baton.v1.binary"}

// Protocol is the WebSocket subprotocol that chooses the encoding.
func (e Encoding) Protocol() string { return protocols[e] }

// EncodingOf is the encoding of a subprotocol, false if there is none.
func EncodingOf(protocol string) (Encoding, bool) {
	for i, name := range protocols {
		if name == protocol {
			return Encoding(i), true
		}
	}
	return JSON, false
}

// Protocols lists the subprotocols.
func Protocols() []string { return append([]string(nil), protocols[:]...) }

// Buffer is bytes to which messages are appended, and the encoding that they are
// written in. Whoever owns a connection makes it, so that those who append need
// not know.
type Buffer struct {
	Bytes    []byte
	Encoding Encoding
}

// On is a Buffer that appends to dst.
func (e Encoding) On(dst []byte) Buffer { return Buffer{Bytes: dst, Encoding: e} }
