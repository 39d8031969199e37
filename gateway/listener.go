package gateway

import (
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"
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

	places  places
	proxies *proxies
	logger  *slog.Logger
	pace    rate
	taken   bucket
	began   time.Time
}

// acceptBurst is how long an accept may be late and made up for: timers are no more
// exact than that.
const acceptBurst = 2 * time.Millisecond

func (g *Gateway) newListener(listener net.Listener) *boundedListener {
	perSecond := g.limits.AcceptRate
	return &boundedListener{
		Listener: listener, places: newPlaces(g.limits.MaxConnections), proxies: &g.proxies, logger: g.logger,
		pace: newRate(perSecond, max(perSecond*int(acceptBurst/time.Millisecond)/1000, 1)), began: g.began,
	}
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		l.await()
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

// await keeps the pace, where there is one.
func (l *boundedListener) await() {
	for {
		now := int64(time.Since(l.began))
		if l.pace.take(&l.taken, now) {
			return
		}
		time.Sleep(l.pace.wait(&l.taken, now, 0))
	}
}

func (l *boundedListener) wrap(conn net.Conn) net.Conn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		trusted := l.proxies.trusts(addressIn(tcp.RemoteAddr()))
		return &boundedTCP{TCPConn: tcp, places: l.places, start: proxyStart{trusted: trusted, logger: l.logger}}
	}
	return &boundedConn{Conn: conn, places: l.places}
}

// boundedTCP gives its place back when it is closed. It keeps what else a TCP
// connection can do: half-closing, and reading without a buffer, which is for what
// comes behind the upgrade: a proxy's header is gone by then.
type boundedTCP struct {
	*net.TCPConn

	places places
	once   sync.Once
	start  proxyStart
	// now is how to read without waiting, set where Read is to do that: see
	// secureReceiver. It is the reader's own.
	now syscall.RawConn
}

// Read implements net.Conn. Where it is not to wait and nothing has come, it fails with
// errImpatient; a proxy's header is gone by then.
func (c *boundedTCP) Read(b []byte) (int, error) {
	if c.now != nil {
		return c.readNow(b)
	}
	return c.start.read(c.TCPConn, b)
}

// RemoteAddr is the client's, where a trusted proxy said it.
func (c *boundedTCP) RemoteAddr() net.Addr {
	if c.start.open(c.TCPConn); c.start.client != nil {
		return c.start.client
	}
	return c.TCPConn.RemoteAddr()
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
