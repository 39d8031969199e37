package client

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// maxUnreadBytes is how much of a stream waits for its reader; beyond it the rest is
// asked for again when that has come so far.
const maxUnreadBytes = 1 << 20

// Chunk is a piece of a token stream.
type Chunk struct {
	// Stream is its id: the id of the event whose job writes it, or that, a slash and
	// a name.
	Stream        string
	CorrelationID string
	Attempt       int
	// Offset is where Data begins, in bytes of the stream (of UTF-8 where it is text).
	Offset uint64
	Data   []byte
	// Reset means that what came before is void: another attempt began, or the
	// beginning of the stream is not kept any more. Data follows from Offset on.
	Reset bool
	// Final is the end of the stream, as far as the attempt goes. What the job
	// completed with is what counts.
	Final bool
}

// StreamPosition is how much of a stream a reader has, as by an earlier ReadStream on
// this or another device: Offset bytes of an attempt. The zero value is nothing.
type StreamPosition struct {
	Attempt int
	Offset  uint64
}

// ReadStream reads a token stream from a position on, through lost sockets: what the
// id names that Publish returned, or a chunk has. It may begin before there is
// anything. It ends after the final chunk, or with an error: a *Error where the node
// refuses (ErrNotFound when the stream is not kept any more), the context's, or why
// the client ended.
func (c *Client) ReadStream(ctx context.Context, stream string, from StreamPosition) iter.Seq2[Chunk, error] {
	return func(yield func(Chunk, error) bool) {
		r := &streamReader{client: c, stream: stream, attempt: from.Attempt, next: from.Offset, wake: make(chan struct{}, 1)}
		if err := c.addReader(r); err != nil {
			yield(Chunk{}, err)
			return
		}
		defer c.dropReader(r)
		for {
			chunk, err := r.take(ctx)
			if err != nil {
				yield(Chunk{}, err)
				return
			}
			if !yield(chunk, nil) || chunk.Final {
				return
			}
		}
	}
}

// streamReader is one ReadStream.
type streamReader struct {
	client *Client
	stream string
	wake   chan struct{} // room for one

	mu      sync.Mutex // guards the rest; before flight.mu
	session *session
	reading bool // the session answered
	over    bool // more came than may wait
	chunks  []Chunk
	bytes   int
	// attempt and next are up to where the chunks go; reset is told with the next one.
	attempt int
	next    uint64
	failed  error
}

func (c *Client) addReader(r *streamReader) error {
	c.mu.Lock()
	if c.closed != nil {
		defer c.mu.Unlock()
		return c.closed
	}
	c.readers = append(slices.Clone(c.readers), r)
	s := c.session
	c.mu.Unlock()
	if s != nil {
		r.attach(s)
	}
	return nil
}

func (c *Client) dropReader(r *streamReader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readers = slices.DeleteFunc(slices.Clone(c.readers), func(other *streamReader) bool { return other == r })
}

// streamed hands what a node sent to whoever reads the stream.
func (c *Client) streamed(s *session, stream []byte, take func(*streamReader)) {
	c.mu.Lock()
	readers := c.readers
	c.mu.Unlock()
	for _, r := range readers {
		if r.stream == string(stream) && r.is(s) {
			take(r)
		}
	}
}

func (r *streamReader) is(s *session) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session == s && r.reading && !r.over
}

// attach reads in a session, once.
func (r *streamReader) attach(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed != nil || r.session != nil && r.session.number >= s.number {
		return
	}
	r.session, r.over = s, false
	r.ask()
}

// ask asks for what follows what came.
func (r *streamReader) ask() {
	s := r.session
	r.reading = false
	m := wire.Read{
		ID: r.client.flight.id(), Stream: alias(r.stream), Attempt: uint64(r.attempt), Offset: r.next, //nolint:gosec // Not negative.
	}
	q := &request{id: m.ID, bound: true, encoded: wire.AppendRead(r.client.flight.blank(), &m)}
	q.done = func(a answer) {
		switch refused, ok := errors.AsType[*Error](a.err); {
		case a.err == nil:
			r.begun(s)
		case !ok: // The session is lost, or the client closed.
		case refused.Retryable:
			time.AfterFunc(max(refused.RetryAfter, leastRetry), func() { r.again(s) })
		default:
			r.fail(refused)
		}
	}
	r.client.flight.submit(q)
}

func (r *streamReader) again(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.session == s && r.failed == nil {
		r.ask()
	}
}

func (r *streamReader) begun(s *session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reading = r.reading || r.session == s
}

// receive queues a chunk, as far as it is new. It runs on the reading goroutine.
func (r *streamReader) receive(m *wire.Chunk) {
	data, ok := m.Payload.Bytes, true
	if m.Payload.Kind == wire.PayloadJSON {
		data, ok = wire.AppendTextOf(nil, &m.Payload)
	}
	if !ok {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	attempt := int(m.Attempt) //nolint:gosec // below 2^53
	reset := r.attempt != 0 && attempt != r.attempt || m.Offset > r.next
	offset := m.Offset
	if skip := min(r.next-min(offset, r.next), uint64(len(data))); !reset {
		if offset+skip < r.next && !m.Final {
			return // It came before.
		}
		data, offset = data[skip:], offset+skip
	}
	if len(data) == 0 && !m.Final && !reset {
		return
	}
	r.attempt, r.next = attempt, offset+uint64(len(data))
	r.add(Chunk{
		Stream: r.stream, CorrelationID: string(m.CorrelationID), Attempt: attempt, Offset: offset,
		Data: append([]byte(nil), data...), Reset: reset, Final: m.Final,
	})
}

// reset queues the news that what came is void.
func (r *streamReader) reset(m *wire.Reset) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempt, r.next = int(m.Attempt), 0 //nolint:gosec // below 2^53
	r.add(Chunk{Stream: r.stream, Attempt: r.attempt, Reset: true})
}

func (r *streamReader) add(c Chunk) {
	r.chunks = append(r.chunks, c)
	r.bytes += len(c.Data)
	r.over = r.bytes > maxUnreadBytes
	r.signal()
}

func (r *streamReader) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *streamReader) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
	r.signal()
}

// take waits for the next chunk.
func (r *streamReader) take(ctx context.Context) (Chunk, error) {
	for {
		r.mu.Lock()
		if len(r.chunks) > 0 {
			c := r.chunks[0]
			r.chunks = r.chunks[1:]
			r.bytes -= len(c.Data)
			r.mu.Unlock()
			return c, ctx.Err()
		}
		if r.over && r.failed == nil && r.session != nil {
			r.over = false
			r.ask()
		}
		failed := r.failed
		r.mu.Unlock()
		if failed != nil {
			return Chunk{}, failed
		}
		select {
		case <-r.wake:
		case <-ctx.Done():
			return Chunk{}, ctx.Err()
		}
	}
}
