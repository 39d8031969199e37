//go:build unix

package gateway

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"syscall"
)

// secureReceiver reads TLS. What is in the TLS connection's own buffers nobody can
// ask it, so the socket below it is made impatient: a read that would wait fails with
// a passing error, which leaves the TLS connection as it is. Only then is the socket
// awaited, without a workbench.
type secureReceiver struct {
	gateway *Gateway
	conn    *tls.Conn
	socket  rawSocket
}

func (r *secureReceiver) await() { r.socket.await() }

func (r *secureReceiver) receive() (*workbench, int, error) {
	bench := r.gateway.borrow()
	n, err := r.conn.Read(bench.input[:])
	if err != nil {
		r.gateway.giveBack(bench)
		if errors.Is(err, errImpatient) {
			err = errLater
		}
		return nil, 0, err
	}
	return bench, n, nil
}

// somethingCame looks without taking.
func somethingCame(fd uintptr) bool {
	var first [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), first[:], syscall.MSG_PEEK)
		if !errors.Is(err, syscall.EINTR) {
			return !errors.Is(err, syscall.EAGAIN)
		}
	}
}

// readNow is Read without waiting.
func (c *boundedTCP) readNow(p []byte) (n int, err error) {
	if failed := c.now.Read(func(fd uintptr) bool {
		n, err = readSocket(int(fd), p)
		return true
	}); failed != nil {
		return 0, failed
	}
	if errors.Is(err, syscall.EAGAIN) {
		return 0, errImpatient
	}
	return n, err
}

// errImpatient is a net.Error that says it will pass, by which a TLS connection goes
// on after it.
var errImpatient net.Error = &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
