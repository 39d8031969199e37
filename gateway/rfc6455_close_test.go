package gateway

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
)

// TestClosing is family 7: the closing handshake as the client begins it.
func TestClosing(t *testing.T) {
	longest := strings.Repeat("r", maxCloseReason)
	cases := []wireCase{
		{name: "7.1.1 a message, then close", frames: [][]byte{text(small(1)), closing(1000, "")}, gets: []string{"pong 1"}, closes: 1000},
		{name: "7.1.2 close twice", frames: [][]byte{closing(1000, ""), closing(1001, "")}, closes: 1000},
		{name: "7.1.3 a ping behind close", frames: [][]byte{closing(1000, ""), ping("late")}, closes: 1000},
		{name: "7.1.4 a message behind close", frames: [][]byte{closing(1000, ""), text(small(1))}, closes: 1000},
		{name: "7.1.4 nonsense behind close", frames: [][]byte{closing(1000, ""), []byte("\xff\xff\xff\xff\xff")}, closes: 1000},
		{name: "7.1.5 close within a message", frames: [][]byte{fragments(small(1)[:4], "")[0], closing(1000, ""), fragments("", small(1)[4:])[1]}, closes: 1000},
		{name: "7.1.6 a long message, close, a ping", frames: [][]byte{text(echo(1, 256<<10)), closing(1000, ""), ping("late")}, gets: []string{"pong 1"}, closes: 1000},
		{name: "7.3.1 without a code", frames: [][]byte{closing(0, "")}, closes: -1},
		{name: "7.3.2 half a code", frames: [][]byte{closing(0, "\x03")}, closes: 4501},
		{name: "7.3.3 a code", frames: [][]byte{closing(1000, "")}, closes: 1000},
		{name: "7.3.4 with a reason", frames: [][]byte{closing(1000, "that is all")}, closes: 1000},
		{name: "7.3.5 the longest reason", frames: [][]byte{closing(1000, longest)}, closes: 1000},
		{name: "7.3.6 a reason that is too long", frames: [][]byte{closing(1000, longest+"r")}, closes: 4501},
		{name: "7.5.1 a reason that is no text", frames: [][]byte{closing(1000, "κόσμε\xed\xa0\x80")}, closes: 4501},
		{name: "7.5.1 a reason that ends within a character", frames: [][]byte{closing(1000, "\xe2\x82")}, closes: 4501},
		{name: "7.5.2 a reason of all lengths of characters", frames: [][]byte{closing(1000, "Aß水𝄞")}, closes: 1000},
		{name: "7.6 bye is answered by close", frames: [][]byte{text(`{"type":"bye"}`)}, closes: 1000},
		{name: "7.6 close behind a malformed message", frames: [][]byte{text(`{"type":`), closing(1000, "")}, gets: []string{"error bad_request"}, closes: 4501},
		{name: "7.6 close behind a bad frame", frames: [][]byte{text(small(1)), {0x83, 0x80, 0, 0, 0, 0}, closing(1000, "")}, gets: []string{"pong 1"}, closes: 4501},
	}
	for _, code := range []uint16{
		1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
		3000, 3001, 3999, 4000, 4029, 4501, 4999,
	} {
		cases = append(
			cases,
			wireCase{name: fmt.Sprint("7.7 code ", code), frames: [][]byte{closing(code, "")}, closes: int(code)},
			wireCase{name: fmt.Sprintf("7.7 code %d with a reason", code), frames: [][]byte{closing(code, "because")}, closes: int(code)},
		)
	}
	for _, code := range []uint16{1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 5999, 65535} {
		cases = append(
			cases,
			wireCase{name: fmt.Sprintf("7.9 code %d, which nobody may send", code), frames: [][]byte{closing(code, "")}, closes: 4501},
			wireCase{name: fmt.Sprintf("7.9 code %d, which nobody may send, with a reason", code), frames: [][]byte{closing(code, "because")}, closes: 4501},
		)
	}
	cases = append(cases, wireCase{name: "7.9 code 0", frames: [][]byte{closing(0, "\x00\x00")}, closes: 4501})
	runWire(t, newEdge(t), cases)
}

// TestCloseWithQueue: what was queued before a close frame is written before the answer,
// and nothing of what is queued behind.
func TestCloseWithQueue(t *testing.T) {
	e := newEdge(t)
	p := e.upgraded(t)
	p.send(text(`{"type":"hello","client_id":"ann"}`))
	p.expect("welcome")
	stream := <-e.broker.attached
	const count = 500
	payload := command.Payload{Codec: command.CodecJSON, Bytes: []byte(`"` + strings.Repeat("x", 10000) + `"`)}
	for seq := range uint64(count) {
		stream.sink.Notification(&command.Notification{Seq: 6 + seq, Name: "n", Payload: payload}, false)
	}
	p.send(join(text(small(1)), closing(1001, "leaving"), text(small(2))))
	<-stream.closing(p, count)
	stream.sink.Notification(&command.Notification{Seq: 6 + count, Name: "n", Payload: payload}, false)
	p.expectEnd()
}

// closing reads so many notifications, the pong and the close frame.
func (s *fakeStream) closing(p *rawPeer, count int) <-chan struct{} {
	p.t.Helper()
	notified, pong := 0, false
	for {
		switch got := p.next(); got {
		case "notify":
			notified++
		case "pong 1":
			pong = true
		case "CLOSE 1001":
			if notified != count || !pong {
				p.t.Fatalf("%d of %d notifications come before the close frame, and the pong: %v", notified, count, pong)
			}
			return s.closed
		default:
			p.t.Fatalf("got %.100q", got)
		}
	}
}

// TestServerCloses: the gateway begins, and takes what still comes until the client
// has answered with whatever close frame; where frames cannot be told apart any more,
// and where none comes, until it hangs up.
func TestServerCloses(t *testing.T) {
	for _, answer := range []struct {
		name    string
		sends   [][]byte
		hangsUp bool
	}{
		{"with the same code", [][]byte{closing(4501, "")}, false},
		{"with another code", [][]byte{closing(1000, "")}, false},
		{"with no code", [][]byte{closing(0, "")}, false},
		{"with a bad code", [][]byte{closing(1006, "")}, false},
		{"after more messages", [][]byte{text(small(1)), ping("x"), closing(4501, "")}, false},
		{"within a message", [][]byte{masked(ws.OpText, false, "{"), closing(4501, "")}, false},
		{"with nonsense", [][]byte{[]byte("\xff\xff\xff")}, true},
		{"by hanging up", nil, true},
	} {
		t.Run(answer.name, func(t *testing.T) {
			// Nothing here is over because of the time.
			e := newEdge(t, func(c *Config) { c.Limits.CloseTimeout = time.Hour })
			p := e.upgraded(t)
			p.send(text(`{"type":"hello","client_id":"ann"}`))
			p.expect("welcome")
			stream := <-e.broker.attached
			p.send(text("no JSON"))
			p.expect("error bad_request")
			if got := p.next(); !strings.HasPrefix(got, "CLOSE 4501 ") {
				t.Fatalf("got %q", got)
			}
			p.send(join(answer.sends...))
			if answer.hangsUp {
				_ = p.conn.Close()
			}
			select {
			case <-stream.closed:
			case <-time.After(wirePatience):
				t.Fatal("the gateway waits for more")
			}
			if !answer.hangsUp {
				p.expectEnd()
			}
		})
	}
}
