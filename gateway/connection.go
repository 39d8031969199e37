package gateway

import (
	"errors"
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
	conn    socket
	in      receiver
	// watch is what watches the socket, made once: starting it allocates nothing. It is
	// nil where the reader waits itself, or a poller does.
	watch   func()
	session string
	opened  int64 // Unix nanoseconds
	seat    seat
	// shown is what the upgrade showed of who asks, nil for nothing.
	shown *shown

	// Shared; each has a lock of its own.
	out outbox
	// rest is what idle connections do without: see tables.
	rest atomic.Pointer[tables]
	// stream is the client's, nil where hello named none.
	stream atomic.Pointer[streamSink]

	// The deadlines' view of the reader.
	phase        atomic.Int32
	lastRead     atomic.Int64                  // Unix nanoseconds
	messageSince atomic.Int64                  // when the unfinished message began, 0 for none
	held         atomic.Bool                   // the reader waits for room
	who          atomic.Pointer[auth.Identity] // what the token grants, nil where none is asked for
	silent       atomic.Bool                   // a lease was let go, and nothing was read since
	closingSince atomic.Int64
	finished     atomic.Int64 // when the close frame was written, and nothing follows
	dismissed    atomic.Bool  // sent to another node
	over         atomic.Bool
	// atEnd is called when closingSince is set: see uponEnd.
	atEnd atomic.Pointer[func()]

	// The reader's own.
	parser    frameParser
	bench     *workbench // while there are bytes to work on
	identity  identity
	abuse     *abuse // nil until a request is refused
	publishes bucket
	controls  bucket
	tenant    *usage // nobody before hello
	garbled   bool   // frames cannot be told apart any more
	saidBye   bool
	answered  bool   // the other side's close frame has come
	made      uint64 // counts subscriptions and idempotency keys
	handles   wire.ChannelHandles

	// The deadlines' own.
	pinged int64  // when the last ping was sent, Unix nanoseconds
	due    uint32 // the tick that it is looked at; the wheel guards it
}

// shown is what an upgrade shows of who asks.
type shown struct {
	bearer    []byte         // the token, until hello
	certified *auth.Identity // who the client's certificate is of, nil for none
}

// identity is what hello said.
type identity struct {
	tenant   string
	clientID string
	deviceID string
	worker   string
	window   uint32
	// limited means that the session's subscriptions are limited to the tenant: hello
	// named one, or a token did.
	limited bool
}

// limitedTo is the tenant that subscriptions are limited to, empty for none.
func (i *identity) limitedTo() string {
	if i.limited {
		return i.tenant
	}
	return ""
}

func newConnection(g *Gateway, conn socket, in receiver, encoding wire.Encoding) *connection {
	c := &connection{
		gateway: g,
		conn:    conn,
		in:      in,
		session: g.newSession(),
		opened:  time.Now().UnixNano(),
	}
	c.parser.limit = uint64(g.limits.MaxMessageBytes) //nolint:gosec // checked to be positive
	c.parser.binary = encoding == wire.Binary
	c.lastRead.Store(c.opened)
	c.out.init(c)
	c.out.encoding = encoding
	c.belong(&g.nobody)
	return c
}

// wrote is told by the flusher how far the socket is.
func (c *connection) wrote(total uint64) {
	if s := c.stream.Load(); s != nil {
		s.sent.wrote(total)
	}
	if t := c.rest.Load(); t != nil {
		t.followers.wrote(total)
		t.tokens.wrote()
		t.listeners.wrote(total)
	}
}

// advance reads what there is, and tells whether the connection is over. It is not
// while there may be more to come later, which only a receiver says that does not
// wait for it. A connection that closes is read on, until the other side's close
// frame has come and ours is written, until it ends without one, or until the
// deadline of that passes.
func (c *connection) advance() (over bool) {
	for !c.answered {
		bench, n, err := c.in.receive()
		if errors.Is(err, errLater) {
			return false
		}
		if err != nil {
			c.markClosing(ws.StatusAbnormalClosure)
			return true
		}
		c.consume(bench, bench.input[:n])
		c.gateway.giveBack(bench)
	}
	c.out.awaitSealed()
	return true
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
	if len(early) == 0 {
		return
	}
	bench := c.gateway.borrow()
	c.consume(bench, early)
	c.gateway.giveBack(bench)
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

// teardown ends everything that knows the connection.
func (c *connection) teardown() {
	c.over.Store(true)
	_ = c.conn.Close()
	if s := c.stream.Load(); s != nil {
		s.handle.Close()
	}
	if t := c.rest.Load(); t != nil {
		t.closeAll()
	}
	if c.rest.Load() != nil {
		c.closeAllWriters()
		c.flushCheckpoints(time.Now().Add(c.gateway.limits.CheckpointInterval))
		c.loseJobs()
	}
	c.out.abandon()
	release(c.conn) // The flusher, too, is through with it.
	c.gateway.forget(c)
}
