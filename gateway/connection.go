package gateway

import (
	"net"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// phase is how far a session has come.
type phase int32

const (
	phaseHello     phase = iota // waiting for hello
	phaseAttaching              // waiting for the client's stream
	phaseOpen
)

// connection is one WebSocket and the session on it.
type connection struct {
	// Fixed before the goroutines start.
	gateway *Gateway
	conn    net.Conn
	session string
	opened  time.Time
	seat    seat
	// certified is who the client's certificate is of, nil for none.
	certified *auth.Identity

	// Shared; each has a lock of its own.
	out           outbox
	requests      requestTable
	jobs          jobTable
	sent          deliveryLog
	subscriptions subscriptionTable
	followers     followerTable
	tokens        tokenTable
	listeners     listenerTable

	// The deadlines' view of the reader.
	phase        atomic.Int32
	lastRead     atomic.Int64                  // Unix nanoseconds
	messageSince atomic.Int64                  // when the unfinished message began, 0 for none
	held         atomic.Bool                   // the reader waits for room
	who          atomic.Pointer[auth.Identity] // what the token grants, nil where none is asked for
	silent       atomic.Bool                   // a lease was let go, and nothing was read since
	closingSince atomic.Int64
	dismissed    atomic.Bool // sent to another node
	over         atomic.Bool
	ending       chan struct{} // closed when closingSince is set

	// The reader's own.
	in        receiver
	parser    frameParser
	bench     *workbench // while there are bytes to work on
	identity  identity
	bearer    []byte // the token of the upgrade, until hello
	abuse     abuse
	publishes bucket
	controls  bucket
	tenant    *usage // nobody before hello
	garbled   bool   // frames cannot be told apart any more
	saidBye   bool
	answered  bool   // the other side's close frame has come
	made      uint64 // counts subscriptions and idempotency keys
	stream    Stream
	writers   map[streamKey]*writer
	handles   wire.ChannelHandles

	// The deadlines' own.
	pinged int64 // when the last ping was sent, Unix nanoseconds
}

// identity is what hello said.
type identity struct {
	tenant   string
	clientID string
	deviceID string
	worker   string
	// limited is the tenant the session's subscriptions are limited to; empty
	// where hello named none.
	limited string
	window  uint32
}

func newConnection(g *Gateway, conn net.Conn, encoding wire.Encoding) *connection {
	c := &connection{
		gateway: g,
		conn:    conn,
		session: g.newSession(),
		opened:  time.Now(),
		ending:  make(chan struct{}),
	}
	c.parser.limit = uint64(g.limits.MaxMessageBytes) //nolint:gosec // checked to be positive
	c.parser.binary = encoding == wire.Binary
	c.lastRead.Store(c.opened.UnixNano())
	c.in.init(conn, &g.benches)
	c.out.init(conn, g)
	c.out.encoding = encoding
	c.belong(&g.nobody)
	c.out.wrote = c.wrote
	c.out.ended = c.finishWriting
	c.requests.init(&g.limits)
	c.tokens.open = g.meter.readStreams
	return c
}

// wrote is told by the flusher how far the socket is.
func (c *connection) wrote(total uint64) {
	c.sent.wrote(total)
	c.followers.wrote(total)
	c.tokens.wrote()
	c.listeners.wrote(total)
}

// serve reads until the connection is over. early is what the handshake's
// reader had already taken from the socket.
func (c *connection) serve(early []byte) {
	defer c.teardown()
	if len(early) > 0 {
		c.consumeEarly(early)
	}
	for !c.closing() {
		bench, n, err := c.in.receive()
		if err != nil {
			break
		}
		c.consume(bench, bench.input[:n])
		c.in.release(bench)
	}
	c.linger()
}

// consume works on bytes that were read.
func (c *connection) consume(bench *workbench, data []byte) {
	c.gateway.meter.bytesIn.Add(float64(len(data)))
	now := time.Now().UnixNano()
	c.lastRead.Store(now)
	if c.silent.Load() {
		c.heard()
	}
	c.bench = bench
	for len(data) > 0 && !c.garbled {
		event, rest, err := c.parser.next(data)
		data = rest
		switch {
		case err != nil:
			c.garbled = true
			c.closeWith(err.code, wire.CloseCode(err.code).String()+": "+err.reason)
		case event.opcode == ws.OpClose:
			c.answered = true
			c.peerClose(event.payload)
		case !c.closing():
			c.handle(event)
		}
	}
	c.bench = nil
	c.parser.park()
	if !c.parser.midMessage() {
		c.messageSince.Store(0)
	} else if c.messageSince.Load() == 0 || c.parser.fresh {
		c.messageSince.Store(now)
	}
	c.parser.fresh = false
}

func (c *connection) consumeEarly(early []byte) {
	bench := borrow(&c.gateway.benches)
	c.consume(bench, early)
	c.in.release(bench)
}

// handle is given every event of the parser.
func (c *connection) handle(event frameEvent) {
	switch event.opcode {
	case ws.OpText, ws.OpBinary:
		c.parser.fresh = true
		c.receive(event.payload)
	case ws.OpPing:
		if c.paceControl() {
			c.awaitRoom()
			c.out.control(ws.OpPong, event.payload)
		}
	case ws.OpPong:
		c.paceControl()
	case ws.OpClose, ws.OpContinuation, noEvent:
	}
}

// awaitRoom keeps a client from asking faster than it takes the answers.
func (c *connection) awaitRoom() {
	if !c.out.full() {
		return
	}
	c.gateway.meter.held.Inc()
	c.held.Store(true)
	c.out.waitRoom()
	c.lastRead.Store(time.Now().UnixNano())
	c.held.Store(false)
}

// linger takes what the other side still sends, until its close frame has come
// and ours is written, until it ends without one, or until the flusher's
// deadline passes.
func (c *connection) linger() {
	if !c.closing() {
		c.markClosing(ws.StatusAbnormalClosure)
		return
	}
	for !c.answered {
		bench, n, err := c.in.receive()
		if err != nil {
			return
		}
		c.consume(bench, bench.input[:n])
		c.in.release(bench)
	}
	c.out.awaitSealed()
}

// teardown ends everything that knows the connection.
func (c *connection) teardown() {
	c.over.Store(true)
	_ = c.conn.Close()
	if c.stream != nil {
		c.stream.Close()
	}
	for _, s := range c.subscriptions.takeAll() {
		s.handle.Close()
	}
	for _, handle := range c.followers.takeAll() {
		handle.Close(nil, 0)
	}
	for _, handle := range c.tokens.takeAll() {
		handle.Close()
	}
	for _, handle := range c.listeners.takeAll() {
		handle.Close()
	}
	c.closeAllWriters()
	c.flushCheckpoints(time.Now().Add(c.gateway.limits.CheckpointInterval))
	c.loseJobs()
	c.out.abandon()
	c.gateway.forget(c)
}
