package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

type published struct {
	receipt Receipt
	err     error
}

// publishing publishes in the background.
func publishing(ctx context.Context, c *Client, e Event) <-chan published {
	result := make(chan published, 1)
	go func() {
		r, err := c.Publish(ctx, e)
		result <- published{r, err}
	}()
	return result
}

// An event goes out as it was given and comes back with its place.
func TestPublishReturnsTheReceipt(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	result := publishing(t.Context(), c, Event{
		Channel: "a", Key: "k", Data: map[string]int{"x": 1}, Headers: map[string]string{"b": "2", "a": "1"}, Delay: time.Nanosecond,
	})
	m := conn.expect(wire.TypePublish).Publish
	if string(m.Payload.Bytes) != `{"x":1}` || string(m.Key) != "k" || len(m.IdempotencyKey) == 0 || m.DelayMs != 1 {
		t.Errorf("sent %+v", m)
	}
	if len(m.Headers) != 2 || string(m.Headers[0].Name) != "a" {
		t.Errorf("headers %v", m.Headers)
	}
	conn.ok(m.ID, "e1")
	if got := <-result; got.err != nil || got.receipt.EventID != "e1" {
		t.Errorf("got %+v", got)
	}
}

// The outcome of the first try is unknown: the second must be recognizable as
// the same.
func TestPublishRetriesUnderTheSameKey(t *testing.T) {
	for _, reason := range []wire.Reason{
		wire.ReasonOutcomeUnknown, wire.ReasonNoLeader, wire.ReasonTooManyInFlight, wire.ReasonOverloaded, wire.ReasonDraining,
	} {
		t.Run(string(reason), func(t *testing.T) {
			n := newFakeNode(t)
			c, conn := dial(t, n, Options{})
			result := publishing(t.Context(), c, Event{Channel: "a", Data: 1})
			first := conn.expect(wire.TypePublish).Publish
			begin := time.Now()
			conn.refuse(first.ID, reason, 60*time.Millisecond)
			second := conn.expect(wire.TypePublish).Publish
			if waited := time.Since(begin); waited < 60*time.Millisecond {
				t.Errorf("tried again after %v, before retry_after_ms", waited)
			}
			if string(first.IdempotencyKey) != string(second.IdempotencyKey) || string(first.Payload.Bytes) != string(second.Payload.Bytes) {
				t.Errorf("first %+v, second %+v", first, second)
			}
			conn.ok(second.ID, "e1")
			if got := <-result; got.err != nil {
				t.Error(got.err)
			}
		})
	}
}

// What was not answered goes out again on the next socket, under its key.
func TestPublishSurvivesALostSocket(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	var results []<-chan published
	keys := map[string]bool{}
	for range 3 {
		results = append(results, publishing(t.Context(), c, Event{Channel: "a", Data: 1}))
		keys[string(conn.expect(wire.TypePublish).Publish.IdempotencyKey)] = true
	}
	conn.cut()
	conn = n.greet()
	for i := range 3 {
		m := conn.expect(wire.TypePublish).Publish
		if !keys[string(m.IdempotencyKey)] {
			t.Errorf("another key: %s", m.IdempotencyKey)
		}
		delete(keys, string(m.IdempotencyKey))
		conn.ok(m.ID, fmt.Sprint("e", i))
	}
	for _, r := range results {
		if got := <-r; got.err != nil {
			t.Error(got.err)
		}
	}
}

// A refusal is an Error that errors.Is knows by its reason.
func TestPublishRefused(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	result := publishing(t.Context(), c, Event{Channel: "a", IdempotencyKey: "mine", Data: 1})
	m := conn.expect(wire.TypePublish).Publish
	if string(m.IdempotencyKey) != "mine" {
		t.Errorf("key %s", m.IdempotencyKey)
	}
	conn.refuse(m.ID, wire.ReasonIdempotencyConflict, 0)
	got := <-result
	refused, ok := errors.AsType[*Error](got.err)
	if !ok || refused.Code != 409 || !errors.Is(got.err, ErrIdempotencyConflict) || errors.Is(got.err, ErrSequence) {
		t.Errorf("got %v", got.err)
	}
}

