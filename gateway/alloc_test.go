package gateway

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// sinkConn takes everything and has nothing.
type sinkConn struct{ net.Conn }

func (sinkConn) Write(b []byte) (int, error)      { return len(b), nil }
func (sinkConn) Read([]byte) (int, error)         { select {} }
func (sinkConn) Close() error                     { return nil }
func (sinkConn) RemoteAddr() net.Addr             { return pipeAddr{} }
func (sinkConn) SetReadDeadline(time.Time) error  { return nil }
func (sinkConn) SetWriteDeadline(time.Time) error { return nil }

// heldBroker keeps the last submission unanswered, and copies nothing.
type heldBroker struct {
	*fakeBroker

	to   Replier
	slot uint64
}

// AppendLease is cheap here: what a lease's signature costs is the cluster's.
func (*heldBroker) AppendLease(dst []byte, _ command.LeaseID) []byte { return append(dst, "lease"...) }

func (b *heldBroker) Submit(_ uint32, _ []byte, to Replier, slot uint64) { b.to, b.slot = to, slot }

// A connection that nobody reads from, to run handlers by hand.
func handConnection(tb testing.TB, broker Broker, encoding wire.Encoding, conn net.Conn) (*Gateway, *connection) {
	tb.Helper()
	g, err := New(Config{Broker: broker, Node: "n1"})
	if err != nil {
		tb.Fatal(err)
	}
	c := newConnection(g, conn, newReceiver(g, conn), encoding)
	c.identity = identity{tenant: "default", clientID: "ann", deviceID: "default"}
	c.phase.Store(int32(phaseOpen))
	tb.Cleanup(func() {
		_ = conn.Close()
		c.out.abandon()
		if err := g.Shutdown(tb.Context()); err != nil {
			tb.Error(err)
		}
	})
	return g, c
}

// inEachEncoding runs a test for each.
func inEachEncoding(t *testing.T, test func(*testing.T, wire.Encoding)) {
	t.Helper()
	for _, protocol := range wire.Protocols() {
		encoding, _ := wire.EncodingOf(protocol)
		t.Run(protocol, func(t *testing.T) { test(t, encoding) })
	}
}

// publishFrame is a client's frame with one publish of so much data.
func publishFrame(encoding wire.Encoding, data string) []byte {
	m := wire.Publish{ID: 7, EventFields: wire.EventFields{
		Channel: []byte("q"), Headers: []wire.Header{{Name: []byte("a"), Value: []byte("b")}},
		Payload: wire.Payload{Bytes: []byte(data), Kind: wire.PayloadJSON},
	}}
	message := wire.AppendPublish(encoding.On(nil), &m).Bytes
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(opcodeOf(encoding), true, message)))
}

