package client

import (
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/batonmq/baton/transport/wire"
)

const (
	// chunkBytes is how much one chunk carries at most.
	chunkBytes = 16 << 10
	// tailBytes is how much of a stream is kept, to be said again on another socket;
	// what a socket does not take beyond maxChunkBacklog is not sent over it.
	tailBytes       = 64 << 10
	maxChunkBacklog = 1 << 20
)

// TokenStream is what a job shows of its work while it is under way: the client whose
// event it is reads along (Client.ReadStream). It is best effort and outside the log:
// what the job completes with is what counts. Its methods never wait, and may be
// called from any goroutine.
type TokenStream struct {
	job    *Job
	name   string
	binary bool

	mu      sync.Mutex // guards the rest; before worker.mu
	session *session   // that was sent the tail
	end     uint64     // offset behind the tail
	tail    []byte
	rest    []byte // of a character that is not whole
	closed  bool
}

// Stream is the job's stream of that name, as text; an empty name is the job's first
// stream, whose id for readers is the event's. Others are called event id, slash,
// name. Names have 1 to 128 characters of A-Z a-z 0-9 . _ -.
func (j *Job) Stream(name string) *TokenStream { return j.stream(name, false) }

// BinaryStream is Stream for any bytes.
func (j *Job) BinaryStream(name string) *TokenStream { return j.stream(name, true) }

// Write adds text to the job's first stream: see Stream.
func (j *Job) Write(text []byte) (int, error) { return j.Stream("").Write(text) }

func (j *Job) stream(name string, binary bool) *TokenStream {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s := j.streams[name]; s != nil {
		return s
	}
	if j.streams == nil {
		j.streams = make(map[string]*TokenStream)
	}
	s := &TokenStream{job: j, name: name, binary: binary}
	j.streams[name] = s
	return s
}

// Write implements io.Writer; it never fails. A character may come in pieces; what is
// no UTF-8 becomes U+FFFD where the stream is text.
func (s *TokenStream) Write(data []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(data, false)
	return len(data), nil
}

// WriteString is Write of a string.
func (s *TokenStream) WriteString(text string) (int, error) { return s.Write(alias(text)) }

// Close says that the stream ends here; completing the job says it too.
func (s *TokenStream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(nil, true)
	return nil
}

func (s *TokenStream) write(data []byte, final bool) {
	if s.closed {
		return
	}
	s.closed = final
	if !s.binary {
		data = s.whole(data, final)
	}
	s.resume(s.job.worker.chunkSession(s.session), false)
	s.send(s.end, data, final)
	s.end += uint64(len(data))
	s.tail = append(s.tail, data...)
	if over := len(s.tail) - tailBytes; over > 0 {
		cut := over + tailBytes/4
		for cut < len(s.tail) && !s.binary && !utf8.RuneStart(s.tail[cut]) {
			cut++
		}
		cut = min(cut, len(s.tail))
		s.tail = s.tail[:copy(s.tail, s.tail[cut:])]
	}
}

// resume says the tail again over another socket, maybe of another node: what that needs
// of it, it takes.
func (s *TokenStream) resume(again *session, final bool) {
	if again != s.session {
		s.session = again
		s.send(s.end-uint64(len(s.tail)), s.tail, final)
	}
}

// whole is the text of what was written up to its last whole character; the rest waits
// for the next write.
func (s *TokenStream) whole(data []byte, final bool) []byte { //nolint:revive // As in write.
	if len(s.rest) > 0 {
		data = append(s.rest, data...)
		s.rest = nil
	}
	text := make([]byte, 0, len(data))
	for len(data) > 0 {
		if !final && !utf8.FullRune(data) {
			s.rest = append([]byte(nil), data...)
			break
		}
		r, size := utf8.DecodeRune(data)
		text = utf8.AppendRune(text, r)
		data = data[size:]
	}
	return text
}

// send sends chunks; without a socket they are lost, and so is what a socket that is
// too slow does not take: readers see a reset.
func (s *TokenStream) send(offset uint64, data []byte, final bool) {
	for len(data) > 0 || final {
		piece := data[:min(len(data), chunkBytes)]
		for !s.binary && len(piece) > 0 && len(piece) < len(data) && !utf8.RuneStart(data[len(piece)]) {
			piece = piece[:len(piece)-1]
		}
		m := wire.Chunk{Lease: alias(s.job.token), Stream: alias(s.name), Offset: offset, Final: final && len(piece) == len(data)}
		switch {
		case len(piece) == 0:
		case s.binary:
			m.Payload = wire.Payload{Kind: wire.PayloadBytes, Bytes: piece}
		default:
			m.Payload = wire.Payload{Kind: wire.PayloadJSON, Bytes: wire.AppendString(nil, piece)}
		}
		if s.session != nil && !s.session.out.offer(wire.AppendChunk(s.session.out.blank(), &m), maxChunkBacklog) {
			return
		}
		offset, data = offset+uint64(len(piece)), data[len(piece):]
		final = final && !m.Final
	}
}

// chunkSession is the socket that chunks go over: the one there is, if any.
func (w *worker) chunkSession(former *session) *session {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.streaming == nil {
		return former
	}
	return w.streaming
}

// restream goes on with the streams of all jobs in a session.
func (w *worker) restream(s *session) {
	w.mu.Lock()
	w.streaming = s
	var streams []*TokenStream
	for _, running := range w.jobs {
		running.job.mu.Lock()
		streams = slices.AppendSeq(streams, maps.Values(running.job.streams))
		running.job.mu.Unlock()
	}
	w.mu.Unlock()
	for _, stream := range streams {
		stream.mu.Lock()
		stream.resume(s, stream.closed)
		stream.mu.Unlock()
	}
}
