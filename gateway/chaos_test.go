package gateway

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// TestManyAtOnce: answers, jobs and notifications come from goroutines of the
// cluster while clients come, ask and go. Who stays gets every answer once.
func TestManyAtOnce(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.hold = true })
	stop, answered := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(answered)
		var pending sync.WaitGroup
		defer pending.Wait()
		for {
			select {
			case s := <-e.broker.submissions:
				pending.Go(func() { s.reply(command.Result{Event: command.EventID{Epoch: 1, Position: 1}}) })
			case <-stop:
				return
			}
		}
	}()
	var clients sync.WaitGroup
	for n := range 20 {
		c := e.open(fmt.Sprintf(`{"type":"hello","client_id":"c%d"}`, n))
		stream := <-e.broker.attached
		s := e.subscribe(c, 10)
		clients.Go(func() {
			for seq := range uint64(100) {
				stream.sink.Notification(&command.Notification{Seq: 6 + seq, Name: "n"}, false)
				s.sink.Job(&command.Job{Lease: leaseOf(1, seq+1), LeaseMS: 1000, Event: command.Event{Channel: "c"}})
			}
		})
		clients.Go(func() { c.askMany(n%2 == 0) })
	}
	clients.Wait()
	close(stop)
	<-answered
}

// askMany publishes a lot, with as many requests in flight as are allowed, and
// may leave without waiting for the last answers.
func (c *client) askMany(stay bool) {
	const count, window = 300, 32
	seen := make(map[any]bool)
	for id := range count {
		c.send(fmt.Sprintf(`{"type":"publish","id":%d,"channel":"q","data":1}`, id))
		for id-len(seen) >= window {
			if m := c.next(); m["type"] == "ok" {
				seen[m["id"]] = true
			}
		}
	}
	for stay && len(seen) < count {
		if m := c.next(); m["type"] == "ok" {
			seen[m["id"]] = true
		}
	}
	_ = c.conn.Close()
}

// TestIdleHoldsNoBuffer: on a plain socket the read is tried with a borrowed
// buffer, not waited for with one.
func TestIdleHoldsNoBuffer(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems may read another way")
	}
	e := newEdge(t)
	e.open(`{"type":"hello"}`)
	e.gateway.mu.Lock()
	defer e.gateway.mu.Unlock()
	for c := range e.gateway.connections {
		if _, buffered := c.in.(*bufferedReceiver); buffered {
			t.Fatal("the socket is read like any connection")
		}
	}
}

// FuzzSession: whatever a client sends, frames or messages, nothing panics, and
// what can be decoded is handled.
func FuzzSession(f *testing.F) {
	lease := hex.EncodeToString([]byte("no lease"))
	for _, message := range []string{
		`{"type":"publish","id":1,"channel":"c","headers":{"a":"b"},"data":{}}`,
		`{"type":"complete","id":1,"lease":"` + lease + `","emit":[{"channel":"c","data":1}],"notify":[{"name":"n","data":2}]}`,
		`{"type":"renew","leases":["x",{"lease":"y","checkpoint":1}]}`,
		`{"type":"subscribe","id":1,"channel":"c","credit":1}` + "\n" + `{"type":"bye"}`,
		`{"type":"cancel","id":1,"event_id":"0000000vvvvvvvvvvvvvvvvvvvvvv"}`,
		`{"type":"cancel","id":1,"correlation_id":"00000000000000000000000000000"}`,
		`{"type":"ack","seq":1}`,
	} {
		f.Add(ws.MustCompileFrame(ws.MaskFrameWith(ws.NewTextFrame([]byte(message)), [4]byte{1, 2, 3, 4})), []byte(message))
		f.Add([]byte{}, recode(f, wire.FromClient, wire.Binary, wire.JSON.On([]byte(message))))
	}
	broker := &heldBroker{fakeBroker: newFakeBroker()}
	g, _ := handConnection(f, broker, wire.JSON, sinkConn{})
	run := func(data []byte, encoding wire.Encoding) {
		c := newConnection(g, sinkConn{}, nil, encoding)
		c.identity = identity{tenant: "default"}
		c.phase.Store(int32(phaseOpen))
		for len(data) > 0 {
			bench := g.borrow()
			n := copy(bench.input[:], data)
			c.consume(bench, bench.input[:n])
			g.giveBack(bench)
			data = data[n:]
		}
		c.out.abandon()
		for len(broker.subscribed) > 0 {
			<-broker.subscribed
		}
		for len(broker.renewals) > 0 {
			<-broker.renewals
		}
	}
	f.Fuzz(func(_ *testing.T, stream, message []byte) {
		for _, encoding := range []wire.Encoding{wire.JSON, wire.Binary} {
			run(bytes.Clone(stream), encoding) // The parser unmasks where the bytes lie.
			run(masked(opcodeOf(encoding), true, string(message)), encoding)
		}
	})
}
