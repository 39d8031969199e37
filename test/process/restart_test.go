package process

import (
	"context"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

// TestRestartedNodeKnowsNoWorkers: a lease outlives the node that its worker was
// connected to. Whoever connects to that node after its restart, as the first
// one again, is not taken for the worker that held it.
func TestRestartedNodeKnowsNoWorkers(t *testing.T) {
	needProcesses(t)
	f := fleet.Start(t, binary)
	n := f.Nodes[0]
	c := fleet.Dial(t, client.Options{Nodes: f.URLs(1), InOrder: true, GivenOnly: true})
	publish := func(channel string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), fleet.Patience)
		defer cancel()
		receipt, err := c.Publish(ctx, client.Event{Channel: channel, Key: "one partition"})
		if err != nil {
			t.Fatal(err)
		}
		return receipt.EventID
	}
	held := publish("before")
	if job := fleet.OpenSession(t, n, fleet.Fields{"name": "before"}).Job(t, "before", time.Hour); job.EventID != held {
		t.Fatalf("the job is %+v, want event %s", job, held)
	}
	n.Process.Kill()
	f.Start(t, n)
	f.AwaitReady(t)
	after := fleet.OpenSession(t, n, fleet.Fields{"name": "after"})
	if answer := after.Request(t, "subscribe", fleet.Fields{"channel": "after", "credit": 4}); answer.Type != "ok" {
		t.Fatalf("subscribe: %+v", answer)
	}
	own := publish("after")
	if job := after.Await(t, "a job", func(m *fleet.Message) bool { return m.Type == "job" }); job.EventID != own || job.Channel != "after" {
		t.Errorf("a worker of channel after was given event %s of channel %s, want %s", job.EventID, job.Channel, own)
	}
}
