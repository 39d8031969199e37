//go:build unix

package gateway

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
)

// receiver reads a socket. While nothing is there to be read it holds no
// buffer: the read is tried with a borrowed workbench, which goes back to the
// pool before the goroutine is parked.
type receiver struct {
	conn  net.Conn
	raw   syscall.RawConn // nil where the connection is no plain socket
	try   func(fd uintptr) bool
	pool  *sync.Pool
	bench *workbench
	n     int
	err   error
}

func (r *receiver) init(conn net.Conn, pool *sync.Pool) {
	r.conn, r.pool = conn, pool
	if socket, ok := conn.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			r.raw, r.try = raw, r.tryRead
		}
	}
}

// receive waits for bytes and returns the workbench that holds them, which is
// to be given back with release.
func (r *receiver) receive() (*workbench, int, error) {
	r.n, r.err = 0, nil
	if r.raw == nil {
		r.bench = borrow(r.pool)
		r.n, r.err = r.conn.Read(r.bench.input[:])
	} else if err := r.raw.Read(r.try); err != nil && r.err == nil {
		r.err = err
	}
	bench := r.bench
	r.bench = nil
	if r.err != nil && bench != nil {
		r.release(bench)
		bench = nil
	}
	return bench, r.n, r.err
}

func (r *receiver) release(bench *workbench) {
	bench.tidy()
	r.pool.Put(bench)
}

func (r *receiver) tryRead(fd uintptr) bool {
	r.bench = borrow(r.pool)
	for {
		n, err := syscall.Read(int(fd), r.bench.input[:])
		switch {
		case n > 0:
			r.n = n
			return true
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			r.pool.Put(r.bench)
			r.bench = nil
			return false
		case err != nil:
			r.err = err
		default:
			r.err = io.EOF
		}
		return true
	}
}