// TestHeaderAllocatesNothing: a frame that comes byte by byte up to its payload.
func TestHeaderAllocatesNothing(t *testing.T) {
	frame := publishFrame(wire.Binary, `"`+strings.Repeat("x", 300)+`"`)
	data := make([]byte, len(frame))
	p := frameParser{limit: 1 << 20, binary: true}
	allocs := testing.AllocsPerRun(1000, func() {
		copy(data, frame)
		for i := range 8 {
			if event, _, err := p.next(data[i : i+1]); err != nil || event.opcode != noEvent {
				t.Fatal(event.opcode, err)
			}
		}
		if event, _, err := p.next(data[8:]); err != nil || event.opcode != ws.OpBinary {
			t.Fatal(event.opcode, err)
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

// TestPublishAllocatesNothing: from the bytes read to the command forwarded.
func TestPublishAllocatesNothing(t *testing.T) {
	inEachEncoding(t, func(t *testing.T, encoding wire.Encoding) {
		t.Helper()
		broker := &heldBroker{fakeBroker: newFakeBroker()}
		g, c := handConnection(t, broker, encoding, sinkConn{})
		frame := publishFrame(encoding, `{"question":"what?"}`)
		bench := g.borrow()
		allocs := testing.AllocsPerRun(1000, func() {
			n := copy(bench.input[:], frame)
			c.consume(bench, bench.input[:n])
			if _, ok := c.tables().requests.finish(broker.slot); !ok {
				t.Fatal("nothing was submitted")
			}
		})
		if allocs != 0 {
			t.Fatalf("%v allocations", allocs)
		}
	})
}

// socketPeer is the other end of a connection's socket.
type socketPeer struct {
	conn net.Conn
	buf  [4 << 10]byte
}

// newSocketPeer is a connection to run by hand, with a socket that is read.
func newSocketPeer(t *testing.T, broker Broker, encoding wire.Encoding) (*Gateway, *connection, *socketPeer) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	peer, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = peer.Close() })
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := peer.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	g, c := handConnection(t, broker, encoding, conn)
	return g, c, &socketPeer{conn: peer}
}

// next waits for a whole frame, and answers its payload.
func (p *socketPeer) next(t *testing.T) (opcode ws.OpCode, payload []byte) {
	t.Helper()
	p.read(t, p.buf[:2])
	opcode, length := ws.OpCode(p.buf[0]&15), int(p.buf[1])
	if length == 126 {
		p.read(t, p.buf[:2])
		length = int(binary.BigEndian.Uint16(p.buf[:2]))
	}
	p.read(t, p.buf[:length])
	return opcode, p.buf[:length]
}

func (p *socketPeer) read(t *testing.T, buf []byte) {
	t.Helper()
	if _, err := io.ReadFull(p.conn, buf); err != nil {
		t.Fatal(err)
	}
}

// allocatesNothing counts over many rounds of act and the frame that it has
// written, through the outbox and its flusher. want begins the message.
func (p *socketPeer) allocatesNothing(t *testing.T, encoding wire.Encoding, want wire.Type, act func()) {
	t.Helper()
	allocs := testing.AllocsPerRun(1000, func() {
		act()
		opcode, payload := p.next(t)
		if opcode != opcodeOf(encoding) || encoding == wire.Binary && payload[4] != byte(want) {
			t.Fatalf("%v %q", opcode, payload)
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

// TestReplyAllocatesNothing: from the cluster's answer to the client's socket.
func TestReplyAllocatesNothing(t *testing.T) {
	inEachEncoding(t, func(t *testing.T, encoding wire.Encoding) {
		t.Helper()
		_, c, peer := newSocketPeer(t, newFakeBroker(), encoding)
		event := command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4}
		publish := command.Result{Event: event, Offset: 9}
		peer.allocatesNothing(t, encoding, wire.TypeOK, func() {
			slot, _ := c.tables().requests.take(request{kind: requestPublish, id: 7})
			c.Reply(slot, &publish)
		})
		var complete command.Result
		peer.allocatesNothing(t, encoding, wire.TypeOK, func() {
			slot, _ := c.tables().requests.take(request{kind: requestComplete, id: 8})
			c.Reply(slot, &complete)
		})
	})
}

// TestRefusalAllocatesNothing: a request over limits.max_in_flight, from the bytes
// read to the 429 at the client's socket.
func TestRefusalAllocatesNothing(t *testing.T) {
	inEachEncoding(t, func(t *testing.T, encoding wire.Encoding) {
		t.Helper()
		g, c, peer := newSocketPeer(t, newFakeBroker(), encoding)
		for range g.limits.MaxInFlight {
			if _, ok := c.tables().requests.take(request{kind: requestPublish, id: 1}); !ok {
				t.Fatal("the table is full too early")
			}
		}
		frame, bench := publishFrame(encoding, `1`), g.borrow()
		peer.allocatesNothing(t, encoding, wire.TypeError, func() {
			n := copy(bench.input[:], frame)
			c.consume(bench, bench.input[:n])
		})
	})
}

// TestNotificationAllocatesNothing: from the cluster's push to the client's socket,
// and the acknowledgement of it.
func TestNotificationAllocatesNothing(t *testing.T) {
	inEachEncoding(t, func(t *testing.T, encoding wire.Encoding) {
		t.Helper()
		_, c, peer := newSocketPeer(t, newFakeBroker(), encoding)
		sink := &streamSink{connection: c}
		sink.sent.limit = 64
		c.stream.Store(sink)
		n := command.Notification{
			Seq: 7, Name: "done", Event: command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4}, CorrelationID: "c", CausationID: "e",
			TimeMS: 1790000000000, Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`{"ok":true}`)},
		}
		var times []command.Delivery
		peer.allocatesNothing(t, encoding, wire.TypeNotify, func() {
			sink.Notification(&n, false)
			times, _ = sink.sent.take(7, times[:0])
		})
	})
}

// TestJobAndEventAllocateNothing: what a worker and a follower are sent. A job's
// place in the table is made before.
func TestJobAndEventAllocateNothing(t *testing.T) {
	inEachEncoding(t, func(t *testing.T, encoding wire.Encoding) {
		t.Helper()
		_, c, peer := newSocketPeer(t, &heldBroker{fakeBroker: newFakeBroker()}, encoding)
		event := command.Event{
			Channel: "q", Tenant: "default", Key: "k", Headers: []byte(`{"a":"b"}`),
			Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`{"ok":true}`)},
		}
		id := command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4}
		f := &follower{connection: c, id: "f1", window: 64}
		c.tables().followers.add(f)
		followed := cluster.FollowedEvent{Followed: command.Followed{ID: id, Event: event, CorrelationID: "c", CausationID: "e", StoredMS: 1}}
		peer.allocatesNothing(t, encoding, wire.TypeEvent, func() { f.Event(&followed, []byte("cursor")) })
		s := &subscription{connection: c, id: "s1", group: "default"}
		job := command.Job{Lease: command.LeaseID{Event: id, Fence: 7, Attempt: 1}, Event: event, LeaseMS: 30000}
		peer.allocatesNothing(t, encoding, wire.TypeJob, func() {
			s.Job(&job)
			c.tables().jobs.drop(job.Lease)
		})
	})
}

