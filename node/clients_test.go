package node_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// device listens as one device of ann, at a node.
func device(t *testing.T, n *node.Node, name string) *client.Client {
	t.Helper()
	c, err := client.Dial(t.Context(), client.Options{Nodes: []string{n.ClientURL()}, ClientID: "ann", DeviceID: name})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.Listen(t.Context(), client.ListenOptions{}, func(context.Context, *client.Notification) error { return nil })
	}()
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestPresence: whichever node is asked, a client's devices are seen where they are,
// also when the node that held one, and the leader that knew of it, are gone.
func TestPresence(t *testing.T) {
	nodes := startThree(t)
	// wanted says on which of the nodes each connected device may be.
	seen := func(asked *node.Node, wanted map[string]string) error {
		want := maps.Clone(wanted)
		h, err := client.NewHTTP(client.Options{Nodes: []string{asked.ClientURL()}})
		if err != nil {
			return err
		}
		p, raw, err := h.Client(t.Context(), "ann")
		if err != nil {
			return err
		}
		for _, d := range p.Devices {
			if d.Connected != (len(d.Nodes) > 0) || d.Connected && !strings.Contains(want[d.DeviceID], strings.Join(d.Nodes, " ")) {
				return fmt.Errorf("seen is %s, want %v", raw, want)
			}
			if d.Connected {
				delete(want, d.DeviceID)
			}
		}
		if len(want) > 0 {
			return fmt.Errorf("not seen are %v in %s", want, raw)
		}
		return nil
	}
	device(t, nodes[0], "phone")
	tablet := device(t, nodes[1], "tablet")
	device(t, nodes[2], "watch")
	for _, n := range nodes {
		waitFor(t, "three devices", func() error { return seen(n, map[string]string{"phone": "n1", "tablet": "n2", "watch": "n3"}) })
	}
	if err := tablet.Close(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the tablet is gone", func() error { return seen(nodes[2], map[string]string{"phone": "n1", "watch": "n3"}) })
	if err := nodes[2].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes[:2] { // The watch goes where the node that it leaves tells it to.
		waitFor(t, "the phone stays", func() error { return seen(n, map[string]string{"phone": "n1", "watch": "n1 n2"}) })
	}
}
