package process

import (
	"context"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
)

// TestRestartedNodeKnowsNoWorkers: a lease outlives the node that its worker was
// connected to. Whoever connects to that node after its restart, as the first
// one again, is not taken for the worker that held it.
func TestRestartedNodeKnowsNoWorkers(t *testing.T) {
	needProcesses(t)
	f := startFleet(t)
	n := f.nodes[0]
	c := dial(t, client.Options{Nodes: f.urls(1), InOrder: true, GivenOnly: true})
	publish := func(channel string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		receipt, err := c.Publish(ctx, client.Event{Channel: channel, Key: "one partition"})
		if err != nil {
			t.Fatal(err)
		}
		return receipt.EventID
	}
	held := publish("before")
	if job := openSession(t, n, fields{"name": "before"}).job(t, "before", time.Hour); job.EventID != held {
		t.Fatalf("the job is %+v, want event %s", job, held)
	}
	n.process.kill()
	f.start(t, n)
	f.awaitReady(t)
	after := openSession(t, n, fields{"name": "after"})
	if answer := after.request(t, "subscribe", fields{"channel": "after", "credit": 4}); answer.Type != "ok" {
		t.Fatalf("subscribe: %+v", answer)
	}
	own := publish("after")
	if job := after.await(t, "a job", func(m *message) bool { return m.Type == "job" }); job.EventID != own || job.Channel != "after" {
		t.Errorf("a worker of channel after was given event %s of channel %s, want %s", job.EventID, job.Channel, own)
	}
}
