package gateway

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// newPolledEdge is an edge whose sockets have no goroutines.
func newPolledEdge(t *testing.T, change ...func(*Config)) *edge {
	t.Helper()
	if !hasEpoll {
		t.Skip("there is no epoll here")
	}
	return newEdge(t, append(change, func(c *Config) { c.Poller = PollerEpoll })...)
}

// readFrame reads one frame of a gateway, which is trusted with its length.
func readFrame(from io.Reader) (frame ws.Frame, err error) {
	if frame.Header, err = ws.ReadHeader(from); err != nil {
		return frame, err
	}
	frame.Payload = make([]byte, frame.Header.Length)
	_, err = io.ReadFull(from, frame.Payload)
	return frame, err
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never was so: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// textOnly asks for text frames, which these tests read for themselves.
const textOnly = "Sec-WebSocket-Protocol: baton.v1.json"

// quietClient opens a session without goroutines of its own.
func quietClient(e *edge) *client {
	c := e.connectDeaf(textOnly)
	c.send(`{"type":"hello"}`)
	c.readText()
	return c
}

func (c *client) readText() string {
	frame, err := readFrame(c.in)
	if err != nil || frame.Header.OpCode != ws.OpText {
		c.t.Fatalf("got %v %q %v", frame.Header, frame.Payload, err)
	}
	return string(frame.Payload)
}

// TestIdleIsCheap: idle connections hold no goroutine, and little memory. Ours in this
// process are counted too, which the bound leaves room for.
func TestIdleIsCheap(t *testing.T) {
	const count, most = 1000, 8 << 10
	e := newPolledEdge(t)
	quietClient(e)
	used := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before, goroutines := used(), runtime.NumGoroutine()
	for range count {
		c := quietClient(e)
		c.in, c.messages, c.pings = nil, nil, nil
	}
	eventually(t, "the goroutines go back", func() bool { return runtime.NumGoroutine() <= goroutines+2*spareGoroutinesInTests })
	if each := (int64(used()) - int64(before)) / count; each > most {
		t.Fatalf("%d bytes for each connection, both ends together", each)
	}
}

// spareGoroutinesInTests is how many goroutines may be about besides those counted.
const spareGoroutinesInTests = 64

// TestNoWakeUpIsLost: whatever the pieces in which frames come, each is answered.
func TestNoWakeUpIsLost(t *testing.T) {
	const count, rounds = 100, 30
	e := newPolledEdge(t)
	var clients sync.WaitGroup
	for n := range count {
		c := quietClient(e)
		clients.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 1))
			for i := range rounds {
				frame := masked(ws.OpText, true, fmt.Sprintf(`{"type":"ping","time":%d}`, i+1))
				for len(frame) > 0 {
					size := 1 + random.IntN(min(len(frame), 1+random.IntN(8)))
					c.raw(frame[:size])
					frame = frame[size:]
					if random.IntN(3) == 0 {
						runtime.Gosched()
					}
				}
				answer, err := readFrame(c.in)
				if err != nil || !bytes.Contains(answer.Payload, fmt.Appendf(nil, `"time":%d`, i+1)) {
					t.Errorf("connection %d, round %d: %s %v", n, i, answer.Payload, err)
					return
				}
			}
		})
	}
	clients.Wait()
}

// TestDescriptorsAreNotMixedUp: connections end from both sides at once and in every
// way, and new ones take their descriptors; nobody reads what was for another.
func TestDescriptorsAreNotMixedUp(t *testing.T) {
	const workers, rounds = 16, 40
	e := newPolledEdge(t)
	var work sync.WaitGroup
	for n := range workers {
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 2))
			for i := range rounds {
				c := e.connectDeaf(textOnly)
				c.send(`{"type":"hello","name":"w"}`)
				c.readText()
				mark := n*rounds + i + 1
				c.send(fmt.Sprintf(`{"type":"ping","time":%d}`, mark))
				if random.IntN(4) > 0 {
					if answer, err := readFrame(c.in); err == nil && bytes.Contains(answer.Payload, []byte(`"pong"`)) &&
						!bytes.Contains(answer.Payload, fmt.Appendf(nil, `"time":%d`, mark)) {
						t.Errorf("got %s, want %d", answer.Payload, mark)
					}
				}
				c.end(random.IntN(4))
			}
		})
	}
	stop := make(chan struct{})
	var cutting sync.WaitGroup
	cutting.Go(func() { // What deadlines and shutdowns do, at any moment.
		for {
			select {
			case <-stop:
				return
			default:
			}
			e.gateway.mu.Lock()
			for c := range e.gateway.connections {
				if c.phaseNow() == phaseOpen && rand.IntN(200) == 0 {
					go c.dismiss(&wire.Bye{Reason: []byte("drain")}, wire.CloseDrain)
				}
			}
			e.gateway.mu.Unlock()
			runtime.Gosched()
		}
	})
	work.Wait()
	close(stop)
	cutting.Wait()
	eventually(t, "all connections are gone", func() bool {
		e.gateway.mu.Lock()
		defer e.gateway.mu.Unlock()
		return len(e.gateway.connections) == 0
	})
}

