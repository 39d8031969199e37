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
				return &secureReceiver{gateway: g, conn: secure, plain: plain, raw: raw}
			}
		}
	}
	if plain, ok := conn.(syscall.Conn); ok {
		if raw, err := plain.SyscallConn(); err == nil {
			r := &waitingReceiver{gateway: g, raw: raw}
			r.try = r.tryRead
			return r
		}
	}
	return &bufferedReceiver{g, conn}
}

// waitingReceiver reads a plain socket. While nothing is there to be read it holds
// no buffer: the read is tried with a borrowed workbench, which goes back before
// the goroutine is parked.
type waitingReceiver struct {
	gateway *Gateway
	raw     syscall.RawConn
	try     func(fd uintptr) bool
	bench   *workbench
	n       int
	err     error
}

func (r *waitingReceiver) receive() (*workbench, int, error) {
	if err := r.raw.Read(r.try); err != nil {
		return nil, 0, err
	}
	bench := r.bench
	r.bench = nil
	return bench, r.n, r.err
}

func (r *waitingReceiver) tryRead(fd uintptr) bool {
	bench := r.gateway.borrow()
	r.n, r.err = readSocket(int(fd), bench.input[:])
	if r.err == nil {
		r.bench = bench
		return true
	}
	r.gateway.giveBack(bench)
	return !errors.Is(r.err, syscall.EAGAIN)
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