// What is not of the protocol is refused before it is sent.
func TestPublishRefusesWhatWouldCloseTheConnection(t *testing.T) {
	n := newFakeNode(t)
	n.welcome.Limits.MaxMessageBytes = 1000
	c, _ := dial(t, n, Options{})
	for _, test := range []struct {
		event Event
		want  error
	}{
		{Event{Channel: "no spaces"}, ErrBadRequest},
		{Event{}, ErrBadRequest},
		{Event{Channel: "a", Data: Raw([]byte(`{} {}`))}, ErrBadRequest},
		{Event{Channel: "a", Data: strings.Repeat("x", 1000)}, ErrTooLarge},
		{Event{Channel: "a", Delay: -1}, ErrBadRequest},
	} {
		if _, err := c.Publish(t.Context(), test.event); !errors.Is(err, test.want) {
			t.Errorf("%+v: %v, want %v", test.event, err, test.want)
		}
	}
	if _, err := c.Publish(t.Context(), Event{Channel: "a", Data: make(chan int)}); err == nil {
		t.Error("a channel was encoded")
	}
}

// TestPublishRefusesPriority: the node would refuse it too, for good.
func TestPublishRefusesPriority(t *testing.T) {
	c := &Client{}
	_, err := c.Publish(t.Context(), Event{Channel: "a", Priority: MaxPriority + 1, IdempotencyKey: "i"})
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Code != 400 {
		t.Fatalf("%v", err)
	}
}

// A publish ends with its context, and says what stood in its way.
func TestPublishEndsWithItsContext(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	result := publishing(ctx, c, Event{Channel: "a", Data: 1})
	m := conn.expect(wire.TypePublish).Publish
	conn.refuse(m.ID, wire.ReasonNoLeader, time.Hour)
	eventually(t, "the refusal is known", func() bool {
		c.flight.mu.Lock()
		defer c.flight.mu.Unlock()
		return len(c.flight.delayed) == 1
	})
	cancel()
	if got := <-result; !errors.Is(got.err, context.Canceled) || !errors.Is(got.err, ErrNoLeader) {
		t.Errorf("got %v", got.err)
	}
	if len(c.room) != 0 {
		t.Error("its room is not free")
	}
}

// So does one that nobody waits for.
func TestPublishAsyncEndsWithItsContext(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 2)
	if err := c.PublishAsync(ctx, Event{Channel: "a"}, func(_ Receipt, err error) { result <- err }); err != nil {
		t.Fatal(err)
	}
	m := conn.expect(wire.TypePublish).Publish
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	conn.ok(m.ID, "late")
	if err := c.PublishAsync(ctx, Event{Channel: "a"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	eventually(t, "the place at the node is free", c.flight.idle)
}

// No more is sent than the node allows, whatever is published, and the order
// stays.
func TestPublishAsyncKeepsTheNodesLimit(t *testing.T) {
	n := newFakeNode(t)
	n.welcome.Limits.MaxInFlight = 4
	c, conn := dial(t, n, Options{MaxPending: 2000})
	const events = 1000
	var wait sync.WaitGroup
	wait.Add(events)
	for i := range events {
		err := c.PublishAsync(t.Context(), Event{Channel: "a", Data: i}, func(_ Receipt, err error) {
			if err != nil {
				t.Error(err)
			}
			wait.Done()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range events {
		m := conn.expect(wire.TypePublish).Publish
		if string(m.Payload.Bytes) != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, m.Payload.Bytes)
		}
		c.flight.mu.Lock()
		if c.flight.counted > 4 {
			t.Errorf("%d in flight", c.flight.counted)
		}
		c.flight.mu.Unlock()
		conn.ok(m.ID, "e")
	}
	wait.Wait()
}

// Close leaves nothing hanging.
func TestCloseEndsWhatIsOpen(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	result := publishing(t.Context(), c, Event{Channel: "a"})
	conn.expect(wire.TypePublish)
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		_ = c.Close()
	}()
	if got := <-result; !errors.Is(got.err, ErrClosed) {
		t.Errorf("got %v", got.err)
	}
	conn.expect(wire.TypeBye)
	conn.cut()
	<-closed
	if _, err := c.Publish(t.Context(), Event{Channel: "a"}); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	if !errors.Is(c.Err(), ErrClosed) {
		t.Errorf("got %v", c.Err())
	}
}
