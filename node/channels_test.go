package node_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/node"
)

// TestChannelSettingsOfAllNodes: settings that one node is told are in force in
// every partition when it answers, whoever works where, and every replica has
// them. Two that change different settings at once both get their way.
func TestChannelSettingsOfAllNodes(t *testing.T) {
	nodes := startThree(t)
	once, group := uint64(1), map[string]string{"audit": "earliest"}
	order := "key"
	changed := make(chan error, 2)
	go func() {
		_, err := httpOf(t, nodes[0]).ChangeChannel(t.Context(), "strict", client.ChannelSettings{MaxAttempts: &once, Groups: group})
		changed <- err
	}()
	go func() {
		_, err := httpOf(t, nodes[1]).ChangeChannel(t.Context(), "strict", client.ChannelSettings{Order: &order})
		changed <- err
	}()
	if err := errors.Join(<-changed, <-changed); err != nil {
		t.Fatal(err)
	}
	c := dialNode(t, nodes[0])
	const events = 16
	for i := range events {
		if _, err := c.Publish(t.Context(), client.Event{Channel: "strict", Key: fmt.Sprint("key-", i), Data: i}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var worked atomic.Int32
	worker, ended := dialNode(t, nodes[1]), make(chan error, 1)
	go func() {
		ended <- worker.Work(ctx, client.WorkOptions{Channel: "strict", Credit: 4}, func(context.Context, *client.Job) error {
			worked.Add(1)
			return errors.New("not today")
		})
	}()
	waitFor(t, "every event is a dead letter", func() error {
		page, err := httpOf(t, nodes[2]).DeadLetters(t.Context(), client.Letters{Channel: "strict"})
		if err == nil && len(page.DeadLetters) != events {
			err = fmt.Errorf("%d are", len(page.DeadLetters))
		}
		return err
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if worked.Load() != events {
		t.Errorf("%d attempts, want one for each of %d events", worked.Load(), events)
	}
	channel, _, err := httpOf(t, nodes[2]).Channel(t.Context(), "strict")
	if err != nil {
		t.Fatal(err)
	}
	if *channel.Settings.MaxAttempts != 1 || *channel.Settings.Order != order || channel.Stored != events || len(channel.Groups) != 2 {
		t.Errorf("the channel is %+v", channel)
	}
	for group := range uint32(node.DefaultPartitions + 1) {
		waitFor(t, fmt.Sprintf("group %d agrees", group), func() error { return agree(nodes, group) })
	}
}
