package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// listener listens in the background and writes down what comes.
type listener struct {
	mu     sync.Mutex
	seen   []string
	result chan error
}

func listening(ctx context.Context, c *Client, o ListenOptions, handler func(*Notification) error) *listener {
	l := &listener{result: make(chan error, 1)}
	o.OnGap = func(g Gap) { l.note(fmt.Sprintf("gap %d-%d %s", g.From, g.To, g.Reason)) }
	o.OnSynced = func(seq uint64) { l.note(fmt.Sprintf("synced %d", seq)) }
	go func() {
		l.result <- c.Listen(ctx, o, func(_ context.Context, n *Notification) error {
			l.note(fmt.Sprint(n.Seq))
			if handler != nil {
				return handler(n)
			}
			return nil
		})
	}()
	return l
}

func (l *listener) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, text)
}

func (l *listener) saw(t *testing.T, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("seen %v", want), func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.seen) >= len(want)
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.seen, want) {
		t.Fatalf("seen %q, want %q", l.seen, want)
	}
}

// streamNode is a fake node whose client's stream has an epoch.
func streamNode(t *testing.T) *fakeNode {
	t.Helper()
	n := newFakeNode(t)
	n.welcome.Epoch, n.welcome.Seq = []byte("x1"), 9
	return n
}

func synced(seq uint64) *wire.Message {
	return &wire.Message{Type: wire.TypeSynced, Synced: wire.Synced{Seq: seq}}
}

// A lost socket is invisible to the handler: nothing is missing, nothing comes twice.
func TestListenInOrderAcrossReconnects(t *testing.T) {
	n := streamNode(t)
	c, conn := dial(t, n, Options{ClientID: "ana", DeviceID: "phone", Window: 5, AckDelay: -1})
	if h := conn.hello; string(h.ClientID) != "ana" || string(h.DeviceID) != "phone" || h.Window != 5 || h.Ready != wire.No || h.Resume.Kind != wire.ResumeStored {
		t.Errorf("hello %+v", h)
	}
	l := listening(t.Context(), c, ListenOptions{}, nil)
	conn.expect(wire.TypeReady)
	conn.notify(1, 2, 3)
	for acked := uint64(0); acked < 3; {
		acked = conn.expect(wire.TypeAck).Ack.Seq
	}
	conn.cut()
	conn = n.greet()
	if r := conn.hello.Resume; r.Kind != wire.ResumeAfter || string(r.Epoch) != "x1" || r.Seq != 3 {
		t.Errorf("resume %+v", r)
	}
	conn.expect(wire.TypeReady)
	conn.expect(wire.TypeAck) // Perhaps the last one was lost.
	conn.notify(3, 4)         // 3 again: it was handled
	conn.send(synced(4))
	conn.notify(5)
	l.saw(t, "1", "2", "3", "4", "synced 4", "5")
	epoch, seq, ok := "", uint64(0), false
	eventually(t, "position 5", func() bool {
		epoch, seq, ok = c.Position()
		return seq == 5
	})
	if epoch != "x1" || !ok {
		t.Errorf("position %q %d %v", epoch, seq, ok)
	}
}

// A hole is never silent, and a new epoch's numbers are not taken for old ones.
func TestGapIsSeen(t *testing.T) {
	n := streamNode(t)
	c, conn := dial(t, n, Options{ClientID: "ana"})
	l := listening(t.Context(), c, ListenOptions{}, nil)
	conn.expect(wire.TypeReady)
	conn.send(&wire.Message{Type: wire.TypeGap, Gap: wire.Gap{From: 1, To: 6, Reason: wire.GapTrimmed}})
	conn.notify(7)
	l.saw(t, "gap 1-6 trimmed", "7")
	conn.cut()
	n.welcome.Epoch = []byte("x2") // a restored cluster
	conn = n.greet()
	conn.expect(wire.TypeReady)
	conn.send(&wire.Message{Type: wire.TypeGap, Gap: wire.Gap{From: 8, To: 9, Reason: wire.GapEpoch}})
	conn.notify(1, 2)
	l.saw(t, "gap 1-6 trimmed", "7", "gap 8-9 epoch", "1", "2")
}

