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

// shown is what a screen shows that follows a stream as clients are told to.
type shown struct {
	mu     sync.Mutex
	text   strings.Builder
	resets int
	final  bool
	err    error
	wrong  []string
	next   uint64
}

// follow shows a stream until it ends.
func (s *shown) follow(ctx context.Context, c *client.Client, stream string) {
	for chunk, err := range c.ReadStream(ctx, stream, client.StreamPosition{}) {
		s.take(&chunk, err)
	}
}

func (s *shown) take(chunk *client.Chunk, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.err = err
		return
	}
	if chunk.Reset {
		s.text.Reset()
		s.resets++
	} else if chunk.Offset != s.next {
		s.wrong = append(s.wrong, fmt.Sprintf("%d follows %d", chunk.Offset, s.next))
	}
	s.text.Write(chunk.Data)
	s.next, s.final = chunk.Offset+uint64(len(chunk.Data)), chunk.Final
}

// shows is nil when the screen shows text, and the stream has ended if it is to.
//
//nolint:revive // The flag is what is wanted.
func (s *shown) shows(text string, final bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.text.String(); got != text || s.final != final || s.err != nil || len(s.wrong) > 0 {
		return fmt.Errorf("it shows %q, final %v, %w, %v", got, s.final, s.err, s.wrong)
	}
	return nil
}

// ask publishes a question of ana's, and returns its id.
func ask(t *testing.T, c *client.Client) string {
	t.Helper()
	published, err := c.Publish(t.Context(), client.Event{Channel: "questions", Data: "what is a baton?"})
	if err != nil {
		t.Fatal(err)
	}
	return published.EventID
}

