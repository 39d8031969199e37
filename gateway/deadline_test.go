package gateway

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// took runs fn and checks how long it took of the bubble's time: a deadline
// may be late by a tick of the wheel, or by its longest check.
func took(t *testing.T, want, late time.Duration, fn func()) {
	t.Helper()
	start := time.Now()
	fn()
	if elapsed := time.Since(start); elapsed < want || elapsed > want+late {
		t.Fatalf("it took %v, want %v to %v", elapsed, want, want+late)
	}
}

// TestHelloTimeout: silence instead of hello.
func TestHelloTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connect()
		took(t, 10*time.Second, 2*wheelTick, func() { c.expectClose(4502) })
	})
}

// TestAttachTimeout: a stream that never comes is refused with the reason, well
// before clients give up.
func TestAttachTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		e.broker.holdAttach = true
		c := e.connect()
		c.send(`{"type":"hello","client_id":"ann"}`)
		took(t, 5*time.Second, 2*wheelTick, func() {
			m := c.expectError(503, "no_leader")
			has(t, m, "retryable", true)
			has(t, m, "retry_after_ms", 500.0)
			c.expectClose(4002)
		})
		<-(<-e.broker.attached).closed
	})
}

// TestPingThenSilence: the silent are probed, then closed.
func TestPingThenSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connect()
		c.mute = true
		c.send(`{"type":"hello"}`)
		c.expect("welcome")
		start := time.Now()
		took(t, 25*time.Second, longestCheck, func() { <-c.pings })
		c.expectClose(4004)
		if elapsed := time.Since(start); elapsed < 60*time.Second || elapsed > 60*time.Second+longestCheck {
			t.Fatalf("closed after %v", elapsed)
		}
	})
}

// TestPongIsLife: who answers probes stays.
func TestPongIsLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.open(`{"type":"hello"}`)
		time.Sleep(10 * time.Minute) // of the bubble's clock
		if n := len(c.pings); n < 20 || n > 24 {
			t.Fatalf("%d pings in ten minutes", n)
		}
		c.alive()
		_ = c.conn.Close()
	})
}

// TestSlowFrame: one byte per second ends, and holds nobody up.
func TestSlowFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		slow, other := e.openText(`{"type":"hello"}`), e.open(`{"type":"hello"}`)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for _, b := range masked(ws.OpText, true, `{"type":"publish","id":1,"channel":"c","data":"`+string(make([]byte, 500))+`"}`) {
				if _, err := slow.conn.Write([]byte{b}); err != nil {
					break
				}
				time.Sleep(time.Second)
			}
		}()
		took(t, 60*time.Second, longestCheck, func() { slow.expectClose(4004) })
		<-ended
		other.alive()
		_ = other.conn.Close()
	})
}

// TestWriteStall: a client that reads nothing is cut once a write stands for too
// long, and until then is not read beyond what its answers leave room for.
func TestWriteStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connectDeaf()
		c.send(`{"type":"hello"}`)
		done := make(chan time.Duration)
		start := time.Now()
		go func() {
			refused := recode(t, wire.FromClient, c.encoding, wire.JSON.On([]byte(`{"type":"park","id":1,"lease":"no"}`)))
			message := ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(opcodeOf(c.encoding), true, refused)))
			for {
				if _, err := c.conn.Write(message); err != nil {
					done <- time.Since(start)
					return
				}
			}
		}()
		synctest.Wait()
		if held := e.heldBytes(); held > 300<<10 {
			t.Fatalf("%d bytes are held for a client that reads nothing", held)
		}
		if elapsed := <-done; elapsed < 30*time.Second || elapsed > 30*time.Second+longestCheck {
			t.Fatalf("cut after %v", elapsed)
		}
	})
}

// heldBytes is what waits to be written, on all connections.
func (e *edge) heldBytes() (total int) {
	e.gateway.mu.Lock()
	defer e.gateway.mu.Unlock()
	for c := range e.gateway.connections {
		c.out.mu.Lock()
		total += c.out.backlog()
		c.out.mu.Unlock()
	}
	return total
}

