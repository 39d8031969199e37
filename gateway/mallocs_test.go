package gateway

import (
	"encoding/binary"
	"flag"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

var mallocsMessages = flag.Int("mallocs.messages", 100_000, "how many messages TestMallocsPerMessage sends each way, of each kind")

// mostMallocs is how many allocations a message may cost, over all.
const mostMallocs = 0.01

// quickBroker answers every command at once, from a goroutine of its own, and sends a
// stream's notifications as fast as they are acknowledged.
type quickBroker struct {
	*fakeBroker

	answers chan quickAnswer
	result  command.Result
}

type quickAnswer struct {
	to   Replier
	slot uint64
}

// Submit implements Broker.
func (b *quickBroker) Submit(_ uint32, _ []byte, to Replier, slot uint64) {
	b.answers <- quickAnswer{to, slot}
}

// Attach implements Broker.
func (b *quickBroker) Attach(_ StreamSpec, sink StreamSink) Stream {
	sink.Attached(StreamState{Epoch: "e1", Oldest: 1})
	s := &quickStream{sink: sink, acked: make(chan uint64, 1)}
	s.n = command.Notification{
		Name: "done", Event: b.result.Event, CorrelationID: "a lineage", CausationID: "an event", TimeMS: 1790000000000,
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`{"answer":"` + strings.Repeat("x", 240) + `"}`)},
	}
	return s
}

func (b *quickBroker) answer() {
	for a := range b.answers {
		a.to.Reply(a.slot, &b.result)
	}
}

type quickStream struct {
	sink  StreamSink
	n     command.Notification
	acked chan uint64
}

// Ready implements Stream.
func (*quickStream) Ready() {}

// Ack implements Stream.
func (s *quickStream) Ack(seq uint64, _ []command.Delivery) { s.acked <- seq }

// Close implements Stream.
func (*quickStream) Close() {}

// notify sends so many notifications, a quarter of the window at a time.
func (s *quickStream) notify(many, window int) {
	for s.n.Seq < uint64(many) {
		for range window / 4 {
			s.n.Seq++
			s.sink.Notification(&s.n, false)
		}
		for <-s.acked < s.n.Seq {
		}
	}
}

// frugal is a client that allocates nothing.
type frugal struct {
	t        *testing.T
	conn     net.Conn
	encoding wire.Encoding
	buf      [64 << 10]byte
	from, to int
}

// fill reads until so many bytes are there.
func (f *frugal) fill(want int) []byte {
	for f.to-f.from < want {
		if f.to == len(f.buf) || f.from == f.to {
			f.to = copy(f.buf[:], f.buf[f.from:f.to])
			f.from = 0
		}
		n, err := f.conn.Read(f.buf[f.to:])
		if err != nil {
			f.t.Fatal(err)
		}
		f.to += n
	}
	return f.buf[f.from:f.to]
}

// skip reads a frame.
func (f *frugal) skip() {
	head := f.fill(2)
	length, at := int(head[1]), 2
	if length == 126 {
		length, at = int(binary.BigEndian.Uint16(f.fill(4)[2:])), 4
	}
	f.fill(at + length)
	f.from += at + length
}

func (f *frugal) write(data []byte) {
	if _, err := f.conn.Write(data); err != nil {
		f.t.Fatal(err)
	}
}

// frameOf is a client's frame of one message.
func frameOf(encoding wire.Encoding, m *wire.Message) []byte {
	frame := ws.NewFrame(opcodeOf(encoding), true, m.Append(encoding.On(nil)).Bytes)
	return ws.MustCompileFrame(ws.MaskFrameInPlaceWith(frame, [4]byte{}))
}

// newFrugal connects and says hello; the first frame that comes is welcome.
func newFrugal(t *testing.T, e *edge, encoding wire.Encoding, hello wire.Hello) *frugal {
	t.Helper()
	conn, err := e.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	f := &frugal{t: t, conn: conn, encoding: encoding}
	f.write(fmt.Appendf(nil, "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MTIzNDU2Nzg5MDEyMzQ1Ng==\r\nSec-WebSocket-Protocol: %s\r\n\r\n", encoding.Protocol()))
	for head := f.fill(1); !strings.HasSuffix(string(head), "\r\n\r\n"); head = f.fill(len(head) + 1) {
	}
	f.from = f.to
	f.write(frameOf(encoding, &wire.Message{Type: wire.TypeHello, Hello: hello}))
	f.skip()
	return f
}

