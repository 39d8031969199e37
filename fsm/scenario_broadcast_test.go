package fsm

import "github.com/batonmq/baton/fsm/command"

// broadcastCommand is a broadcast line: its words are the clients.
func (s *scenario) broadcastCommand(a args) []byte {
	c := command.Broadcast{
		Tenant: a.get("tenant", "t"), IdempotencyKey: a.get("once", ""), CorrelationID: a.get("correlation", "news"),
		CausationID: a.get("cause", ""), Name: a.get("name", "news"), Clients: a.words(),
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(a.get("data", "{}"))},
	}
	return c.Append(nil)
}
