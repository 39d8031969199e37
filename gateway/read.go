package gateway

import (
	"fmt"
	"strings"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// read resumes a token stream at an offset. One that the socket is sent already
// begins anew there.
func (c *connection) read(m *wire.Read) {
	if who := c.who.Load(); who != nil && c.identity.clientID == "" && !who.Is(command.RoleAdmin) {
		c.refuse(m.ID, wire.ReasonForbidden, onlyOwnStreams)
		return
	}
	id, err := parseStream(string(m.Stream))
	if err != nil {
		c.refuse(m.ID, wire.ReasonBadRequest, "stream must be an event_id, or an event_id, a slash and a name")
		return
	}
	if uint32(id.Event.Partition) >= c.gateway.broker.Partitions() {
		c.refuse(m.ID, wire.ReasonNotFound, "there is no such event")
		return
	}
	slot, ok := c.take(request{kind: requestRead, id: m.ID})
	if !ok {
		return
	}
	t := &tokenReader{connection: c, stream: string(m.Stream), slot: slot}
	former, ok := c.tables().tokens.add(t, c.gateway.limits.MaxReadStreams)
	if former != nil {
		c.replaceReader(former)
	}
	if !ok {
		c.takeBack(slot)
		c.refuse(m.ID, wire.ReasonOverloaded, fmt.Sprintf("a connection may read %d streams at a time", c.gateway.limits.MaxReadStreams))
		return
	}
	c.openTokens(t, TokenSpec{
		Tenant: c.identity.tenant, ClientID: c.identity.clientID, ID: id,
		Attempt: uint32(min(m.Attempt, 1<<32-1)), Offset: m.Offset,
	})
}

// replaceReader ends a reader in whose place another one is. A read that was not
// answered yet is, for its stream is read.
func (c *connection) replaceReader(former *tokenReader) {
	if r, ok := c.tables().requests.finish(former.slot); ok {
		c.gateway.end(c.tenant)
		c.sendOK(&wire.OK{ID: r.id})
	}
	if handle := c.tables().tokens.handleOf(former); handle != nil {
		handle.Close()
	}
}

func (c *connection) openTokens(t *tokenReader, spec TokenSpec) {
	handle := c.gateway.broker.ReadTokens(spec, t)
	if !c.tables().tokens.opened(t, handle) {
		handle.Close() // It ended meanwhile.
		return
	}
	handle.Resume() // Room may have come while there was no handle.
}

// Announced implements cluster.TokenListener: the client's socket is sent a stream
// that somebody writes for it, unless it is sent that already.
func (s *streamSink) Announced(id cluster.TokenID) {
	s.connection.announced(id, s.connection.identity.clientID)
}

func (c *connection) announced(id cluster.TokenID, clientID string) {
	t := &tokenReader{connection: c, stream: streamName(id)}
	if !c.tables().tokens.announce(t, c.gateway.limits.MaxReadStreams) {
		return
	}
	c.openTokens(t, TokenSpec{Tenant: c.identity.tenant, ClientID: clientID, ID: id, Announced: true})
}

// streamName is how clients call a stream: the event's id, and behind a slash the name
// that its worker gave it, if it did.
func streamName(id cluster.TokenID) string {
	if id.Name == "" {
		return id.Event.String()
	}
	return id.Event.String() + "/" + id.Name
}

func parseStream(stream string) (cluster.TokenID, error) {
	event, name, named := strings.Cut(stream, "/")
	id, err := command.ParseEventID(event)
	if err == nil && named && (len(name) > wire.MaxStreamNameBytes || !wire.ValidName(name)) {
		err = command.ErrBadID
	}
	return cluster.TokenID{Event: id, Name: name}, err
}

// tokenReader writes one token stream to its socket.
type tokenReader struct {
	connection *connection
	stream     string
	slot       uint64
	text       []byte // where text is spelled; calls of the sink come one at a time
	// attempt and end are of what was sent, over that it was all.
	attempt, end uint64
	over         bool
	// What follows is guarded by the table's lock: the handle, whether the cluster
	// waits to hear of room, and the order of those that came to their end.
	handle TokenReader
	held   bool
	done   uint64
}

// Began implements cluster.TokenSink.
func (t *tokenReader) Began(result *command.Result) {
	c := t.connection
	r, ok := c.tables().requests.finish(t.slot)
	if !ok {
		return
	}
	c.gateway.end(c.tenant)
	if result.Reason != command.Done {
		c.tables().tokens.drop(t)
		c.replyRefusal(r.id, result)
		return
	}
	c.sendOK(&wire.OK{ID: r.id})
}

// Room implements cluster.TokenSink.
func (t *tokenReader) Room() bool {
	c := t.connection
	c.tables().tokens.hold(t) // Before it looks: whoever makes room between the two finds it.
	if c.closing() {
		return false
	}
	if !c.out.roomy() {
		c.gateway.meter.droppedChunks.Inc()
		return false
	}
	c.tables().tokens.letGo(t)
	return true
}

// Chunk implements cluster.TokenSink.
func (t *tokenReader) Chunk(chunk *cluster.TokenChunk) {
	c := t.connection
	m := wire.Chunk{
		Stream: aliasBytes(t.stream), CorrelationID: aliasBytes(chunk.CorrelationID),
		Attempt: uint64(chunk.Attempt), Offset: chunk.Offset, Final: chunk.Final,
	}
	switch {
	case len(chunk.Data) == 0:
	case chunk.Kind == cluster.TokenText:
		t.text = wire.AppendString(t.text[:0], chunk.Data)
		m.Payload = wire.Payload{Kind: wire.PayloadJSON, Bytes: t.text}
	default:
		m.Payload = wire.Payload{Kind: wire.PayloadBytes, Bytes: chunk.Data}
	}
	t.attempt, t.end, t.over = m.Attempt, chunk.Offset+uint64(len(chunk.Data)), chunk.Final
	c.tables().tokens.finished(t, chunk.Final)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendChunk(buf, &m), at, wire.TypeChunk)
	}
}

// Reset implements cluster.TokenSink.
func (t *tokenReader) Reset(attempt uint32) {
	c := t.connection
	t.attempt, t.end, t.over = uint64(attempt), 0, false
	c.tables().tokens.finished(t, false)
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendReset(buf, &wire.Reset{Stream: aliasBytes(t.stream), Attempt: uint64(attempt)}), at, wire.TypeReset)
	}
}

// Gone implements cluster.TokenSink: nothing more comes, which the client is told if
// it was not.
func (t *tokenReader) Gone() {
	c := t.connection
	c.tables().tokens.drop(t)
	if t.over || t.slot == 0 && t.attempt == 0 {
		return
	}
	m := wire.Chunk{Stream: aliasBytes(t.stream), Attempt: t.attempt, Offset: t.end, Final: true}
	if buf, at := c.out.begin(); at >= 0 {
		c.commit(wire.AppendChunk(buf, &m), at, wire.TypeChunk)
	}
}
