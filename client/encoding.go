package client

import (
	"errors"
	"fmt"

	"github.com/batonmq/baton/transport/wire"
)

// Encoding is how a client and its node write their messages.
type Encoding uint8

// The encodings.
const (
	// JSON is text that any tool on the way can read.
	JSON Encoding = iota
	// Binary is smaller and cheaper to read, above all for data that is no JSON. A
	// node that does not speak it is spoken to in JSON.
	Binary
)

// protocols are what is offered to a node, the one wanted first.
func (e Encoding) protocols() []string {
	if e == Binary {
		return []string{wire.Binary.Protocol(), wire.JSON.Protocol()}
	}
	return []string{wire.JSON.Protocol()}
}

// fit makes a request one that the session can send. A request that was made for
// a session of the other encoding is written anew: its nodes are not all alike.
func (r *request) fit(s *session) error {
	if r.encoded.Encoding != s.out.encoding {
		again, err := recode(r.encoded, s.out.blank())
		if err != nil {
			return err
		}
		r.encoded = again
	}
	if size := len(r.encoded.Bytes); size > s.maxMessage {
		return refuse(wire.ReasonTooLarge, "the message has %d bytes, the node takes %d", size, s.maxMessage)
	}
	return nil
}

// recode appends to dst, in its encoding, the message that a client wrote in the
// other one. What the decoder refuses is refused here as the node would.
func recode(message, dst wire.Buffer) (wire.Buffer, error) {
	decoder, m := wire.NewDecoder(wire.FromClient), new(wire.Message)
	decoder.ResetAs(message.Encoding, message.Bytes, nil)
	err := decoder.Next(m)
	if bad, ok := errors.AsType[*wire.DecodeError](err); ok {
		return dst, refuse(wire.ReasonBadRequest, "%s", bad.Message)
	}
	if err != nil {
		return dst, fmt.Errorf("client: writing a message in another encoding: %w", err)
	}
	return m.Append(dst), nil
}