// end ends a connection in one of four ways.
func (c *client) end(way int) {
	switch way {
	case 0:
		_ = c.conn.(*net.TCPConn).SetLinger(0) // It is reset.
	case 1:
		_ = c.conn.(*net.TCPConn).CloseWrite()
		_, _ = io.Copy(io.Discard, c.in)
	case 2:
		c.raw([]byte{0xff, 0xff}) // No frame at all.
	}
	_ = c.conn.Close()
}

// TestSlowReaderIsBounded: who reads nothing costs its outbox, and is cut.
func TestSlowReaderIsBounded(t *testing.T) {
	e := newPolledEdge(t, func(c *Config) { c.Limits.MaxOutgoingBytes = 1 << 20 })
	c := e.connectDeaf(textOnly)
	_ = c.conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	c.send(`{"type":"hello","client_id":"ann"}`)
	stream := <-e.broker.attached
	data := command.Payload{Codec: command.CodecBytes, Bytes: make([]byte, 64<<10)}
	for seq := uint64(1); ; seq++ {
		select {
		case <-stream.closed:
			return
		default:
		}
		stream.sink.Notification(&command.Notification{Seq: 6 + seq, Name: "n", Payload: data}, false)
		if held := e.heldBytes(); held > 2<<20 {
			t.Fatalf("%d bytes are held", held)
		}
	}
}

// TestSlowReaderGoesOn: a flusher that waited for room writes the rest, in order.
func TestSlowReaderGoesOn(t *testing.T) {
	const count = 400 // More than the system's buffers take.
	e := newPolledEdge(t)
	c := e.connectDeaf(textOnly)
	c.send(`{"type":"hello","client_id":"ann"}`)
	stream := <-e.broker.attached
	data := command.Payload{Codec: command.CodecBytes, Bytes: make([]byte, 64<<10)}
	for seq := range uint64(count) {
		stream.sink.Notification(&command.Notification{Seq: 6 + seq, Name: "n", Payload: data}, false)
	}
	eventually(t, "something waits to be written", func() bool { return e.heldBytes() > 0 })
	c.readText() // welcome
	for seq := range count {
		if text := c.readText(); !bytes.Contains([]byte(text[:60]), fmt.Appendf(nil, `"seq":%d,`, 6+seq)) {
			t.Fatalf("got %s, want %d", text[:60], 6+seq)
		}
	}
}

// TestTeardownWhileAHandlerBlocks: a hello waits for its stream when the other side goes.
func TestTeardownWhileAHandlerBlocks(t *testing.T) {
	e := newPolledEdge(t)
	e.broker.set(func() { e.broker.holdAttach = true })
	c := e.connectDeaf(textOnly)
	c.send(`{"type":"hello","client_id":"ann"}`)
	stream := <-e.broker.attached
	e.gateway.cut()
	e.gateway.mu.Lock()
	for c := range e.gateway.connections {
		c.markClosing(ws.StatusAbnormalClosure)
	}
	e.gateway.mu.Unlock()
	<-stream.closed
}

// TestHalfClosed: after our close frame the other side may still send, until it
// answers; the connection ends when it has.
func TestHalfClosed(t *testing.T) {
	e := newPolledEdge(t)
	c := quietClient(e)
	c.send(`{"type":"bye"}`)
	for {
		frame, err := readFrame(c.in)
		if err != nil {
			t.Fatal(err)
		}
		if frame.Header.OpCode == ws.OpClose {
			break
		}
	}
	if _, err := c.in.ReadByte(); err != io.EOF {
		t.Fatalf("behind the close frame comes %v", err)
	}
	c.send(`{"type":"ping","time":1}`)
	c.frame(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, "")))
	eventually(t, "it is gone", func() bool {
		e.gateway.mu.Lock()
		defer e.gateway.mu.Unlock()
		return len(e.gateway.connections) == 0
	})
}

// BenchmarkEcho is a message and its answer over real sockets, many at a time, with
// each poller.
func BenchmarkEcho(b *testing.B) {
	const count = 256
	message := masked(ws.OpText, true, `{"type":"ping","time":1}`)
	for _, poller := range []Poller{PollerGoroutine, PollerEpoll} {
		b.Run(string(poller), func(b *testing.B) {
			if CheckPoller(poller) != nil {
				b.Skip("not here")
			}
			g, err := New(Config{Broker: newFakeBroker(), Node: "n1", Poller: poller})
			if err != nil {
				b.Fatal(err)
			}
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			go func() { _ = g.Serve(listener) }()
			b.Cleanup(func() { _ = g.Shutdown(b.Context()) })
			var conns []net.Conn
			for range count {
				conn, _, _, err := ws.Dial(b.Context(), "ws://"+listener.Addr().String()+"/ws")
				if err != nil {
					b.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_, _ = conn.Write(masked(ws.OpText, true, `{"type":"hello"}`))
				if _, err := readFrame(conn); err != nil {
					b.Fatal(err)
				}
				conns = append(conns, conn)
			}
			b.ResetTimer()
			var clients sync.WaitGroup
			for n, conn := range conns {
				clients.Go(func() {
					for i := n; i < b.N; i += count {
						_, _ = conn.Write(message)
						if _, err := readFrame(conn); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			clients.Wait()
		})
	}
}
