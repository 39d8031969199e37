//go:build !unix

package gateway

import (
	"net"
	"sync"
)

// receiver reads a socket. It holds a buffer also while it waits; see the unix
// one for how that is avoided where it can be.
type receiver struct {
	conn net.Conn
	pool *sync.Pool
}

func (r *receiver) init(conn net.Conn, pool *sync.Pool) { r.conn, r.pool = conn, pool }

func (r *receiver) receive() (*workbench, int, error) {
	bench := borrow(r.pool)
	n, err := r.conn.Read(bench.input[:])
	if err != nil {
		r.release(bench)
		return nil, 0, err
	}
	return bench, n, nil
}

func (r *receiver) release(bench *workbench) {
	bench.tidy()
	r.pool.Put(bench)
}
