package node_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// waitFor looks again until done, or fails with what was missing.
func waitFor(t *testing.T, what string, done func() error) {
	t.Helper()
	deadline := time.NewTimer(time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s: %v", what, err)
		case <-tick.C:
		}
	}
}

func startThree(t *testing.T, change ...func(*node.Config)) []*node.Node {
	t.Helper()
	var nodes []*node.Node
	for i := range 3 {
		config := node.Config{
			Name: fmt.Sprintf("n%d", i+1), DataDir: t.TempDir(), BootstrapExpect: 3,
			Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
		}
		if i > 0 {
			config.Join = []string{nodes[0].GossipAddress()}
		}
		for _, do := range change {
			do(&config)
		}
		n, err := node.New(config)
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = n.Stop(context.Background()) })
		nodes = append(nodes, n)
	}
	for _, n := range nodes {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
	}
	return nodes
}

// TestThreeNodesAgree: one idempotency key sent many times over all nodes is one
// event, and the replicas of every group end with equal hashes.
func TestThreeNodesAgree(t *testing.T) {
	nodes := startThree(t)
	receipts := make(chan client.Receipt, 30)
	for i := range 30 {
		c, err := client.Dial(t.Context(), client.Options{Nodes: []string{nodes[i%3].ClientURL()}, ClientID: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		go func() {
			receipt, err := c.Publish(t.Context(), client.Event{Channel: "once", IdempotencyKey: "k", Data: []byte(`1`)})
			if err != nil {
				t.Error(err)
			}
			receipts <- receipt
		}()
	}
	first, fresh := (<-receipts), 0
	for i := range 30 {
		receipt := first
		if i > 0 {
			receipt = <-receipts
		}
		if receipt.EventID != first.EventID {
			t.Errorf("event %s and event %s under one key", receipt.EventID, first.EventID)
		}
		if !receipt.Duplicate {
			fresh++
		}
	}
	if fresh != 1 {
		t.Errorf("%d answers were not duplicates, want 1", fresh)
	}
	for group := range uint32(9) {
		waitFor(t, fmt.Sprintf("group %d agrees", group), func() error { return agree(nodes, group) })
	}
}

var errDiffer = errors.New("replicas are not at one index yet")

func agree(nodes []*node.Node, group uint32) error {
	index, chain, digest, err := nodes[0].Digest(group)
	if err != nil {
		return err
	}
	for _, n := range nodes[1:] {
		i, c, d, err := n.Digest(group)
		if err != nil {
			return err
		}
		if i != index {
			return errDiffer
		}
		if c != chain || d != digest {
			return fmt.Errorf("group %d at %d: chain %x and %x, digest %x and %x", group, i, chain, c, digest, d)
		}
	}
	return nil
}
