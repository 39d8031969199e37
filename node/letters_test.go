package node_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// TestDeadLettersOfAllNodes: events of many keys fail for good on one node; any
// other lists them all, page by page, and redrives them; the workers then get
// what was edited, and every replica agrees.
func TestDeadLettersOfAllNodes(t *testing.T) {
	nodes := startThree(t)
	c := dialNode(t, nodes[0])
	const want = 24
	for range want / 8 {
		publishLetters(t, c)
	}
	workLetters(t, nodes[1], want, func(*client.Job) error { return client.Permanent(errors.New("no")) })()
	var letters []client.DeadLetter
	other := httpOf(t, nodes[2])
	for meant := (client.Letters{Channel: "letters", Limit: 5}); ; {
		page, err := other.DeadLetters(t.Context(), meant)
		if err != nil {
			t.Fatal(err)
		}
		letters = append(letters, page.DeadLetters...)
		if meant.Cursor = page.Cursor; meant.Cursor == "" {
			break
		}
	}
	checkLetters(t, letters, want)
	edited := letters[3].EventID
	if err := httpOf(t, nodes[0]).Redrive(t.Context(), edited, client.Edit{Edited: true, Data: "edited"}); err != nil {
		t.Fatal(err)
	}
	if err := httpOf(t, nodes[1]).Redrive(t.Context(), edited, client.Edit{}); !errors.Is(err, client.ErrNotFound) {
		t.Fatalf("a second redrive: %v", err)
	}
	swept, err := httpOf(t, nodes[1]).RedriveAll(t.Context(), client.Letters{Channel: "letters"})
	if err != nil || swept.Redriven != want-1 || swept.Cursor != "" {
		t.Fatalf("%+v %v", swept, err)
	}
	var mu sync.Mutex
	data := make(map[string]string)
	workLetters(t, nodes[2], want, func(job *client.Job) error {
		mu.Lock()
		defer mu.Unlock()
		data[job.EventID] = fmt.Sprintf("%d %s", job.Attempt, job.Data)
		return nil
	})()
	for i := range letters {
		expected := `2 "as it was"`
		if letters[i].EventID == edited {
			expected = `2 "edited"`
		}
		if got := data[letters[i].EventID]; got != expected {
			t.Errorf("%s was worked on with %s, want %s", letters[i].EventID, got, expected)
		}
	}
	countsLetters(t, nodes)
	for group := range uint32(9) {
		waitFor(t, fmt.Sprintf("group %d agrees", group), func() error { return agree(nodes, group) })
	}
}

func checkLetters(t *testing.T, letters []client.DeadLetter, want int) {
	t.Helper()
	partitions, seen := make(map[string]bool), make(map[string]bool)
	for i := range letters {
		d := &letters[i]
		partitions[d.EventID[:10]], seen[d.EventID] = true, true
		if i > 0 && d.Time < letters[i-1].Time {
			t.Errorf("letter %d was published before the one before it", i)
		}
		if d.Reason != "permanent" || len(d.Attempts) != 1 || d.Attempts[0].Message != "no" || !d.Redrivable {
			t.Errorf("%+v", d)
		}
	}
	if len(letters) != want || len(seen) != want {
		t.Fatalf("%d letters, %d events, want %d", len(letters), len(seen), want)
	}
	if len(partitions) < 2 {
		t.Fatal("all letters are of one partition")
	}
}

func dialNode(t *testing.T, n *node.Node) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Options{Nodes: []string{n.ClientURL()}, ClientID: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func httpOf(t *testing.T, n *node.Node) *client.HTTP {
	t.Helper()
	h, err := client.NewHTTP(client.Options{Nodes: []string{n.ClientURL()}})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func publishLetters(t *testing.T, c *client.Client) {
	t.Helper()
	for i := range 8 {
		if _, err := c.Publish(t.Context(), client.Event{Channel: "letters", Key: fmt.Sprintf("key-%d", i), Data: "as it was"}); err != nil {
			t.Fatal(err)
		}
	}
}

// workLetters starts a worker of so many jobs; the function returned waits for it.
func workLetters(t *testing.T, n *node.Node, jobs int, handle func(*client.Job) error) (wait func()) {
	t.Helper()
	c := dialNode(t, n)
	ctx, stop := context.WithCancel(t.Context())
	var mu sync.Mutex
	ended := make(chan error, 1)
	options := client.WorkOptions{Channel: "letters", Credit: 4, Report: func(*client.Job, error) {
		mu.Lock()
		defer mu.Unlock()
		if jobs--; jobs == 0 {
			stop()
		}
	}}
	go func() {
		ended <- c.Work(ctx, options, func(_ context.Context, job *client.Job) error { return handle(job) })
	}()
	return func() {
		t.Helper()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

// countsLetters finds the dead letters in the nodes' metrics.
func countsLetters(t *testing.T, nodes []*node.Node) {
	t.Helper()
	found := make(map[string]float64)
	for _, n := range nodes {
		response, err := http.Get(n.ClientURL() + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(body)) {
			for _, name := range []string{
				`baton_dead_letters_total{channel="letters",reason="permanent"} `,
				`baton_dead_letters_ended_total{channel="letters",how="redriven"} `,
			} {
				if text, is := strings.CutPrefix(line, name); is {
					count, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
					if err != nil {
						t.Fatal(err)
					}
					found[name] += count
				}
			}
		}
	}
	if len(found) != 2 {
		t.Errorf("the nodes have counted %v", found)
	}
}
