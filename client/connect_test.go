package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// Every spelling of a node means the same socket and the same web address.
func TestNodeURLs(t *testing.T) {
	for _, text := range []string{
		"http://h:7700", "http://h:7700/", "ws://h:7700/ws", "ws://h:7700", "h:7700", " http://h:7700/ws/ ", "http://h:7700/ws",
	} {
		socket, err := socketURL(text)
		if err != nil || socket != "ws://h:7700/ws" {
			t.Errorf("%q: %q, %v", text, socket, err)
		}
		web, err := webURL(text)
		if err != nil || web != "http://h:7700" {
			t.Errorf("%q: %q, %v", text, web, err)
		}
	}
	if got, _ := socketURL("https://h/baton"); got != "wss://h/baton/ws" {
		t.Errorf("got %q", got)
	}
	for _, text := range []string{"ftp://h", "http://", "", "http://[::1"} {
		if got, err := socketURL(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// One node of several is enough.
func TestDialTriesEveryNode(t *testing.T) {
	n := newFakeNode(t)
	connected := dialing(t, Options{Nodes: []string{deadAddress(t), deadAddress(t), n.url()}, InOrder: true, Token: "t", Name: "me"})
	conn := n.greet()
	c := <-connected
	defer func() { _ = c.Close() }()
	if string(conn.hello.Token) != "t" || string(conn.hello.Name) != "me" || len(conn.hello.ClientID) != 0 {
		t.Errorf("hello %+v", conn.hello)
	}
	if c.Node() != "fake" {
		t.Errorf("node %q", c.Node())
	}
}

// Dial ends with its attempts or its context, and names the nodes.
func TestDialGivesUp(t *testing.T) {
	_, err := Dial(t.Context(), Options{Nodes: []string{deadAddress(t)}, ConnectAttempts: 3, MinBackoff: time.Millisecond})
	unreachable, ok := errors.AsType[*ConnectError](err)
	if !ok || len(unreachable.Nodes) != 1 {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = Dial(ctx, Options{Nodes: []string{deadAddress(t)}, MinBackoff: time.Millisecond})
	if _, ok = errors.AsType[*ConnectError](err); !ok {
		t.Errorf("got %v", err)
	}
}

// A node that has no leader is asked again, as are the others; that one was
// reached is what Dial says in the end.
func TestDialTellsWhatNodesAnswered(t *testing.T) {
	n := newFakeNode(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		_, err := Dial(ctx, Options{
			Nodes: []string{n.url(), deadAddress(t)}, InOrder: true, ClientID: "ana",
			MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
		})
		result <- err
	}()
	for range 2 {
		conn := n.accept()
		conn.send(&wire.Message{Type: wire.TypeError, Error: wire.NewError(wire.ReasonNoLeader, "no majority")})
		conn.close(wire.CloseNotReady)
	}
	n.accept() // And this one is not answered.
	cancel()
	err := <-result
	failed, ok := errors.AsType[*ConnectError](err)
	if !ok || failed.Refuser != strings.Replace(n.url(), "http", "ws", 1)+"/ws" || !failed.Refusal.Retryable || failed.Refusal.Code != 503 {
		t.Fatalf("got %+v", err)
	}
	if !errors.Is(err, ErrNoLeader) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no_leader (503): no majority") {
		t.Errorf("got %v", err)
	}
}

// A node without a leader is left for one that has one.
func TestDialLeavesNodeWithoutLeader(t *testing.T) {
	lonely, n := newFakeNode(t), newFakeNode(t)
	connected := dialing(t, Options{Nodes: []string{lonely.url(), n.url()}, InOrder: true, ClientID: "ana"})
	conn := lonely.accept()
	conn.send(&wire.Message{Type: wire.TypeError, Error: wire.NewError(wire.ReasonNoLeader, "no majority")})
	conn.close(wire.CloseNotReady)
	n.greet()
	c := <-connected
	n.cutAll() // Else the client waits for an answer to its close frame.
	_ = c.Close()
}

// deadAddress is one where nobody listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// A close code from 4500 on ends the client, with the refusal before it.
func TestFinalCloseCodes(t *testing.T) {
	n := newFakeNode(t)
	result := make(chan error, 1)
	go func() {
		_, err := Dial(context.Background(), Options{Nodes: []string{n.url()}})
		result <- err
	}()
	conn := n.accept()
	e := wire.NewError(wire.ReasonUnauthenticated, "no token")
	conn.send(&wire.Message{Type: wire.TypeError, Error: e})
	conn.close(wire.CloseUnauthenticated)
	err := <-result
	rejected, ok := errors.AsType[*RejectedError](err)
	if !ok || rejected.Code != 4500 || !errors.Is(err, ErrUnauthenticated) {
		t.Errorf("got %v", err)
	}

	c, conn := dial(t, n, Options{})
	open := publishing(t.Context(), c, Event{Channel: "a"})
	conn.expect(wire.TypePublish)
	conn.close(wire.CloseForbidden)
	if got := <-open; got.err == nil {
		t.Error("published")
	}
	<-c.Done()
	if rejected, ok = errors.AsType[*RejectedError](c.Err()); !ok || rejected.Code != 4503 {
		t.Errorf("got %v", c.Err())
	}
}

// Every other close code means to connect again.
func TestReconnectsAfterOtherCloseCodes(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	for _, code := range []wire.CloseCode{wire.CloseShutdown, wire.CloseDrain, wire.CloseNotReady, wire.CloseWriteStall, wire.CloseAbuse, wire.CloseCode(ws.StatusGoingAway)} {
		conn.close(code)
		conn = n.greet()
	}
	if c.Err() != nil {
		t.Error(c.Err())
	}
}

// A drained node sends its clients to nodes they learned of, after a pause.
func TestByeSendsElsewhere(t *testing.T) {
	first, second := newFakeNode(t), newFakeNode(t)
	first.welcome.Nodes = [][]byte{[]byte(second.url())}
	c, conn := dial(t, first, Options{})
	begin := time.Now()
	conn.send(&wire.Message{Type: wire.TypeBye, Bye: wire.Bye{Reason: []byte("drain"), Reconnect: true, AfterMs: 50}})
	conn.close(wire.CloseDrain)
	second.greet() // learned from the first one's welcome
	if waited := time.Since(begin); waited < 50*time.Millisecond {
		t.Errorf("came after %v", waited)
	}
	if c.Err() != nil {
		t.Error(c.Err())
	}
}

// A node without a place says bye instead of welcome: the client comes back when that
// says, elsewhere if it can.
func TestByeBeforeWelcome(t *testing.T) {
	for _, code := range []wire.CloseCode{wire.CloseAbuse, wire.CloseShutdown} {
		full, n := newFakeNode(t), newFakeNode(t)
		connected := dialing(t, Options{Nodes: []string{full.url(), n.url()}, InOrder: true})
		conn := full.accept()
		begin := time.Now()
		conn.send(&wire.Message{Type: wire.TypeBye, Bye: wire.Bye{Reason: []byte("limit"), Reconnect: true, AfterMs: 80}})
		conn.close(code)
		n.greet()
		if waited := time.Since(begin); waited < 80*time.Millisecond {
			t.Errorf("after close code %d it came back after %v", code, waited)
		}
		c := <-connected
		n.cutAll() // Else the client waits for an answer to its close frame.
		_ = c.Close()
	}
}

// A bye for good instead of a welcome is a refusal.
func TestByeForGoodBeforeWelcome(t *testing.T) {
	n := newFakeNode(t)
	result := make(chan error, 1)
	go func() {
		_, err := Dial(context.Background(), Options{Nodes: []string{n.url()}})
		result <- err
	}()
	conn := n.accept()
	conn.send(&wire.Message{Type: wire.TypeBye, Bye: wire.Bye{Reason: []byte("revoked")}})
	conn.close(wire.CloseShutdown)
	err := <-result
	if rejected, ok := errors.AsType[*RejectedError](err); !ok || rejected.Reason != "revoked" {
		t.Errorf("got %v", err)
	}
}

// Behind a load balancer the nodes' own addresses are of no use.
func TestGivenOnly(t *testing.T) {
	first, second := newFakeNode(t), newFakeNode(t)
	first.welcome.Nodes = [][]byte{[]byte(second.url())}
	_, conn := dial(t, first, Options{GivenOnly: true})
	for range 3 {
		conn.cut()
		conn = first.greet()
	}
}

// A bye without reconnect ends the client.
func TestByeForGood(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	conn.send(&wire.Message{Type: wire.TypeBye, Bye: wire.Bye{Reason: []byte("revoked")}})
	conn.close(wire.CloseShutdown)
	<-c.Done()
	if rejected, ok := errors.AsType[*RejectedError](c.Err()); !ok || rejected.Reason != "revoked" {
		t.Errorf("got %v", c.Err())
	}
}

// A node that hangs with its socket open is left for another.
func TestSilentNodeIsLeft(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{ProbeInterval: 20 * time.Millisecond})
	open := publishing(t.Context(), c, Event{Channel: "a"})
	conn.expect(wire.TypePublish)
	if m := conn.read(); m.Type != wire.TypePing {
		t.Errorf("got %v, want a ping", m.Type)
	}
	next := n.greet() // without an answer
	next.ok(next.expect(wire.TypePublish).Publish.ID, "e")
	if got := <-open; got.err != nil {
		t.Error(got.err)
	}
	// An idle client asks too, later.
	if m := next.read(); m.Type != wire.TypePing {
		t.Errorf("got %v, want a ping", m.Type)
	}
	n.greet()
}

// The node's own probes are answered.
func TestPingFramesAreAnswered(t *testing.T) {
	n := newFakeNode(t)
	_, conn := dial(t, n, Options{})
	if err := ws.WriteFrame(conn.conn, ws.NewPingFrame([]byte("alive?"))); err != nil {
		t.Fatal(err)
	}
	header, err := ws.ReadHeader(conn.in)
	if err != nil || header.OpCode != ws.OpPong || header.Length != 6 {
		t.Errorf("header %+v, %v", header, err)
	}
}

// Frames are no messages: a message may have several, a frame too.
func TestFragmentedAndJoinedMessages(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	first := publishing(t.Context(), c, Event{Channel: "a"})
	one := conn.expect(wire.TypePublish).Publish
	second := publishing(t.Context(), c, Event{Channel: "a"})
	two := conn.expect(wire.TypePublish).Publish
	buf := wire.AppendOK(conn.encoding.On(nil), &wire.OK{ID: one.ID, EventID: []byte("e1"), CorrelationID: []byte("e1")})
	if conn.encoding == wire.JSON {
		buf.Bytes = append(buf.Bytes, '\n')
	}
	both := wire.AppendOK(buf, &wire.OK{ID: two.ID, EventID: []byte("e2"), CorrelationID: []byte("e2")}).Bytes
	for _, f := range []ws.Frame{
		ws.NewFrame(opcodeOf(conn.encoding), false, both[:20]),
		ws.NewPingFrame(nil), // may stand between
		ws.NewFrame(ws.OpContinuation, false, both[20:50]),
		ws.NewFrame(ws.OpContinuation, true, both[50:]),
	} {
		if err := ws.WriteFrame(conn.conn, f); err != nil {
			t.Fatal(err)
		}
	}
	if a, b := <-first, <-second; a.err != nil || b.err != nil || a.receipt.EventID != "e1" || b.receipt.EventID != "e2" {
		t.Errorf("got %+v, %+v", a, b)
	}
}
