package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
)

// TestWhy: an event that no worker is there for says so, and one that a worker has tells
// whose it is; whichever node is asked.
func TestWhy(t *testing.T) {
	nodes := startThree(t)
	c := dialNode(t, nodes[0])
	published, err := c.Publish(t.Context(), client.Event{Channel: "asked", Key: "k", Data: 1})
	if err != nil {
		t.Fatal(err)
	}
	asked := func(node int) client.WhyGroup {
		why, err := httpOf(t, nodes[node]).Why(t.Context(), published.EventID)
		if err != nil || len(why.Groups) != 1 {
			t.Fatalf("%+v %v", why, err)
		}
		return why.Groups[0]
	}
	for node := range nodes {
		if g := asked(node); g.Reason != "in_line" || g.Workers == nil || *g.Workers != 0 {
			t.Fatalf("nobody is there for it: %+v", g)
		}
	}
	held := make(chan struct{})
	defer close(held)
	startWork(t, dialNode(t, nodes[1]), "asked", func(context.Context, *client.Job) error {
		<-held
		return nil
	})
	waitFor(t, "a worker has it", func() error {
		if g := asked(2); g.Reason != "leased" || g.Node == "" {
			return fmt.Errorf("%+v", g)
		}
		return nil
	})
	if _, err := httpOf(t, nodes[0]).Why(t.Context(), published.EventID[:len(published.EventID)-1]+"9"); !errors.Is(err, client.ErrNotFound) {
		t.Fatalf("of no event: %v", err)
	}
}
