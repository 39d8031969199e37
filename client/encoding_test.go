package client

import (
	"sync/atomic"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// The client speaks what it asks for, and says its hello in it.
func TestEncodingIsNegotiated(t *testing.T) {
	n := newFakeNode(t)
	_, conn := dial(t, n, Options{Encoding: Binary, Name: "me"})
	if conn.encoding != wire.Binary || string(conn.hello.Name) != "me" {
		t.Errorf("encoding %v, hello of %q", conn.encoding, conn.hello.Name)
	}
	if _, err := Dial(t.Context(), Options{Nodes: []string{n.url()}, Encoding: 7}); err == nil {
		t.Error("an encoding that there is not")
	}
}

// A node that does not speak binary is spoken to in JSON. What waits for an answer
// while the client goes from one kind of node to the other is written anew.
func TestNodeWithoutBinary(t *testing.T) {
	n := newFakeNode(t)
	var binary atomic.Bool
	binary.Store(true)
	n.speaks = func(protocol string) bool { return binary.Load() || protocol == wire.JSON.Protocol() }
	c, conn := dial(t, n, Options{Encoding: Binary})
	published := publishing(t.Context(), c, Event{Channel: "a", Data: []byte("\x00\xff"), Headers: map[string]string{"h": "v"}})
	first := conn.expect(wire.TypePublish).Publish
	for i, want := range []wire.Encoding{wire.JSON, wire.Binary, wire.JSON} {
		binary.Store(want == wire.Binary)
		conn.cut()
		conn = n.greet()
		again := conn.expect(wire.TypePublish).Publish
		if conn.encoding != want || again.ID != first.ID || string(again.IdempotencyKey) != string(first.IdempotencyKey) ||
			string(again.Payload.Bytes) != "\x00\xff" || again.Payload.Kind != wire.PayloadBytes || len(again.Headers) != 1 {
			t.Fatalf("connection %d is %v, and sends %+v", i, conn.encoding, again)
		}
	}
	conn.ok(first.ID, "e1")
	if got := <-published; got.err != nil || got.receipt.EventID != "e1" {
		t.Errorf("got %+v", got)
	}
}

// What the next node's encoding cannot say ends as it would at the node.
func TestRecodeRefuses(t *testing.T) {
	m := wire.Publish{ID: 1, EventFields: wire.EventFields{Channel: []byte("no name!"), Payload: wire.Payload{Bytes: []byte("1"), Kind: wire.PayloadJSON}}}
	_, err := recode(wire.AppendPublish(wire.JSON.On(nil), &m), wire.Binary.On(nil))
	if err == nil || err.Error() != refuse(wire.ReasonBadRequest, "channel must be 1 to 255 of A-Z a-z 0-9 . _ -").Error() {
		t.Error(err)
	}
}

// A request that is bound to its socket is written for that one, also where the
// socket changed since it was encoded.
func TestBoundRequestFitsItsSession(t *testing.T) {
	f, s := newFlight(), &session{out: newOutbox(wire.JSON), maxInFlight: 1, maxMessage: 1 << 10}
	f.attach(s)
	follow := wire.AppendFollow(wire.Binary.On(nil), &wire.Follow{ID: 1, Channel: []byte("a")})
	f.submit(&request{id: 1, bound: true, encoded: follow, done: func(a answer) { t.Errorf("ended with %v", a.err) }})
	if got, want := string(s.out.messages), `{"type":"follow","id":1,"channel":"a"}`; got != want {
		t.Errorf("sent %q, want %q", got, want)
	}
}
