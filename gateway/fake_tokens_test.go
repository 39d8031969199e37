package gateway

import (
	"sync"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// fakeTokens is the broker's side of token streams.
type fakeTokens struct {
	writers chan *fakeWriter
	readers chan *fakeReader
	// refuse has writes refused; answer is what reads are answered, unless held.
	refuse bool
	answer command.Result
	held   bool
}

func newFakeTokens() fakeTokens {
	return fakeTokens{writers: make(chan *fakeWriter, 10_000), readers: make(chan *fakeReader, 1000)}
}

// fakeWriter records what a worker writes.
type fakeWriter struct {
	tenant string
	broker *fakeBroker
	lease  command.LeaseID
	name   string
	writes chan cluster.TokenChunk
	closed chan bool
}

func (b *fakeBroker) WriteTokens(lease command.LeaseID, name, tenant string) TokenWriter {
	w := &fakeWriter{broker: b, lease: lease, name: name, tenant: tenant, writes: make(chan cluster.TokenChunk, 1000), closed: make(chan bool, 1)}
	b.tokens.writers <- w
	return w
}

func (w *fakeWriter) Write(offset uint64, kind cluster.TokenKind, data []byte, final bool) bool {
	w.broker.mu.Lock()
	refuse := w.broker.tokens.refuse
	w.broker.mu.Unlock()
	if refuse {
		return false
	}
	w.writes <- cluster.TokenChunk{Offset: offset, Kind: kind, Data: append([]byte(nil), data...), Final: final}
	return true
}

func (w *fakeWriter) Close(final bool) { w.closed <- final }

// fakeReader is the cluster's end of a stream that a socket is sent.
type fakeReader struct {
	spec    TokenSpec
	sink    cluster.TokenSink
	resumed chan struct{}
	closed  chan struct{}
	once    sync.Once
}

func (b *fakeBroker) ReadTokens(spec TokenSpec, sink cluster.TokenSink) TokenReader {
	r := &fakeReader{spec: spec, sink: sink, resumed: make(chan struct{}, 100_000), closed: make(chan struct{})}
	b.mu.Lock()
	answer, held := b.tokens.answer, b.tokens.held
	b.mu.Unlock()
	if !spec.Announced && !held {
		sink.Began(&answer)
	}
	b.tokens.readers <- r
	return r
}

func (r *fakeReader) Resume() { r.resumed <- struct{}{} }

func (r *fakeReader) Close() { r.once.Do(func() { close(r.closed) }) }

func textChunk(offset uint64, text string) *cluster.TokenChunk {
	return &cluster.TokenChunk{CorrelationID: "c", Attempt: 1, Offset: offset, Kind: cluster.TokenText, Data: []byte(text)}
}
