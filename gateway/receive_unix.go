//go:build unix

package gateway

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
)

// newReceiver is how a connection with a goroutine of its own is read.
func newReceiver(g *Gateway, conn net.Conn) receiver {
	if secure, ok := conn.(*tls.Conn); ok {
		if plain, ok := secure.NetConn().(*boundedTCP); ok {
			if raw, err := plain.SyscallConn(); err == nil {
				r := &secureReceiver{gateway: g, conn: secure}
				r.socket.init(raw)
				plain.now = raw
				return r
			}
		}
	}
	if plain, ok := conn.(syscall.Conn); ok {
		if raw, err := plain.SyscallConn(); err == nil {
			r := &plainReceiver{gateway: g}
			r.socket.init(raw)
			return r
		}
	}
	return &bufferedReceiver{g, conn}
}

// rawSocket is a socket below the net package's reads.
type rawSocket struct {
	raw syscall.RawConn
	// try is tryAny as a value, made once: using it allocates nothing.
	try func(fd uintptr) bool
	// into is what tryAny reads into; where it is nil, the socket is only awaited.
	into   *workbench
	looked bool
	n      int
	err    error
}

func (s *rawSocket) init(raw syscall.RawConn) {
	s.raw = raw
	s.try = s.tryAny
}

func (s *rawSocket) tryAny(fd uintptr) bool {
	if s.into != nil {
		s.n, s.err = readSocket(int(fd), s.into.input[:])
		return true
	}
	// The net package's poller is edge-triggered: a look must have failed before one
	// waits. When it then says that something came, that is for the reader to see.
	if s.looked {
		return true
	}
	s.looked = true
	return somethingCame(fd)
}

// read is a read that does not wait.
func (s *rawSocket) read(bench *workbench) (n int, err error) {
	s.into = bench
	err = s.raw.Read(s.try)
	s.into = nil
	if err != nil {
		return 0, err
	}
	return s.n, s.err
}

// await holds no buffer, and little stack.
func (s *rawSocket) await() {
	s.looked = false
	_ = s.raw.Read(s.try) // The reader will see what it is.
}

// plainReceiver reads a plain socket.
type plainReceiver struct {
	gateway *Gateway
	socket  rawSocket
	dry     bool // the last read has taken all there was
}

func (r *plainReceiver) await() { r.socket.await() }

func (r *plainReceiver) receive() (*workbench, int, error) {
	if r.dry {
		r.dry = false
		return nil, 0, errLater
	}
	bench := r.gateway.borrow()
	n, err := r.socket.read(bench)
	if err != nil {
		r.gateway.giveBack(bench)
		if errors.Is(err, syscall.EAGAIN) {
			err = errLater
		}
		return nil, 0, err
	}
	r.dry = n < len(bench.input)
	return bench, n, nil
}

// readSocket is read of a socket that does not block; io.EOF is its end.
func readSocket(fd int, into []byte) (n int, err error) {
	for {
		n, err = syscall.Read(fd, into)
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, err
		default:
			return 0, io.EOF
		}
	}
}