// TestBackpressure: a client that reads again gets everything it is owed, in order.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connectDeaf()
		c.send(`{"type":"hello"}`)
		const count = 20000
		sent := make(chan struct{})
		go func() {
			for i := range count {
				c.send(fmt.Sprintf(`{"type":"ping","time":%d}`, i+1))
			}
			close(sent)
		}()
		synctest.Wait()
		select {
		case <-sent:
			t.Fatal("everything was read, though nothing is taken")
		default:
		}
		go c.read()
		c.expect("welcome")
		for i := range count {
			has(t, c.expect("pong"), "time", float64(i+1))
		}
		<-sent
		_ = c.conn.Close()
	})
}

// TestTooMuchOwed: what comes unasked has a bound too.
func TestTooMuchOwed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t, func(c *Config) { c.Limits.MaxOutgoingBytes = 1 << 20 })
		c := e.connectDeaf()
		c.send(`{"type":"hello","client_id":"ann"}`)
		stream := <-e.broker.attached
		data := command.Payload{Codec: command.CodecBytes, Bytes: make([]byte, 64<<10)}
		for seq := range uint64(40) {
			stream.sink.Notification(&command.Notification{Seq: 6 + seq, Name: "n", Payload: data}, false)
			if held := e.heldBytes(); held > 2<<20 {
				t.Fatalf("%d bytes are held", held)
			}
		}
		<-stream.closed
	})
}

// TestAbuse: impatience is borne, abuse is not.
func TestAbuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t, func(c *Config) { c.Limits.MaxInFlight = 2 })
		e.broker.hold = true
		c := e.open(`{"type":"hello"}`)
		abuse := func(perSecond int) {
			for range perSecond {
				c.send(`{"type":"publish","id":1,"channel":"c","data":1}`)
			}
			time.Sleep(time.Second)
		}
		for range 30 { // Impatient, no more.
			abuse(30)
		}
		c.alive()
		for range 15 {
			abuse(60)
		}
		c.expectClose(4029)
	})
}

// TestCheckpoints: the latest is replicated, every two seconds or before the job goes on.
func TestCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.open(`{"type":"hello"}`)
		s := e.subscribe(c, 1)
		token := e.push(c, s, leaseOf(3, 1))
		renew := func(checkpoint int) {
			c.send(fmt.Sprintf(`{"type":"renew","leases":[{"lease":%q,"checkpoint":{"n":%d}}]}`, token, checkpoint))
			c.expect("renewed")
		}
		expect := func(want string) {
			t.Helper()
			sub := e.submission()
			var checkpoint command.Checkpoint
			checkpoint.Decode(sub.reader())
			if sub.prefix.Kind != command.KindCheckpoint || string(checkpoint.Data) != want || checkpoint.Lease != leaseOf(3, 1) {
				t.Fatalf("got %v %s, want %s", sub.prefix.Kind, checkpoint.Data, want)
			}
		}
		renew(1)
		expect(`{"n":1}`)
		start := time.Now()
		for n := 2; n < 10; n++ { // The last one counts, once it is due.
			renew(n)
		}
		expect(`{"n":9}`)
		if elapsed := time.Since(start); elapsed < 2*time.Second || elapsed > 2*time.Second+longestCheck {
			t.Fatalf("replicated after %v", elapsed)
		}
		renew(10) // Not due, but another attempt follows.
		c.send(fmt.Sprintf(`{"type":"fail","id":6,"lease":%q,"error":{"code":"x","message":"y"}}`, token))
		c.expect("ok")
		expect(`{"n":10}`)
		if sub := e.submission(); sub.prefix.Kind != command.KindFail {
			t.Fatalf("got %v", sub.prefix.Kind)
		}
		_ = c.conn.Close()
	})
}

// TestForgottenJobs: jobs that the worker says nothing of any more are forgotten.
func TestForgottenJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.open(`{"type":"hello"}`)
		s := e.subscribe(c, 1)
		e.push(c, s, leaseOf(3, 1))
		time.Sleep(5 * time.Minute)
		c.send(`{"type":"bye"}`)
		c.expectClose(1000)
		if len(e.broker.submissions) != 0 {
			t.Fatal("a lease that is long over was released")
		}
	})
}
