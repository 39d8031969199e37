package client

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// hearing listens for a client in the background and writes down what comes.
func hearing(c *Client, o ListenForOptions, handler func(*Notification) error) *listener {
	l := &listener{result: make(chan error, 1)}
	o.OnGap = func(g Gap) { l.note(fmt.Sprintf("gap %d-%d %s", g.From, g.To, g.Reason)) }
	o.OnSynced = func(seq uint64) { l.note(fmt.Sprintf("synced %d", seq)) }
	go func() {
		l.result <- c.ListenFor(context.Background(), o, func(_ context.Context, n *Notification) error {
			l.note(fmt.Sprintf("%s %d", n.ClientID, n.Seq))
			return handler(n)
		})
	}()
	return l
}

func fine(*Notification) error { return nil }

// listens answers a listen under a subscription of that name.
func (c *fakeConn) listens(subscription string) wire.Listen {
	c.t.Helper()
	m := c.expect(wire.TypeListen).Listen
	c.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, Subscription: []byte(subscription), Epoch: []byte("x1"), Seq: 9, Oldest: 1}})
	return m
}

// hears sends notifications of a subscription.
func (c *fakeConn) hears(subscription, client string, seqs ...uint64) {
	c.t.Helper()
	for _, seq := range seqs {
		c.send(&wire.Message{Type: wire.TypeNotify, Notify: wire.Notify{
			Subscription: []byte(subscription), ClientID: []byte(client), Seq: seq, Name: []byte("n"), Payload: jsonOf("1"),
		}})
	}
}

func jsonOf(text string) wire.Payload {
	return wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte(text)}
}

// TestListenForInOrderAcrossReconnects: several clients on one socket; a lost socket is
// invisible to the handlers, nothing is missing, nothing comes twice.
func TestListenForInOrderAcrossReconnects(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	ana := hearing(c, ListenForOptions{ClientID: "ana", DeviceID: "web", Window: 5}, fine)
	if m := conn.listens("s1"); string(m.ClientID) != "ana" || string(m.DeviceID) != "web" || m.Window != 5 || m.Resume.Kind != wire.ResumeStored {
		t.Errorf("listen %+v", m)
	}
	ben := hearing(c, ListenForOptions{ClientID: "ben", Resume: ResumeLive()}, fine)
	if m := conn.listens("s2"); m.Resume.Kind != wire.ResumeLive {
		t.Errorf("listen %+v", m)
	}
	conn.hears("s1", "ana", 1, 2)
	conn.hears("s2", "ben", 10)
	conn.hears("s3", "nobody", 1)
	acked := map[string]uint64{}
	for acked["s1"] < 2 || acked["s2"] < 10 {
		m := conn.expect(wire.TypeAck).Ack
		acked[string(m.Subscription)] = m.Seq
	}
	conn.cut()
	conn = n.greet()
	for range 2 {
		m := conn.expect(wire.TypeListen).Listen
		want := map[string]uint64{"ana": 2, "ben": 10}[string(m.ClientID)]
		if m.Resume.Kind != wire.ResumeAfter || string(m.Resume.Epoch) != "x1" || m.Resume.Seq != want {
			t.Errorf("listen for %s resumes at %+v, want %d", m.ClientID, m.Resume, want)
		}
		conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, Subscription: append([]byte("again-"), m.ClientID...), Epoch: []byte("x1")}})
	}
	conn.hears("s1", "ana", 3) // Of the socket before.
	conn.hears("again-ana", "ana", 2, 3)
	conn.send(&wire.Message{Type: wire.TypeSynced, Synced: wire.Synced{Subscription: []byte("again-ana"), Seq: 3}})
	conn.send(&wire.Message{Type: wire.TypeGap, Gap: wire.Gap{Subscription: []byte("again-ben"), From: 11, To: 12}})
	conn.hears("again-ben", "ben", 13)
	ana.saw(t, "ana 1", "ana 2", "ana 3", "synced 3")
	ben.saw(t, "ben 10", "gap 11-12 trimmed", "ben 13")
}

