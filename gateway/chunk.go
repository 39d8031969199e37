package gateway

import (
	"fmt"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// streamKey names what a worker writes.
type streamKey struct {
	lease command.LeaseID
	name  string
}

// writer is a worker's end of a token stream. The reader's goroutine has it.
type writer struct {
	handle TokenWriter
	kind   cluster.TokenKind
	// over means that nobody takes it any more, which the worker was told once.
	over bool
}

// chunk passes a worker's tokens on.
func (c *connection) chunk(m *wire.Chunk) {
	if who := c.who.Load(); who != nil && !who.Is(command.RoleWorker|command.RoleAdmin) {
		c.refuseUnasked(wire.ReasonForbidden, onlyWorkers)
		return
	}
	data, kind, r := c.readChunk(m)
	if r.any() {
		c.refuseUnasked(r.reason, r.message)
		return
	}
	lease, err := c.gateway.broker.ParseLease(m.Lease)
	if err != nil {
		c.refuseUnasked(wire.ReasonLeaseLost, leaseForeign)
		return
	}
	w, r := c.writer(streamKey{lease, string(m.Stream)}, kind)
	switch {
	case r.any():
		c.refuseUnasked(r.reason, r.message)
	case w.over:
	case kind != w.kind && len(data) > 0:
		c.refuseUnasked(wire.ReasonBadRequest, "a stream is text (data) or bytes (data_base64) from its first chunk on")
	case !w.handle.Write(m.Offset, kind, data, m.Final):
		w.over = true
		c.refuseUnasked(wire.ReasonLeaseLost, "the chunks of this lease are not taken: the lease is lost, or there is no room for its stream")
	}
}

// readChunk is what a chunk carries: the text of a JSON string, or bytes.
func (c *connection) readChunk(m *wire.Chunk) (data []byte, kind cluster.TokenKind, r refusal) {
	if len(m.Payload.Bytes) > c.gateway.limits.MaxPayloadBytes {
		return nil, 0, c.gateway.tooLarge
	}
	if len(m.Stream) > wire.MaxStreamNameBytes || len(m.Stream) > 0 && !wire.ValidName(m.Stream) {
		return nil, 0, refusal{wire.ReasonBadRequest, fmt.Sprintf(
			"stream must have 1 to %d characters of A-Z a-z 0-9 . _ -, or be left out", wire.MaxStreamNameBytes,
		)}
	}
	switch m.Payload.Kind {
	case wire.PayloadBytes:
		return m.Payload.Bytes, cluster.TokenBinary, refusal{}
	case wire.PayloadJSON:
		var ok bool
		if c.bench.text, ok = wire.AppendTextOf(c.bench.text[:0], &m.Payload); !ok {
			return nil, 0, refusal{wire.ReasonBadRequest, "data of a chunk must be a string of whole characters; bytes travel as data_base64"}
		}
		return c.bench.text, cluster.TokenText, refusal{}
	case wire.PayloadNone:
	}
	return nil, cluster.TokenText, refusal{}
}

// writer is the worker's end of a stream, made where there is none.
func (c *connection) writer(key streamKey, kind cluster.TokenKind) (*writer, refusal) {
	table := c.tables()
	if w := table.writers[key]; w != nil {
		return w, refusal{}
	}
	most := c.gateway.limits.MaxWrittenStreams
	if len(table.writers) >= most {
		c.dropWriters()
	}
	if len(table.writers) >= most {
		return nil, refusal{wire.ReasonOverloaded, fmt.Sprintf("a connection may write %d streams at most", most)}
	}
	if table.writers == nil {
		table.writers = make(map[streamKey]*writer)
	}
	w := &writer{handle: c.gateway.broker.WriteTokens(key.lease, key.name, c.bound()), kind: kind}
	table.writers[key] = w
	c.gateway.meter.writtenStreams.Inc()
	return w, refusal{}
}

// dropWriters forgets those that nobody takes any more.
func (c *connection) dropWriters() {
	for key, w := range c.tables().writers {
		if w.over {
			c.closeWriter(key, false)
		}
	}
}

// closeWriters ends the streams of a job: what was written is still sent. final says
// that this is all of them.
func (c *connection) closeWriters(lease command.LeaseID, final bool) {
	for key := range c.tables().writers {
		if key.lease == lease {
			c.closeWriter(key, final)
		}
	}
}

func (c *connection) closeWriter(key streamKey, final bool) {
	writers := c.tables().writers
	writers[key].handle.Close(final)
	delete(writers, key)
	c.gateway.meter.writtenStreams.Dec()
}

func (c *connection) closeAllWriters() {
	for key := range c.tables().writers {
		c.closeWriter(key, false)
	}
}
