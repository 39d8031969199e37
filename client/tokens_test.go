package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// chunkText is a chunk as a node sends it.
func chunkText(attempt, offset uint64, text string, final bool) *wire.Message {
	m := wire.Chunk{Stream: []byte("e1"), CorrelationID: []byte("c"), Attempt: attempt, Offset: offset, Final: final}
	if text != "" {
		m.Payload = wire.Payload{Kind: wire.PayloadJSON, Bytes: wire.AppendString(nil, []byte(text))}
	}
	return &wire.Message{Type: wire.TypeChunk, Chunk: m}
}

// reads runs a ReadStream and gives what it yields, as text.
func reads(ctx context.Context, c *Client, from StreamPosition) <-chan string {
	got := make(chan string, 100)
	go func() {
		defer close(got)
		for chunk, err := range c.ReadStream(ctx, "e1", from) {
			got <- fmt.Sprint(chunk.Attempt, " ", chunk.Offset, " ", string(chunk.Data), map[bool]string{true: " reset"}[chunk.Reset],
				map[bool]string{true: " final"}[chunk.Final], err)
		}
	}()
	return got
}

func yields(t *testing.T, got <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		if g := <-got; g != w+"<nil>" {
			t.Fatalf("%q came in the place of %q", g, w)
		}
	}
}

// TestReadStream: a reader goes on where it is on the next socket, sees what is new
// once, and what is void.
func TestReadStream(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	got := reads(t.Context(), c, StreamPosition{})
	r := conn.expect(wire.TypeRead).Read
	if string(r.Stream) != "e1" || r.Offset != 0 || r.Attempt != 0 {
		t.Fatalf("%+v", r)
	}
	conn.send(chunkText(1, 40, "before the answer to its read it may be anything", false))
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: r.ID}})
	conn.send(chunkText(1, 0, "bâ", false), chunkText(1, 0, "bâ", false), chunkText(1, 1, "âton", false))
	yields(t, got, "1 0 bâ", "1 3 ton")
	conn.cut()
	conn = n.greet()
	r = conn.expect(wire.TypeRead).Read
	if r.Offset != 6 || r.Attempt != 1 {
		t.Fatalf("it goes on with %+v", r)
	}
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: r.ID}})
	conn.send(chunkText(1, 6, "s", false))
	conn.send(&wire.Message{Type: wire.TypeReset, Reset: wire.Reset{Stream: []byte("e1"), Attempt: 2}})
	conn.send(chunkText(2, 0, "new", false), chunkText(2, 9, "x", false), chunkText(3, 0, "y", false), chunkText(3, 1, "", true))
	yields(t, got, "1 6 s", "2 0  reset", "2 0 new", "2 9 x reset", "3 0 y reset", "3 1  final")
	if _, more := <-got; more {
		t.Error("it goes on behind its end")
	}
}

// TestReadStreamEnds: with the refusal, the context and the client.
func TestReadStreamEnds(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	end := func(ctx context.Context) (last error) {
		for _, err := range c.ReadStream(ctx, "e1", StreamPosition{}) {
			last = err
		}
		return last
	}
	go func() { conn.refuse(conn.expect(wire.TypeRead).Read.ID, wire.ReasonNotFound, 0) }()
	if err := end(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("refused: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn.expect(wire.TypeRead)
		cancel()
	}()
	if err := end(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	go func() {
		conn.expect(wire.TypeRead)
		_ = c.Close()
	}()
	if err := end(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := end(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("closed before: %v", err)
	}
}

// TestJobStream: what a job writes goes out as chunks of whole characters, is said
// again on another socket, and ends with Close.
func TestJobStream(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	next, ended := make(chan func(*Job)), make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(ended)
		_ = c.Work(ctx, WorkOptions{Channel: "q", Credit: 1}, func(_ context.Context, job *Job) error {
			for do := range next {
				do(job)
			}
			return nil
		})
	}()
	conn.subscribed()
	conn.job("l1", 1<<40)
	want := func(offset uint64, data string, final bool) {
		t.Helper()
		m := conn.expect(wire.TypeChunk).Chunk
		text, _ := wire.AppendTextOf(nil, &m.Payload)
		if string(m.Lease) != "l1" || m.Offset != offset || string(text) != data || m.Final != final {
			t.Fatalf("%+v is %q", m, text)
		}
	}
	next <- func(job *Job) { _, _ = job.Write([]byte("b\xc3")) }
	want(0, "b", false)
	next <- func(job *Job) { _, _ = job.Write([]byte("\xa2t\xff")) }
	want(1, "ât\uFFFD", false)
	conn.cut()
	conn = n.greet()
	want(0, "bât\uFFFD", false) // At once: the job may have nothing more to say.
	conn.expect(wire.TypeRenew)
	conn.subscribed()
	next <- func(job *Job) { _, _ = job.Stream("").WriteString("on") }
	want(7, "on", false)
	next <- func(job *Job) { _ = job.Stream("").Close() }
	want(9, "", true)
	close(next)
	conn.ok(conn.expect(wire.TypeComplete).Complete.ID, "")
	cancel()
	<-ended
}