// BenchmarkPublishForward is the gateway's share of a publish's way in: 256 bytes
// of data, from the bytes read to the command forwarded.
func BenchmarkPublishForward(b *testing.B) {
	data := fmt.Sprintf(`{"question":%q}`, strings.Repeat("what is the answer? ", 20)[:256-len(`{"question":""}`)])
	for _, encoding := range []wire.Encoding{wire.JSON, wire.Binary} {
		b.Run(encoding.Protocol(), func(b *testing.B) {
			broker := &heldBroker{fakeBroker: newFakeBroker()}
			g, c := handConnection(b, broker, encoding, sinkConn{})
			frame := publishFrame(encoding, data)
			bench := g.borrow()
			b.ReportAllocs()
			for b.Loop() {
				n := copy(bench.input[:], frame)
				c.consume(bench, bench.input[:n])
				c.tables().requests.finish(broker.slot)
			}
		})
	}
}

// TestSharedEventIsEncodedOnce: an event for several followers is encoded for the first
// of them in each encoding; what the others are sent of it is copied, and the same.
func TestSharedEventIsEncodedOnce(t *testing.T) {
	inEachEncoding(t, func(t *testing.T, encoding wire.Encoding) { //nolint:thelper // It is the test.
		_, c, peer := newSocketPeer(t, &heldBroker{fakeBroker: newFakeBroker()}, encoding)
		f := &follower{connection: c, id: "f1", window: 64}
		c.tables().followers.add(f)
		own := followed(3, `{"a":1}`)
		shared := cluster.ShareEvent(own.Followed)
		f.Event(own, []byte("cursor"))
		_, payload := peer.next(t)
		alone := string(payload)
		f.Event(shared, []byte("cursor"))
		if _, payload = peer.next(t); string(payload) != alone {
			t.Errorf("shared it is\n%q, alone\n%q", payload, alone)
		}
		if own.Edge[encoding].Load() != nil {
			t.Error("an event of one follower is kept encoded")
		}
		first := shared.Edge[encoding].Load()
		peer.allocatesNothing(t, encoding, wire.TypeEvent, func() { f.Event(shared, []byte("cursor")) })
		if first == nil || shared.Edge[encoding].Load() != first || shared.Edge[1-encoding].Load() != nil {
			t.Error("the event was encoded again")
		}
	})
}