func dialAna(t *testing.T, n *node.Node, device string) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Options{Nodes: []string{n.ClientURL()}, ClientID: "ana", DeviceID: device})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestTokensReachEveryDevice: what a worker writes is shown on two devices while it
// works, on nodes of their own, and to one that comes later.
func TestTokensReachEveryDevice(t *testing.T) {
	nodes := startThree(t)
	phone, desk := dialAna(t, nodes[0], "phone"), dialAna(t, nodes[1], "desk")
	id := ask(t, phone)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	var one, two, late shown
	running.Go(func() { one.follow(ctx, phone, id) })
	running.Go(func() { two.follow(ctx, desk, id) })
	worker, more := dialNode(t, nodes[2]), make(chan string)
	running.Go(func() {
		_ = worker.Work(ctx, client.WorkOptions{Channel: "questions"}, func(_ context.Context, job *client.Job) error {
			for text := range more {
				if _, err := job.Write([]byte(text)); err != nil {
					return err
				}
			}
			return nil
		})
	})
	said := ""
	for _, text := range []string{"A ", "bâton", " is\n", "passed on."} {
		more <- text
		said += text
		waitFor(t, "both show it", func() error { return errors.Join(one.shows(said, false), two.shows(said, false)) })
	}
	close(more)
	waitFor(t, "it is over", func() error { return errors.Join(one.shows(said, true), two.shows(said, true)) })
	running.Go(func() { late.follow(ctx, dialAna(t, nodes[2], "late"), id) }) //nolint:contextcheck // It dials with the test's.
	waitFor(t, "it is still kept", func() error { return late.shows(said, true) })
	for chunk, err := range phone.ReadStream(ctx, id, client.StreamPosition{Attempt: 1, Offset: 3}) {
		if err != nil || chunk.Reset || string(chunk.Data) != said[3:] || chunk.Offset != 3 {
			t.Fatalf("from an offset: %+v %v", chunk, err)
		}
	}
	other, err := client.Dial(t.Context(), client.Options{Nodes: []string{nodes[0].ClientURL()}, ClientID: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	for _, err := range other.ReadStream(ctx, id, client.StreamPosition{}) {
		if !errors.Is(err, client.ErrNotFound) {
			t.Fatalf("another client reads it: %v", err)
		}
	}
}

// TestTokensComeUnasked: a socket of the client's is sent the stream of its event,
// though it asked for nothing, from the beginning, on whichever node; of an event with a
// key of its own, too, which is stored elsewhere than the client's notifications.
func TestTokensComeUnasked(t *testing.T) {
	nodes := startThree(t)
	worker := dialNode(t, nodes[2])
	conn, _, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(nodes[1].ClientURL(), "http")+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := wsutil.WriteClientText(conn, []byte(`{"type":"hello","client_id":"ana"}`)); err != nil {
		t.Fatal(err)
	}
	ana := dialAna(t, nodes[0], "")
	want := make(map[string]bool)
	for i := range 8 {
		published, err := ana.Publish(t.Context(), client.Event{Channel: "questions", Key: fmt.Sprint("key-", i), Data: i})
		if err != nil {
			t.Fatal(err)
		}
		want[published.EventID] = true
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	running.Go(func() {
		_ = worker.Work(ctx, client.WorkOptions{Channel: "questions"}, func(_ context.Context, job *client.Job) error {
			_, err := job.Write([]byte("so"))
			return err
		})
	})
	for len(want) > 0 {
		data, err := wsutil.ReadServerText(conn)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			var m struct {
				Type, Stream, Data string
				Offset             uint64
			}
			if err := json.Unmarshal([]byte(line), &m); err == nil && m.Type == "chunk" && m.Offset == 0 && m.Data == "so" {
				delete(want, m.Stream)
			}
		}
	}
}

// TestTokensOutliveTheLeader: the leader of the stream's partition is stopped in the
// middle. The worker's node has kept what it wrote, and the new leader is told it: no
// byte is lost or shown twice.
func TestTokensOutliveTheLeader(t *testing.T) {
	nodes := startThree(t)
	// One is stopped that leads some of the partitions; streams are of all of them.
	reader, worker := dialNode(t, nodes[1]), dialNode(t, nodes[2])
	const streams = 12
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	var shows [streams]shown
	for i := range shows {
		published, err := reader.Publish(t.Context(), client.Event{Channel: "questions", Key: fmt.Sprint("key-", i), Data: i})
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() { shows[i].follow(ctx, reader, published.EventID) })
	}
	first, stopped := make(chan struct{}, streams), make(chan struct{})
	running.Go(func() {
		_ = worker.Work(ctx, client.WorkOptions{Channel: "questions", Credit: streams, Lease: time.Minute}, func(_ context.Context, job *client.Job) error {
			_, _ = job.Stream("").WriteString("before, ")
			first <- struct{}{}
			<-stopped
			_, _ = job.Stream("").WriteString("and after")
			return nil
		})
	})
	for range streams {
		<-first
	}
	for i := range shows {
		waitFor(t, "the first half is shown", func() error { return shows[i].shows("before, ", false) })
	}
	stop(t, nodes[0])
	close(stopped)
	for i := range shows {
		waitFor(t, "the second half is shown", func() error { return shows[i].shows("before, and after", true) })
		if shows[i].resets > 0 {
			t.Errorf("stream %d was reset", i)
		}
	}
}

// TestAnotherAttemptResets: a worker fails in the middle of its answer; what it wrote
// is taken off the screen when the next attempt begins.
func TestAnotherAttemptResets(t *testing.T) {
	nodes := startThree(t)
	ana, worker := dialAna(t, nodes[0], ""), dialNode(t, nodes[1])
	id := ask(t, ana)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	var screen shown
	running.Go(func() { screen.follow(ctx, ana, id) })
	seen, again := make(chan struct{}), make(chan struct{})
	running.Go(func() {
		_ = worker.Work(ctx, client.WorkOptions{Channel: "questions"}, func(_ context.Context, job *client.Job) error {
			if job.Attempt == 1 {
				_, _ = job.Stream("").WriteString("it is a kind of ")
				<-seen
				return client.RetryAfter(errors.New("not so"), time.Millisecond)
			}
			<-again
			_, _ = job.Stream("").WriteString("It is a stick.")
			return nil
		})
	})
	waitFor(t, "the first attempt is shown", func() error { return screen.shows("it is a kind of ", false) })
	close(seen)
	waitFor(t, "it is cleared", func() error { return screen.shows("", false) })
	close(again)
	waitFor(t, "the second attempt is shown", func() error { return screen.shows("It is a stick.", true) })
	if screen.resets != 1 {
		t.Errorf("%d resets", screen.resets)
	}
}

// TestCancelStopsAStream: the client has read enough; its cancel reaches the worker
// while that writes.
func TestCancelStopsAStream(t *testing.T) {
	nodes := startThree(t)
	ana, worker := dialAna(t, nodes[0], ""), dialNode(t, nodes[1])
	id := ask(t, ana)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	ended := make(chan error, 1)
	running.Go(func() {
		_ = worker.Work(ctx, client.WorkOptions{Channel: "questions"}, func(ctx context.Context, job *client.Job) error {
			for ctx.Err() == nil {
				_, _ = job.Stream("").WriteString("and so on ")
				select {
				case <-ctx.Done():
				case <-time.After(time.Millisecond):
				}
			}
			ended <- context.Cause(ctx)
			return context.Cause(ctx)
		})
	})
	read := 0
	for chunk, err := range ana.ReadStream(ctx, id, client.StreamPosition{}) {
		if err != nil {
			t.Fatal(err)
		}
		if read += len(chunk.Data); read >= 100 {
			break
		}
	}
	if err := ana.CancelEvent(t.Context(), id, "enough"); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("the handler ended without a cause")
	}
}
