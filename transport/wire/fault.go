package wire

import "errors"

// What can be wrong with a message. A DecodeError unwraps to one of them.
var (
	// ErrMalformed: not JSON, or not an object; not a record. The rest of the frame
	// is lost.
	ErrMalformed = errors.New("malformed message")
	// ErrUnknownType: the type is none of those that this side sends.
	ErrUnknownType = errors.New("unknown message type")
	// ErrMissingType: the object has no type, or one that is not a string.
	ErrMissingType = errors.New("message without a type")
	// ErrBadField: a field is missing, of the wrong kind, or out of bounds.
	ErrBadField = errors.New("bad field")
)

// DecodeError says what is wrong with one message. Unless it is ErrMalformed,
// the frame's next message can be read, and the connection may stay open.
type DecodeError struct {
	// Kind is one of the sentinels of this package.
	Kind error
	// Message is a sentence for the sender: "credit must be an integer from 0 to 2^53-1".
	Message string
	// Type is the message's type, TypeUnknown where the type is what is wrong.
	Type Type
	// TypeName is an unknown type as it was sent, cut to 64 bytes.
	TypeName string
	// Field is the path of a bad field: "emit[2].channel".
	Field string
	// ID is the request's id; HasID says whether the object has a readable one.
	ID    uint64
	HasID bool
	// Position is the offset in the frame where the message begins, or, of
	// malformed JSON, where it stops being JSON.
	Position int
}

// Error implements error.
func (e *DecodeError) Error() string { return e.Message }

// Unwrap makes errors.Is(err, ErrBadField) work.
func (e *DecodeError) Unwrap() error { return e.Kind }
