package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// commandPayload is a payload for the log; the bytes are shared.
func commandPayload(p wire.Payload) command.Payload {
	switch p.Kind {
	case wire.PayloadJSON:
		return command.Payload{Codec: command.CodecJSON, Bytes: p.Bytes}
	case wire.PayloadBytes:
		return command.Payload{Codec: command.CodecBytes, Bytes: p.Bytes}
	case wire.PayloadNone:
	}
	return command.Payload{}
}

// wirePayload is a payload for a client; the bytes are shared.
func wirePayload(p command.Payload) wire.Payload {
	switch p.Codec {
	case command.CodecJSON:
		return wire.Payload{Kind: wire.PayloadJSON, Bytes: p.Bytes}
	case command.CodecBytes:
		return wire.Payload{Kind: wire.PayloadBytes, Bytes: p.Bytes}
	case command.CodecNone:
	}
	return wire.Payload{Kind: wire.PayloadJSON, Bytes: aliasBytes("null")}
}

// rawPayload is a raw JSON value for the log.
func rawPayload(raw wire.Raw) command.Payload {
	if raw == nil {
		return command.Payload{}
	}
	return command.Payload{Codec: command.CodecJSON, Bytes: raw}
}