// TestListenForEnds: with what the handler returned, what it refused comes again to the
// next; with the node's refusal; with the Client.
func TestListenForEnds(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	broken := errors.New("no")
	l := hearing(c, ListenForOptions{ClientID: "ana"}, func(n *Notification) error {
		if n.Seq == 2 {
			return broken
		}
		return nil
	})
	conn.listens("s1")
	conn.hears("s1", "ana", 1, 2, 3)
	if err := <-l.result; !errors.Is(err, broken) {
		t.Errorf("it ended with %v", err)
	}
	if m := conn.expect(wire.TypeAck).Ack; m.Seq != 1 {
		t.Errorf("acknowledged up to %d", m.Seq)
	}
	conn.expect(wire.TypeUnlisten)
	l = hearing(c, ListenForOptions{ClientID: "ana"}, func(*Notification) error { return ErrStop })
	conn.listens("s2")
	conn.hears("s2", "ana", 2)
	if err := <-l.result; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if m := conn.expect(wire.TypeAck).Ack; m.Seq != 2 || string(m.Subscription) != "s2" {
		t.Errorf("acknowledged %+v", m)
	}
	conn.expect(wire.TypeUnlisten)
	l = hearing(c, ListenForOptions{ClientID: "ben"}, fine)
	refused := conn.expect(wire.TypeListen).Listen
	e := wire.NewError(wire.ReasonForbidden, "not yours")
	e.ID, e.HasID = refused.ID, true
	conn.send(&wire.Message{Type: wire.TypeError, Error: e})
	var answer *Error
	if err := <-l.result; !errors.As(err, &answer) || answer.Reason != "forbidden" {
		t.Errorf("it ended with %v", err)
	}
	if err := c.ListenFor(t.Context(), ListenForOptions{}, nil); err == nil {
		t.Error("nobody was listened for")
	}
	l = hearing(c, ListenForOptions{ClientID: "cyd"}, fine)
	conn.listens("s4")
	go func() { _ = c.Close() }()
	if err := <-l.result; !errors.Is(err, ErrClosed) {
		t.Errorf("it ended with %v", err)
	}
}

// TestListensHaveTurns: a backend with many clients asks a node for few of them at a
// time, and for the next when one is answered, refused or given up.
func TestListensHaveTurns(t *testing.T) {
	n := newFakeNode(t)
	n.welcome.Limits.MaxInFlight = 4
	c, conn := dial(t, n, Options{})
	const many = 9
	for i := range many {
		hearing(c, ListenForOptions{ClientID: fmt.Sprint("c", i)}, fine)
	}
	asked := []wire.Listen{conn.expect(wire.TypeListen).Listen, conn.expect(wire.TypeListen).Listen}
	for got := 2; got < many; got++ {
		// A ping is answered before the next listen is asked for: there are two out.
		conn.send(&wire.Message{Type: wire.TypePing, Ping: wire.Ping{Time: int64(got)}})
		conn.expect(wire.TypePong)
		ok := wire.OK{ID: asked[0].ID, Subscription: append([]byte("s"), asked[0].ClientID...), Epoch: []byte("x1")}
		asked = append(asked[1:], wire.Listen{})
		conn.send(&wire.Message{Type: wire.TypeOK, OK: ok})
		asked[len(asked)-1] = conn.expect(wire.TypeListen).Listen
	}
}

// TestBroadcast: it is sent again until it is answered, with one idempotency key.
func TestBroadcast(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	type outcome struct {
		receipt Receipt
		err     error
	}
	result := make(chan outcome, 1)
	go func() {
		receipt, err := c.Broadcast(t.Context(), Broadcast{ClientIDs: []string{"ana", "ben"}, Name: "news", Data: 1})
		result <- outcome{receipt, err}
	}()
	first := conn.expect(wire.TypeBroadcast).Broadcast
	if len(first.ClientIDs) != 2 || string(first.ClientIDs[1]) != "ben" || string(first.Name) != "news" || string(first.Payload.Bytes) != "1" {
		t.Errorf("sent %+v", first)
	}
	conn.cut()
	conn = n.greet()
	again := conn.expect(wire.TypeBroadcast).Broadcast
	if len(first.IdempotencyKey) == 0 || string(again.IdempotencyKey) != string(first.IdempotencyKey) {
		t.Errorf("keys %q and %q", first.IdempotencyKey, again.IdempotencyKey)
	}
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: again.ID, EventID: []byte("e"), CorrelationID: []byte("c"), Duplicate: true}})
	if got := <-result; got.err != nil || got.receipt != (Receipt{EventID: "e", CorrelationID: "c", Duplicate: true}) {
		t.Errorf("%+v", got)
	}
	if _, err := c.Broadcast(t.Context(), Broadcast{ClientIDs: make([]string, MaxBroadcastClients+1), Name: "n"}); err == nil {
		t.Error("too many clients are taken")
	}
}
