package bench

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"time"

	"github.com/gobwas/ws"
)

// edgeDialect is how one of the servers is spoken to.
type edgeDialect interface {
	// name is the server and the dialect, for the table.
	name() string
	// url and protocol are where and as what a WebSocket is opened.
	url() string
	protocol() string
	// stingy tells whether its sockets take as little as they can.
	stingy() bool
	// prepare makes what a run needs at the server, once.
	prepare(l *edgeLine) error
	// greet opens a session; publisher makes it one that is answered, and follower one
	// that is sent what others publish.
	greet(l *edgeLine) error
	publisher(l *edgeLine) error
	follower(l *edgeLine) error
	// perAnswer is how many messages one answer is for; 0 where none is ever answered.
	perAnswer() int
	// publish appends frames with so many messages, and what has them answered.
	publish(dst []byte, l *edgeLine, count int) []byte
	// receive reads one thing the server says; counts is 1 for an answer or a delivery.
	receive(l *edgeLine) (counts int, err error)
	// use looks at the server's process.
	use(ctx context.Context) (edgeUse, error)
}

// edgeLine is one WebSocket of the run. It does as little as it can, for it shares the
// machine with what is measured. One goroutine reads; a write is whole frames, so that
// a pong may go between those of another.
type edgeLine struct {
	conn   net.Conn
	frames *bufio.Reader
	number int
	sent   uint64 // messages published

	scratch []byte      // the writer's
	nats    *natsReader // where NATS is spoken
}

const (
	edgeReadBuffer = 16 << 10
	edgeTimeout    = 30 * time.Second
)

var errNoProtocol = errors.New("the server does not speak it")

// open opens line number n, greeted. It ends with ctx.
func (e *edge) open(ctx context.Context, d edgeDialect, n int) (*edgeLine, error) {
	dialer := ws.Dialer{Timeout: edgeTimeout}
	if d.stingy() {
		dialer.NetDial = dialStingy
	}
	if protocol := d.protocol(); protocol != "" {
		dialer.Protocols = []string{protocol}
	}
	conn, early, handshake, err := dialer.Dial(ctx, d.url())
	if err != nil {
		return nil, err
	}
	l := &edgeLine{conn: conn, number: n}
	l.frames = bufio.NewReaderSize(conn, edgeReadBuffer)
	if early != nil {
		l.frames = bufio.NewReaderSize(io.MultiReader(early, conn), edgeReadBuffer)
	}
	l.nats = newNATSReader(l)
	_ = conn.SetDeadline(time.Now().Add(edgeTimeout))
	if handshake.Protocol != d.protocol() {
		err = fmt.Errorf("%s: %w", d.protocol(), errNoProtocol)
	} else {
		err = d.greet(l)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	// Nothing takes longer than the run and what is left of it.
	_ = conn.SetDeadline(time.Now().Add(2*edgeTimeout + e.config.WarmUp + e.config.Duration))
	return l, nil
}

// openAll opens so many lines and has each made what it is for.
func (e *edge) openAll(ctx context.Context, d edgeDialect, count int, ready func(*edgeLine) error) (lines []*edgeLine, err error) {
	defer func() {
		if err != nil {
			closeLines(lines)
		}
	}()
	for n := range count {
		l, err := e.open(ctx, d, n)
		if err != nil {
			return lines, fmt.Errorf("connection %d: %w", n+1, err)
		}
		lines = append(lines, l)
		if err := ready(l); err != nil {
			return lines, fmt.Errorf("connection %d: %w", n+1, err)
		}
	}
	return lines, nil
}

func closeLines(lines []*edgeLine) {
	for _, l := range lines {
		_ = l.conn.Close()
	}
}

// dialStingy connects a socket that takes as little as it can.
func dialStingy(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		return errors.Join(raw.Control(func(descriptor uintptr) { err = setStingy(descriptor) }), err)
	}}
	return d.DialContext(ctx, network, address)
}

func (l *edgeLine) write(frames []byte) error {
	_, err := l.conn.Write(frames)
	return err
}

// send writes a message in a frame of its own.
func (l *edgeLine) send(opcode ws.OpCode, message []byte) error {
	return l.write(appendEdgeFrame(nil, opcode, message))
}

// appendEdgeFrame appends a masked frame.
func appendEdgeFrame(dst []byte, opcode ws.OpCode, payload []byte) []byte {
	dst = append(dst, 0x80|byte(opcode))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, 0x80|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 0x80|127), uint64(n))
	}
	var mask [4]byte
	binary.LittleEndian.PutUint32(mask[:], rand.Uint32()) //nolint:gosec // No secret.
	dst = append(dst, mask[:]...)
	at := len(dst)
	dst = append(dst, payload...)
	ws.Cipher(dst[at:], mask, 0)
	return dst
}

// header reads the header of the next frame that carries data: pings are answered,
// and a close is an error that says why.
func (l *edgeLine) header() (ws.Header, error) {
	for {
		header, err := ws.ReadHeader(l.frames)
		if err != nil || !header.OpCode.IsControl() {
			return header, err
		}
		payload := make([]byte, header.Length)
		if _, err = io.ReadFull(l.frames, payload); err != nil {
			return header, err
		}
		switch header.OpCode { //nolint:exhaustive // A pong is nothing to do.
		case ws.OpPing:
			err = l.send(ws.OpPong, payload)
		case ws.OpClose:
			code, reason := ws.ParseCloseFrameData(payload)
			err = fmt.Errorf("the server hung up: %d %s", code, reason)
		}
		if err != nil {
			return header, err
		}
	}
}