// The node holds notifications back until somebody listens.
func TestNotificationsWaitForAListener(t *testing.T) {
	n := streamNode(t)
	c, conn := dial(t, n, Options{ClientID: "ana"})
	open := publishing(t.Context(), c, Event{Channel: "a"})
	conn.ok(conn.expect(wire.TypePublish).Publish.ID, "e") // and no ready
	<-open
	ctx, cancel := context.WithCancel(t.Context())
	l := listening(ctx, c, ListenOptions{}, nil)
	conn.expect(wire.TypeReady)
	if err := c.Listen(t.Context(), ListenOptions{}, nil); !errors.Is(err, ErrListening) {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-l.result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// What a handler refused is not acknowledged, and comes again.
func TestHandlerErrorKeepsTheNotification(t *testing.T) {
	n := streamNode(t)
	c, conn := dial(t, n, Options{ClientID: "ana", AckDelay: -1})
	broken := errors.New("broken")
	l := listening(t.Context(), c, ListenOptions{}, func(n *Notification) error {
		if n.Seq == 2 {
			return broken
		}
		return nil
	})
	conn.expect(wire.TypeReady)
	conn.notify(1, 2)
	if err := <-l.result; !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if m := conn.expect(wire.TypeAck); m.Ack.Seq != 1 {
		t.Errorf("acknowledged %d", m.Ack.Seq)
	}
	l = listening(t.Context(), c, ListenOptions{}, func(*Notification) error { return ErrStop })
	if err := <-l.result; err != nil {
		t.Errorf("got %v", err)
	}
	l.saw(t, "2")
	if m := conn.expect(wire.TypeAck); m.Ack.Seq != 2 {
		t.Errorf("acknowledged %d", m.Ack.Seq)
	}
}

// Acknowledgements are the user's where he says so.
func TestManualAck(t *testing.T) {
	n := streamNode(t)
	c, conn := dial(t, n, Options{ClientID: "ana", AckDelay: -1})
	kept := make(chan *Notification, 3)
	l := listening(t.Context(), c, ListenOptions{ManualAck: true}, func(n *Notification) error {
		kept <- n
		return nil
	})
	conn.expect(wire.TypeReady)
	conn.notify(1, 2, 3)
	l.saw(t, "1", "2", "3")
	<-kept
	(<-kept).Ack()
	if m := conn.expect(wire.TypeAck); m.Ack.Seq != 2 {
		t.Errorf("acknowledged %d", m.Ack.Seq)
	}
}

// Acknowledgements share messages: far fewer are sent than there are
// notifications, and the last one is never left behind.
func TestAcksCoalesce(t *testing.T) {
	n := streamNode(t)
	n.welcome.Limits.Window = 400
	c, conn := dial(t, n, Options{ClientID: "ana", AckDelay: 20 * time.Millisecond})
	listening(t.Context(), c, ListenOptions{}, nil)
	conn.expect(wire.TypeReady)
	var all []uint64
	for seq := uint64(1); seq <= 300; seq++ {
		all = append(all, seq)
	}
	conn.notify(all...)
	messages, last := 0, uint64(0)
	for last < 300 {
		last = conn.expect(wire.TypeAck).Ack.Seq
		messages++
	}
	if messages > 100 {
		t.Errorf("%d acks for 300 notifications", messages)
	}
}

// The stream begins where the options say.
func TestResumeOptions(t *testing.T) {
	n := streamNode(t)
	_, conn := dial(t, n, Options{ClientID: "ana", Resume: ResumeAfter("x0", 4)})
	if r := conn.hello.Resume; r.Kind != wire.ResumeAfter || string(r.Epoch) != "x0" || r.Seq != 4 {
		t.Errorf("resume %+v", r)
	}
	_, conn = dial(t, n, Options{ClientID: "ana", Resume: ResumeLive()})
	if r := conn.hello.Resume; r.Kind != wire.ResumeLive {
		t.Errorf("resume %+v", r)
	}
	conn.cut()
	conn = n.greet()
	// Live was then: what came in between is not to be missed.
	if r := conn.hello.Resume; r.Kind != wire.ResumeAfter || string(r.Epoch) != "x1" || r.Seq != 9 {
		t.Errorf("resume %+v", r)
	}
}

// Without a client id there is nothing to listen to.
func TestListenNeedsAStream(t *testing.T) {
	n := newFakeNode(t)
	c, _ := dial(t, n, Options{})
	if err := c.Listen(t.Context(), ListenOptions{}, nil); !errors.Is(err, ErrNoStream) {
		t.Errorf("got %v", err)
	}
	if _, err := Dial(t.Context(), Options{Nodes: []string{n.url()}, DeviceID: "d"}); err == nil {
		t.Error("a device without a client")
	}
}

// A node that ignores the window is left: memory is bounded.
func TestWindowIsEnforced(t *testing.T) {
	n := streamNode(t)
	c, conn := dial(t, n, Options{ClientID: "ana"})
	hold := make(chan struct{})
	defer close(hold)
	listening(t.Context(), c, ListenOptions{}, func(*Notification) error {
		<-hold
		return nil
	})
	conn.expect(wire.TypeReady)
	go func() {
		for seq := uint64(1); seq < 500; seq++ {
			m := wire.Notify{Seq: seq, Name: []byte("n")}
			if err := conn.write(&wire.Message{Type: wire.TypeNotify, Notify: m}); err != nil {
				return
			}
		}
	}()
	n.greet()
}
