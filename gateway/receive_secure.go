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
// a passing error, which leaves the TLS connection as it is. Only then does the
// goroutine wait, without a workbench, for the socket to have something.
type secureReceiver struct {
	gateway *Gateway
	conn    *tls.Conn
	plain   *boundedTCP
	raw     syscall.RawConn
}

func (r *secureReceiver) receive() (*workbench, int, error) {
	r.plain.now = r.raw
	for {
		bench := r.gateway.borrow()
		n, err := r.conn.Read(bench.input[:])
		if err == nil {
			return bench, n, nil
		}
		r.gateway.giveBack(bench)
		if !errors.Is(err, errImpatient) {
			return nil, 0, err
		}
		if err := r.raw.Read(somethingCame); err != nil {
			return nil, 0, err
		}
	}
}

// somethingCame looks without taking: the poller is edge-triggered, so a look must have
// failed before one waits.
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
