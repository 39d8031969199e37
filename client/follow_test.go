package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// reading follows in the background and writes down what comes.
type reading struct {
	*listener

	mu     sync.Mutex
	events []*FollowedEvent
}

func following(ctx context.Context, c *Client, o FollowOptions, handler func(*FollowedEvent) error) *reading {
	r := &reading{listener: &listener{result: make(chan error, 1)}}
	o.Channel = "work"
	o.OnGap = func() { r.note("gap") }
	o.OnBegin = func(cursor string) { r.note("begin " + cursor) }
	go func() {
		r.result <- c.Follow(ctx, o, func(_ context.Context, e *FollowedEvent) error {
			r.mu.Lock()
			r.events = append(r.events, e)
			r.mu.Unlock()
			r.note(e.EventID)
			if handler != nil {
				return handler(e)
			}
			return nil
		})
	}()
	return r
}

// followed reads a follow and answers it.
func (c *fakeConn) followed(subscription, cursor string) wire.Follow {
	c.t.Helper()
	m := c.expect(wire.TypeFollow).Follow
	c.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, Subscription: []byte(subscription), Cursor: []byte(cursor)}})
	return m
}

// events sends events, each with the cursor k and its id.
func (c *fakeConn) events(subscription string, ids ...string) {
	c.t.Helper()
	for _, id := range ids {
		c.send(&wire.Message{Type: wire.TypeEvent, Event: wire.Event{
			Subscription: []byte(subscription), Cursor: []byte("k" + id), EventID: []byte(id), ClientID: []byte("ana"), Tenant: []byte("t"), Time: 7,
			EventFields: wire.EventFields{
				Channel: []byte("work"), Key: []byte("key"), CorrelationID: []byte("co"), CausationID: []byte("ca"), DeliverAt: 9, TTLMs: 1000,
				ClientSeq: 3, Headers: []wire.Header{{Name: []byte("h"), Value: []byte("v")}}, ContentType: []byte("x"), IdempotencyKey: []byte("i"),
				Payload: wire.Payload{Bytes: []byte(`"hi"`), Kind: wire.PayloadJSON},
			},
		}})
	}
}

// committed reads commits until one is of this cursor.
func (c *fakeConn) committed(subscription, cursor string) {
	c.t.Helper()
	for {
		m := c.expect(wire.TypeCommit).Commit
		if string(m.Subscription) != subscription {
			c.t.Fatalf("committed %+v, not in %s", m, subscription)
		}
		if string(m.Cursor) == cursor {
			return
		}
	}
}

// left reads the end of a subscription and answers it.
func (c *fakeConn) left(subscription string) {
	c.t.Helper()
	m := c.expect(wire.TypeUnsubscribe).Unsubscribe
	if string(m.Subscription) != subscription {
		c.t.Fatalf("ended %+v, not %s", m, subscription)
	}
	c.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID}})
}

