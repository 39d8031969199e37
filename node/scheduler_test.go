package node_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// setChannel changes a channel's settings, and returns when they are in force.
func setChannel(t *testing.T, n *node.Node, channel string, settings client.ChannelSettings) {
	t.Helper()
	if _, err := httpOf(t, n).ChangeChannel(t.Context(), channel, settings); err != nil {
		t.Fatal(err)
	}
}

// TestParkedJobsOutliveLeaders: a worker with little credit parks many jobs of all
// partitions, and its node goes. With their leases the others end them, over
// sockets and HTTP, each once.
func TestParkedJobsOutliveLeaders(t *testing.T) {
	nodes := startThree(t)
	const events = 24
	publisher := dialNode(t, nodes[1])
	for i := range events {
		if _, err := publisher.Publish(t.Context(), client.Event{Channel: "approvals", Key: fmt.Sprint("key-", i), Data: i}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type parked struct{ lease, event string }
	leases, ended := make(chan parked, events), make(chan error, 1)
	worker := dialNode(t, nodes[0])
	go func() {
		ended <- worker.Work(ctx, client.WorkOptions{Channel: "approvals", Credit: 2}, func(ctx context.Context, job *client.Job) error {
			if err := job.Park(ctx, time.Hour); err != nil {
				return err
			}
			leases <- parked{job.LeaseToken(), job.EventID}
			return nil
		})
	}()
	var all []parked
	for range events {
		all = append(all, <-leases)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	_ = worker.Close()
	stop(t, nodes[0])
	h := httpOf(t, nodes[2])
	for i, p := range all {
		end := publisher.CompleteLease
		if i%2 == 1 {
			end = h.CompleteLease
		}
		done := client.Completion{Result: true, Emits: []client.Event{{Channel: "approved", Data: i}}}
		for range 2 { // The second time it is answered as the first.
			waitFor(t, "the lease is completed", func() error {
				_, err := end(t.Context(), p.lease, done)
				return err
			})
		}
		view, err := h.Event(t.Context(), p.event)
		if err != nil || view.State != "completed" || len(view.Attempts) != 1 || view.Attempts[0].ParkedAt == 0 || len(view.Attempts[0].Emitted) != 1 {
			t.Fatalf("%+v %v", view, err)
		}
	}
	if err := h.FailLease(t.Context(), all[0].lease, errors.New("too late")); !errors.Is(err, client.ErrLeaseLost) {
		t.Fatalf("a completed lease was failed: %v", err)
	}
	agreeAll(t, nodes[1:]...)
}

// sequences holds the jobs of each key to their order: one at a time, each after
// the one before it was completed.
type sequences struct {
	mu   sync.Mutex
	busy map[string]bool
	next map[string]int
	bad  error
}

func (s *sequences) begin(key string, number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy[key] || s.next[key] != number {
		s.bad = errors.Join(s.bad, fmt.Errorf("event %d of %s began, %d is next, busy %v", number, key, s.next[key], s.busy[key]))
	}
	s.busy[key] = true
}

// end says which event of the key is next now.
func (s *sequences) end(key string, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[key] = false
	s.next[key] = next
}

func (s *sequences) missing(keys, each int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range keys {
		if got := s.next[fmt.Sprint("key-", key)]; got != each {
			return fmt.Errorf("%d of %d events of key-%d are completed", got, each, key)
		}
	}
	return nil
}

// TestOrderedKeys: workers on all nodes have the events of each key one at a time,
// in their order, though some fail first.
func TestOrderedKeys(t *testing.T) {
	nodes := startThree(t)
	byKey := "key"
	setChannel(t, nodes[0], "ordered", client.ChannelSettings{Order: &byKey})
	const keys, each = 5, 12
	s := &sequences{busy: make(map[string]bool), next: make(map[string]int)}
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		working.Wait()
	})
	for _, n := range nodes {
		c := dialNode(t, n)
		working.Go(func() {
			_ = c.Work(ctx, client.WorkOptions{Channel: "ordered", Credit: 8}, func(_ context.Context, job *client.Job) error {
				var number int
				if err := job.Data.Decode(&number); err != nil {
					return client.Permanent(err)
				}
				s.begin(job.Key, number)
				if number%4 == 1 && job.Attempt == 1 {
					s.end(job.Key, number)
					return client.RetryAfter(errors.New("not yet"), time.Millisecond)
				}
				s.end(job.Key, number+1)
				return nil
			})
		})
	}
	publisher := dialNode(t, nodes[1])
	for number := range each {
		for key := range keys {
			if _, err := publisher.Publish(t.Context(), client.Event{Channel: "ordered", Key: fmt.Sprint("key-", key), Data: number}); err != nil {
				t.Fatal(err)
			}
		}
	}
	waitFor(t, "all events are completed", func() error { return s.missing(keys, each) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bad != nil {
		t.Fatal(s.bad)
	}
}

// TestLostSocketIsALostLease: where the channel says so, the jobs of a worker whose
// socket is cut go to another at once, though their leases are long.
func TestLostSocketIsALostLease(t *testing.T) {
	nodes := startThree(t)
	requeue, lease := "requeue", uint64(12*3600*1000)
	setChannel(t, nodes[0], "fragile", client.ChannelSettings{OnDisconnect: &requeue, LeaseMS: &lease})
	c := dialNode(t, nodes[1])
	receipt, err := c.Publish(t.Context(), client.Event{Channel: "fragile", Data: 1})
	if err != nil {
		t.Fatal(err)
	}
	conn, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(nodes[2].ClientURL(), "http")+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	say := func(text string) {
		if err := wsutil.WriteClientText(conn, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	say(`{"type":"hello","name":"fragile"}`)
	say(`{"type":"subscribe","id":1,"channel":"fragile","credit":1}`)
	for {
		message, err := wsutil.ReadServerText(conn)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			Type    string `json:"type"`
			EventID string `json:"event_id"`
		}
		if err := json.Unmarshal(message, &m); err != nil {
			t.Fatal(err)
		}
		if m.Type == "job" && m.EventID == receipt.EventID {
			break
		}
	}
	_ = conn.Close() // No bye.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	worker, again := dialNode(t, nodes[0]), make(chan int, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- worker.Work(ctx, client.WorkOptions{Channel: "fragile"}, func(_ context.Context, job *client.Job) error {
			again <- job.Attempt
			return nil
		})
	}()
	if attempt := <-again; attempt != 2 {
		t.Errorf("attempt %d", attempt)
	}
	waitFor(t, "the event is completed", func() error {
		view, err := httpOf(t, nodes[1]).Event(t.Context(), receipt.EventID)
		if err == nil && view.State != "completed" {
			err = fmt.Errorf("it is %s", view.State)
		}
		return err
	})
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
