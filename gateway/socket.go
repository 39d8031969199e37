package gateway

import (
	"errors"
	"net"
)

// socket is a connection's way to the other side. Where it also has CloseWrite, it
// can be half-closed.
type socket interface {
	// Write takes all of p, or fails; only one goroutine at a time calls it.
	Write(p []byte) (n int, err error)
	// Close may be called from any goroutine: whoever reads or writes fails then.
	Close() error
	RemoteAddr() net.Addr
}

// receiver reads a socket, for one goroutine at a time.
type receiver interface {
	// receive returns a workbench and how many bytes its input holds; the workbench
	// is to be given back. Where nothing has come it waits, or returns errLater:
	// then the socket's poller says when to ask again.
	receive() (*workbench, int, error)
}

// errLater is a receiver's word that there is nothing now.
var errLater = errors.New("nothing to read yet")

// polledConn is a socket that a poller has taken over: it has no goroutine.
type polledConn interface {
	socket
	receiver
	// start lends c, whose socket it is, a goroutine, now and whenever there is
	// something to do. early is what the handshake's reader had already taken.
	start(c *connection, early []byte)
}

// maxEnds is how many connections end at a time. When a network fails thousands do in
// one moment, and all together they would hold up everybody else.
const maxEnds = 16

// release ends a socket that Close only tells of the end.
func release(conn socket) {
	if held, ok := conn.(interface{ release() }); ok {
		held.release()
	}
}
