package gateway

import (
	"net"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
)

// sinkConn takes everything and has nothing.
type sinkConn struct{ net.Conn }

func (sinkConn) Write(b []byte) (int, error)      { return len(b), nil }
func (sinkConn) Read([]byte) (int, error)         { select {} }
func (sinkConn) Close() error                     { return nil }
func (sinkConn) SetReadDeadline(time.Time) error  { return nil }
func (sinkConn) SetWriteDeadline(time.Time) error { return nil }

// heldBroker keeps the last submission unanswered, and copies nothing.
type heldBroker struct {
	*fakeBroker

	to   Replier
	slot uint64
}

func (b *heldBroker) Submit(_ uint32, _ []byte, to Replier, slot uint64) { b.to, b.slot = to, slot }

// A connection that nobody reads from, to run handlers by hand.
func handConnection(tb testing.TB, broker Broker) (*Gateway, *connection) {
	tb.Helper()
	g, err := New(Config{Broker: broker, Node: "n1"})
	if err != nil {
		tb.Fatal(err)
	}
	c := newConnection(g, sinkConn{}, nil)
	c.identity = identity{tenant: "default", clientID: "ann", deviceID: "default"}
	c.phase.Store(int32(phaseOpen))
	tb.Cleanup(func() {
		c.out.abandon()
		if err := g.Shutdown(tb.Context()); err != nil {
			tb.Error(err)
		}
	})
	return g, c
}

// TestPublishAllocatesNothing: from the bytes read to the command forwarded.
func TestPublishAllocatesNothing(t *testing.T) {
	broker := &heldBroker{fakeBroker: newFakeBroker()}
	g, c := handConnection(t, broker)
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(
		[]byte(`{"type":"publish","id":7,"channel":"q","headers":{"a":"b"},"data":{"question":"what?"}}`),
	)))
	bench := g.borrow()
	allocs := testing.AllocsPerRun(1000, func() {
		n := copy(bench.input[:], frame)
		c.consume(bench, bench.input[:n])
		if _, ok := c.requests.finish(broker.slot); !ok {
			t.Fatal("nothing was submitted")
		}
	})
	if allocs != 0 {
		t.Fatalf("%v allocations", allocs)
	}
}

// TestReplyAllocates: from the answer to the socket, the text of the event id and no more.
func TestReplyAllocates(t *testing.T) {
	broker := &heldBroker{fakeBroker: newFakeBroker()}
	_, c := handConnection(t, broker)
	result := command.Result{Event: command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4}, Offset: 9}
	allocs := testing.AllocsPerRun(1000, func() {
		slot, _ := c.requests.take(request{kind: requestPublish, id: 7})
		c.Reply(slot, &result)
	})
	if allocs > 1 {
		t.Fatalf("%v allocations", allocs)
	}
}

// BenchmarkPublishForward is the gateway's share of a publish's way in.
func BenchmarkPublishForward(b *testing.B) {
	broker := &heldBroker{fakeBroker: newFakeBroker()}
	g, c := handConnection(b, broker)
	frame := ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame(
		[]byte(`{"type":"publish","id":7,"channel":"q","data":{"question":"what?"}}`),
	)))
	bench := g.borrow()
	b.ReportAllocs()
	for b.Loop() {
		n := copy(bench.input[:], frame)
		c.consume(bench, bench.input[:n])
		c.requests.finish(broker.slot)
	}
}
