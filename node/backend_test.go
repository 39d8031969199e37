package node_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/batonmq/baton/client"
)

// ears are what a backend heard for its clients.
type ears struct {
	mu    sync.Mutex
	heard map[string][]string
}

func (e *ears) hear(n *client.Notification) {
	var text string
	if n.Data.Decode(&text) != nil {
		text = "?"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[n.ClientID] = append(e.heard[n.ClientID], text)
}

// has wants each client to have been told each of these, once.
func (e *ears) has(clients, texts []string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range clients {
		got := slices.Clone(e.heard[id])
		if slices.Sort(got); !slices.Equal(got, texts) {
			return fmt.Errorf("%s heard %q, want %q", id, got, texts)
		}
	}
	return nil
}

// TestBackend: a team's own WebSocket server listens for its clients on one connection,
// publishes for them and tells them all something; the node that it is connected to
// stops, and each of them has been told everything once.
func TestBackend(t *testing.T) {
	nodes := startThree(t)
	backend, err := client.Dial(t.Context(), client.Options{Nodes: []string{nodes[2].ClientURL(), nodes[0].ClientURL(), nodes[1].ClientURL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = backend.Close() })
	worker, err := client.Dial(t.Context(), client.Options{Nodes: []string{nodes[0].ClientURL()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.Close() })
	go func() {
		_ = worker.Work(t.Context(), client.WorkOptions{Channel: "ask"}, func(_ context.Context, job *client.Job) error {
			job.Notify("answer", "for "+job.ClientID)
			return nil
		})
	}()
	var clients []string
	all := &ears{heard: make(map[string][]string)}
	for i := range 60 {
		id := fmt.Sprintf("user-%d", i)
		clients = append(clients, id)
		go func() {
			_ = backend.ListenFor(t.Context(), client.ListenForOptions{ClientID: id}, func(_ context.Context, n *client.Notification) error {
				all.hear(n)
				return nil
			})
		}()
	}
	tell := func(text string) {
		t.Helper()
		if _, err := backend.Broadcast(t.Context(), client.Broadcast{ClientIDs: clients, Name: "news", Data: text}); err != nil {
			t.Fatal(err)
		}
	}
	tell("before")
	waitFor(t, "the first news", func() error { return all.has(clients, []string{"before"}) })
	for _, id := range clients[:10] {
		if _, err := backend.Publish(t.Context(), client.Event{Channel: "ask", ClientID: id}); err != nil {
			t.Fatal(err)
		}
	}
	if err := nodes[2].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	tell("later")
	waitFor(t, "the last news", func() error { return all.has(clients[10:], []string{"before", "later"}) })
	for _, id := range clients[:10] {
		waitFor(t, "the answers", func() error { return all.has([]string{id}, []string{"before", "for " + id, "later"}) })
	}
}