// publish has so many events answered, a pipeline of them at a time.
func (f *frugal) publish(many int) {
	const pipeline = 32
	m := wire.Message{Type: wire.TypePublish, Publish: wire.Publish{ID: 7, EventFields: wire.EventFields{
		Channel: []byte("questions"), Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(`{"text":"` + strings.Repeat("x", 240) + `"}`)},
	}}}
	var frames []byte
	for range pipeline {
		frames = append(frames, frameOf(f.encoding, &m)...)
	}
	for sent := 0; sent < many; sent += pipeline {
		f.write(frames)
		for range pipeline {
			f.skip()
		}
	}
}

// listen acknowledges so many notifications, a share of the window at a time.
func (f *frugal) listen(many, window int) {
	var frame []byte
	share := window / 4
	for seq := 1; seq <= many; seq++ {
		if f.skip(); seq%share == 0 {
			m := wire.Message{Type: wire.TypeAck, Ack: wire.Ack{Seq: uint64(seq)}}
			head := m.Append(f.encoding.On(append(frame[:0], 0, 0, 0, 0, 0, 0)))
			frame = head.Bytes
			frame[0], frame[1] = 0x80|byte(opcodeOf(f.encoding)), 0x80|byte(len(frame)-6)
			f.write(frame)
		}
	}
}

// TestMallocsPerMessage counts what a gateway allocates for each message, from socket to
// socket: events published and answered, notifications sent and acknowledged, on several
// connections at once. -mallocs.messages=1000000 makes it a million of each.
func TestMallocsPerMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("many messages")
	}
	const connections, window = 4, 64
	many := *mallocsMessages / connections / 64 * 64
	b := &quickBroker{fakeBroker: newFakeBroker(), answers: make(chan quickAnswer, 1024)}
	b.result = command.Result{Event: command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4}, Offset: 4}
	var streams []*quickStream
	e := newEdge(t, func(c *Config) { c.Broker = &catchStreams{quickBroker: b, streams: &streams} })
	var answering sync.WaitGroup
	answering.Go(b.answer)
	t.Cleanup(func() {
		close(b.answers)
		answering.Wait()
	})
	var publishers, listeners []*frugal
	for i := range connections {
		publishers = append(publishers, newFrugal(t, e, spoken, wire.Hello{}))
		listeners = append(listeners, newFrugal(t, e, spoken, wire.Hello{ClientID: fmt.Appendf(nil, "c%d", i), Window: window}))
	}
	run := func(many int) {
		var all sync.WaitGroup
		for i := range connections {
			all.Go(func() { publishers[i].publish(many) })
			all.Go(func() { streams[i].notify(many, window) })
			all.Go(func() { listeners[i].listen(many, window) })
		}
		all.Wait()
		for _, s := range streams {
			s.n.Seq = 0
		}
	}
	run(64 * 16) // What is made once is made.
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(many)
	runtime.ReadMemStats(&after)
	messages := float64(connections * many * 2)
	each := float64(after.Mallocs-before.Mallocs) / messages
	t.Logf("%s: %d allocations for %.0f messages and their answers: %.6f each, %d collections",
		spoken.Protocol(), after.Mallocs-before.Mallocs, messages, each, after.NumGC-before.NumGC)
	if each > mostMallocs {
		t.Errorf("%.4f allocations for a message, want at most %v", each, mostMallocs)
	}
}

// catchStreams notes the streams that are attached; connections come one after the other.
type catchStreams struct {
	*quickBroker

	streams *[]*quickStream
}

// Attach implements Broker.
func (c *catchStreams) Attach(spec StreamSpec, sink StreamSink) Stream {
	s := c.quickBroker.Attach(spec, sink)
	*c.streams = append(*c.streams, s.(*quickStream))
	return s
}
