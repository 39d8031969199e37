package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// session is one socket, from welcome to its end. One goroutine reads it, one
// writes it.
type session struct {
	number uint64 // counts a client's sessions
	url    string
	conn   net.Conn
	out    *outbox

	// Of the welcome.
	id          string
	node        string
	epoch       string
	seq         uint64
	maxInFlight int
	maxMessage  int
	window      int
	nodes       [][]byte

	// Of the reader.
	reader  frameReader
	decoder *wire.Decoder
	message wire.Message
	bye     *bye

	lastRead atomic.Int64 // Unix nanoseconds
	// refresh fires when a fresh token is due.
	refresh *time.Timer

	ended  chan struct{} // closed when the socket is of no use any more
	once   sync.Once
	reason error // why; set before ended is closed
	done   sync.WaitGroup
}

// helloTimeout is how long a node may take to say welcome: it may have to wait
// for the leader of the client's stream.
const helloTimeout = 20 * time.Second

const readBuffer = 32 << 10

// openSession connects to a node and says hello.
func openSession(ctx context.Context, url string, o *Options, hello *wire.Hello) (*session, error) {
	dialer := ws.Dialer{Timeout: o.ConnectTimeout, Protocols: o.Encoding.protocols(), TLSConfig: o.TLS}
	conn, early, shaken, err := dialer.Dial(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", url, err)
	}
	// A node that names no protocol, or a proxy that drops its name, means JSON.
	encoding, _ := wire.EncodingOf(shaken.Protocol)
	s := &session{
		url: url, conn: conn, out: newOutbox(encoding), decoder: wire.NewDecoder(wire.FromServer), ended: make(chan struct{}),
		refresh: time.NewTimer(0),
	}
	s.refresh.Stop()
	in := io.Reader(&corkedReader{session: s})
	if early != nil {
		// What came with the answer to the upgrade; the buffer is the library's.
		ahead := make([]byte, early.Buffered())
		_, _ = io.ReadFull(early, ahead)
		ws.PutReader(early)
		in = io.MultiReader(bytes.NewReader(ahead), in)
	}
	s.reader.in, s.reader.data = bufio.NewReaderSize(in, readBuffer), opcodeOf(encoding)
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := s.greet(hello); err != nil {
		_ = conn.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return s, nil
}

// greet says hello and waits for welcome.
func (s *session) greet(hello *wire.Hello) error {
	deadline := time.Now().Add(helloTimeout)
	if err := s.conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := s.conn.Write(appendFrame(nil, s.reader.data, wire.AppendHello(s.out.blank(), hello).Bytes)); err != nil {
		return fmt.Errorf("saying hello to %s: %w", s.url, err)
	}
	var last error
	for {
		opcode, payload, err := s.reader.next()
		if err != nil {
			return s.bye.turned(fmt.Errorf("waiting for the welcome of %s: %w", s.url, err))
		}
		switch opcode { //nolint:exhaustive // the rest says nothing
		case ws.OpClose:
			return s.bye.turned(closeError(payload, last))
		case s.reader.data:
		default:
			continue
		}
		s.decoder.ResetAs(s.out.encoding, payload, nil)
		// One message: what follows welcome in its frame is the reader's.
		err = s.decoder.Next(&s.message)
		switch {
		case err != nil:
			return fmt.Errorf("reading the welcome of %s: %w", s.url, err)
		case s.message.Type == wire.TypeWelcome:
			s.welcomed(&s.message.Welcome)
			return s.conn.SetDeadline(time.Time{})
		case s.message.Type == wire.TypeError:
			last = errorOf(&s.message.Error)
		case s.message.Type == wire.TypeBye:
			s.farewell(&s.message.Bye)
		}
	}
}

// Where a node says nothing, these are what it allows.
const (
	defaultInFlight = 64
	defaultMessage  = 1 << 20
	defaultWindow   = 64
)

func (s *session) welcomed(w *wire.Welcome) {
	s.id, s.node, s.epoch, s.seq = string(w.Session), string(w.Node), string(w.Epoch), w.Seq
	s.maxInFlight, s.maxMessage, s.window = defaultInFlight, defaultMessage, defaultWindow
	if n := w.Limits.MaxInFlight; n > 0 {
		s.maxInFlight = int(min(n, 1<<20))
	}
	if n := w.Limits.MaxMessageBytes; n > 0 {
		s.maxMessage = int(min(n, 1<<30))
	}
	if n := w.Limits.Window; n > 0 {
		s.window = int(min(n, 1<<20))
	}
	for _, url := range w.Nodes {
		s.nodes = append(s.nodes, append([]byte(nil), url...))
	}
	s.refreshed(w.TokenExpiresMs)
	s.out.maxFrame = s.maxMessage
	s.lastRead.Store(time.Now().UnixNano())
}

// start begins reading and writing. handle is called for every message, one at
// a time; the message is valid during the call.
func (s *session) start(handle func(*wire.Message)) {
	s.done.Go(func() { s.end(s.read(handle)) })
	s.done.Go(func() {
		if err := s.out.write(s.conn, s.ended); err != nil {
			s.end(fmt.Errorf("writing to %s: %w", s.url, err))
			return
		}
		// Everything is written. The node closes now; a node that does not is
		// not waited for.
		_ = s.conn.SetReadDeadline(time.Now().Add(closeTimeout))
	})
}

// closeTimeout is how long a node may take to answer a close frame.
const closeTimeout = 2 * time.Second

// end makes the session unusable. The first reason counts.
func (s *session) end(reason error) {
	s.once.Do(func() {
		s.reason = reason
		close(s.ended)
		_ = s.conn.Close()
	})
}

// read handles frames until the socket ends, and says why it did.
func (s *session) read(handle func(*wire.Message)) error {
	// What came in the welcome's own frame.
	if err := s.handleFrame(handle); err != nil {
		return err
	}
	for {
		opcode, payload, err := s.reader.next()
		switch {
		case err != nil:
			return fmt.Errorf("reading from %s: %w", s.url, err)
		case opcode == ws.OpClose:
			return closeError(payload, nil)
		case opcode == ws.OpPing:
			s.out.pong(payload)
			continue
		case opcode != s.reader.data:
			continue
		}
		s.decoder.ResetAs(s.out.encoding, payload, nil)
		if err := s.handleFrame(handle); err != nil {
			return err
		}
	}
}

func (s *session) handleFrame(handle func(*wire.Message)) error {
	for {
		err := s.decoder.Next(&s.message)
		switch {
		case err == nil:
			handle(&s.message)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, wire.ErrMalformed):
			return fmt.Errorf("%s sent what is no message: %w", s.url, err)
		}
		// Of a newer node: messages that are not known here are not for us.
	}
}

// closeError is what a close frame says: an end for good, or one of many.
func closeError(payload []byte, last error) error {
	code := ws.StatusNoStatusRcvd
	reason := ""
	if len(payload) >= 2 {
		code, reason = ws.StatusCode(binary.BigEndian.Uint16(payload)), string(payload[2:])
	}
	if reason == "" {
		reason = wire.CloseCode(code).String()
	}
	if !wire.CloseCode(code).Reconnect() {
		return &RejectedError{Code: int(code), Reason: reason, Last: last}
	}
	if last != nil {
		return fmt.Errorf("the node closed the connection: %s: %w", reason, last)
	}
	return fmt.Errorf("the node closed the connection: %s (%d)", reason, code)
}

// corkedReader lets the writer go only when everything read was handed out, so
// that what the answers cause is written at once.
type corkedReader struct{ session *session }

// Read implements io.Reader.
func (r *corkedReader) Read(p []byte) (int, error) {
	s := r.session
	s.out.uncork()
	n, err := s.conn.Read(p)
	s.out.cork()
	s.lastRead.Store(time.Now().UnixNano())
	return n, err
}