// What a follower is given is what was sent, and where it begins what it asked for.
func TestFollow(t *testing.T) {
	for name, test := range map[string]struct {
		options FollowOptions
		want    wire.From
	}{
		"default":  {FollowOptions{}, wire.From{}},
		"new":      {FollowOptions{From: FromNew}, wire.From{Kind: wire.FromNew}},
		"earliest": {FollowOptions{From: FromEarliest, Window: 9}, wire.From{Kind: wire.FromEarliest}},
		"cursor":   {FollowOptions{Cursor: "c", Name: "audit"}, wire.From{Kind: wire.FromCursor, Cursor: []byte("c")}},
		"time":     {FollowOptions{Since: time.UnixMilli(77)}, wire.From{Kind: wire.FromTime, Time: 77}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNode(t)
			c, conn := dial(t, n, Options{})
			r := following(t.Context(), c, test.options, func(*FollowedEvent) error { return ErrStop })
			m := conn.followed("f1", "k0")
			if m.From.Kind != test.want.Kind || string(m.From.Cursor) != string(test.want.Cursor) || m.From.Time != test.want.Time ||
				string(m.Name) != test.options.Name || m.Window != uint64(test.options.Window) || string(m.Channel) != "work" {
				t.Errorf("it asks for %+v", m)
			}
			conn.events("f1", "1")
			if test.options.Name != "" {
				conn.committed("f1", "k1")
			}
			conn.left("f1")
			if err := <-r.result; err != nil {
				t.Fatal(err)
			}
			r.saw(t, "begin k0", "1")
			e := *r.events[0]
			e.commit = nil
			if got, want := fmt.Sprintf("%+v", e), fmt.Sprintf("%+v", FollowedEvent{
				EventID: "1", Channel: "work", Tenant: "t", ClientID: "ana", Key: "key", IdempotencyKey: "i", CorrelationID: "co", CausationID: "ca",
				ClientSeq: 3, Time: time.UnixMilli(7), DeliverAt: time.UnixMilli(9), TTL: time.Second, Headers: map[string]string{"h": "v"},
				ContentType: "x", Cursor: "k1", Data: Raw([]byte(`"hi"`)),
			}); got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

// A lost socket is invisible to the handler: it goes on behind what it was given.
func TestFollowAcrossReconnects(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	r := following(t.Context(), c, FollowOptions{From: FromEarliest}, nil)
	conn.followed("f1", "k0")
	conn.cut() // Before any event: not from earliest again, some may have come meanwhile.
	conn = n.greet()
	if m := conn.followed("f1", "k0"); string(m.From.Cursor) != "k0" {
		t.Errorf("it goes on from %+v", m.From)
	}
	conn.events("f1", "1", "2")
	r.saw(t, "begin k0", "1", "2")
	conn.cut()
	conn = n.greet()
	if m := conn.followed("f7", "k2"); string(m.From.Cursor) != "k2" {
		t.Errorf("it goes on from %+v", m.From)
	}
	conn.events("f1", "of another subscription")
	conn.send(&wire.Message{Type: wire.TypeGap, Gap: wire.Gap{Subscription: []byte("f7")}})
	conn.events("f7", "3")
	r.saw(t, "begin k0", "1", "2", "gap", "3")
}

// A named follower goes on behind the last commit that the cluster has: what comes
// again is not given to the handler again, and is committed nevertheless, or it would
// fill the window.
func TestNamedFollowerAcrossReconnects(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	r := following(t.Context(), c, FollowOptions{Name: "audit", Window: 4}, nil)
	conn.followed("f1", "k0")
	conn.events("f1", "1", "2", "3")
	conn.committed("f1", "k3")
	conn.cut()
	conn = n.greet()
	conn.followed("f2", "k1")
	conn.committed("f2", "k3") // Said again: it may be lost.
	conn.events("f2", "2", "3")
	conn.committed("f2", "k3")
	conn.events("f2", "4")
	conn.committed("f2", "k4")
	r.saw(t, "begin k0", "1", "2", "3", "4")
}

// Who commits by hand commits what it says, when it says so.
func TestManualCommit(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	r := following(ctx, c, FollowOptions{Name: "audit", ManualCommit: true}, nil)
	conn.followed("f1", "k0")
	conn.events("f1", "1", "2", "3")
	r.saw(t, "begin k0", "1", "2", "3")
	r.events[1].Commit()
	conn.committed("f1", "k2")
	conn.cut()
	conn = n.greet()
	conn.followed("f2", "k0")
	conn.committed("f2", "k2")
	conn.events("f2", "1", "2")
	conn.committed("f2", "k2")
	cancel()
	if err := <-r.result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// A handler's error ends Follow, without the event and with the commit of what came
// before it.
func TestFollowEndsWithItsHandler(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	broken := errors.New("broken")
	begin := make(chan struct{})
	r := following(t.Context(), c, FollowOptions{Name: "audit"}, func(e *FollowedEvent) error {
		<-begin
		if e.EventID == "3" {
			return broken
		}
		return nil
	})
	conn.followed("f1", "k0")
	conn.events("f1", "1", "2", "3")
	close(begin)
	conn.committed("f1", "k2")
	select {
	case err := <-r.result:
		t.Errorf("it ends, before its commit is kept, with %v", err)
	default:
	}
	conn.left("f1")
	if err := <-r.result; !errors.Is(err, broken) {
		t.Error(err)
	}
}

// What is refused for now is asked again, what is refused for good is the error.
func TestFollowRefused(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	r := following(t.Context(), c, FollowOptions{Cursor: "old"}, nil)
	conn.refuse(conn.expect(wire.TypeFollow).Follow.ID, wire.ReasonNoLeader, time.Millisecond)
	conn.refuse(conn.expect(wire.TypeFollow).Follow.ID, wire.ReasonBadRequest, 0)
	if err := <-r.result; !errors.Is(err, ErrBadRequest) {
		t.Error(err)
	}
	for _, bad := range []FollowOptions{
		{},
		{Channel: "a b"},
		{Channel: "a", Name: strings.Repeat("x", 256)},
		{Channel: "a", From: FromNew, Cursor: "k"},
		{Channel: "a", From: "then"},
		{Channel: "a", ManualCommit: true},
		{Channel: "a", Window: -1},
	} {
		if err := c.Follow(t.Context(), bad, func(context.Context, *FollowedEvent) error { return nil }); err == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
	if err := c.Follow(t.Context(), FollowOptions{Channel: "a"}, nil); err == nil {
		t.Error("no handler")
	}
}

// A handler that is slower than its socket has a bounded number of events wait: the
// rest is left at the node, and asked for when the handler has come that far.
func TestFollowerWithASlowHandler(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	gate := make(chan struct{})
	r := following(t.Context(), c, FollowOptions{}, func(*FollowedEvent) error {
		<-gate
		return nil
	})
	conn.followed("f1", "k0")
	conn.events("f1", "0")
	eventually(t, "the handler has the first", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.events) == 1
	})
	var ids []string
	for i := range maxFollowedEvents {
		ids = append(ids, fmt.Sprint(i+1))
	}
	conn.events("f1", ids...)
	conn.expect(wire.TypeUnsubscribe)
	conn.events("f1", "too many")
	close(gate)
	if m := conn.followed("f2", "k"); string(m.From.Cursor) != "k"+ids[len(ids)-1] {
		t.Errorf("it goes on from %+v", m.From)
	}
	conn.events("f2", "last")
	r.saw(t, slices.Concat([]string{"begin k0", "0"}, ids, []string{"last"})...)
}

// Close ends every Follow.
func TestCloseEndsFollow(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	r := following(t.Context(), c, FollowOptions{}, nil)
	conn.followed("f1", "k0")
	r.saw(t, "begin k0")
	n.cutAll()
	_ = c.Close()
	if err := <-r.result; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := c.Follow(t.Context(), FollowOptions{Channel: "a"}, func(context.Context, *FollowedEvent) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}
