package gateway

import (
	"net"
	"sync"
	"syscall"
)

// spareConnections is how many sockets beyond MaxConnections may be open: for
// plain HTTP, and to tell WebSockets that there is no place.
const spareConnections = 100

// places counts open sockets.
type places chan struct{}

func newPlaces(limit int) places { return make(places, limit+spareConnections) }

// boundedListener closes what it accepts beyond its places, at once: a full
// backlog would keep out the probes too.
type boundedListener struct {
	net.Listener

	places places
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.places <- struct{}{}:
			return l.wrap(conn), nil
		default:
			_ = conn.Close()
		}
	}
}

func (l *boundedListener) wrap(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		return &boundedTCP{TCPConn: tcp, places: l.places}
	}
	return &boundedConn{Conn: conn, places: l.places}
}

// boundedTCP gives its place back when it is closed. It keeps what else a TCP
// connection can do: half-closing, and reading without a buffer.
type boundedTCP struct {
	*net.TCPConn

	places places
	once   sync.Once
	// now is how to read without waiting, set where Read is to do that: see
	// secureReceiver. It is the reader's own.
	now syscall.RawConn
}

// Close implements net.Conn.
func (c *boundedTCP) Close() error {
	c.once.Do(func() { <-c.places })
	return c.TCPConn.Close()
}

// handOver closes the connection and returns its place, still taken, for whoever has
// a descriptor of the socket of their own.
func (c *boundedTCP) handOver() places {
	c.once.Do(func() {})
	_ = c.TCPConn.Close()
	return c.places
}

// boundedConn is boundedTCP for other connections.
type boundedConn struct {
	net.Conn

	places places
	once   sync.Once
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(func() { <-c.places })
	return c.Conn.Close()
}
