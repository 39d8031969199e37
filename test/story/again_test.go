package story

import (
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

// "The phone lost its connection after it had sent the order. Did it arrive? If we
// send it again the customer may pay twice, if we do not he may get nothing."
//
// Sixteen orders, of as many customers, are sent with a key each over a
// connection that ends before any answer; then again, in full, to another node;
// and again after the node that leads most partitions was killed. The workers see
// one event for each. One of them repeats its complete, over another node, because
// it did not hear the answer.
func sendingAgainIsRecognized(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const channel, count = "again.orders", 16
	shop := &fleet.Person{Name: "shop", Fleet: f}
	var orders []string
	for i := range count {
		orders = append(orders, fmt.Sprintf("order-%d", i+1))
	}

	lost := fleet.OpenSession(t, f.Nodes[0], fleet.Fields{"client_id": shop.Name})
	for i, order := range orders {
		lost.Send(t, fleet.Fields{"type": "publish", "id": i + 1, "channel": channel, "key": order, "idempotency_key": order, "data": order})
	}
	lost.Close()

	events := make(map[string]string)
	send := func(t *testing.T, c *client.Client) (known int) {
		t.Helper()
		for _, order := range orders {
			event := client.Event{Channel: channel, Key: order, IdempotencyKey: order, Data: order}
			receipt, err := c.Publish(t.Context(), event)
			if err != nil {
				t.Fatal(err)
			}
			shop.History.Add(history.Published{Client: shop.Name, Key: order, EventID: receipt.EventID, Duplicate: receipt.Duplicate})
			if first := events[order]; first != "" && first != receipt.EventID {
				t.Errorf("%s is event %s and event %s", order, first, receipt.EventID)
			}
			events[order] = receipt.EventID
			if receipt.Duplicate {
				known++
			}
		}
		return known
	}
	second := shop.Connect(t, 1)
	t.Logf("%d of %d orders had arrived before the connection was lost", send(t, second), count)
	if known := send(t, second); known != count {
		t.Errorf("%d of %d orders were recognized", known, count)
	}
	_ = second.Close()

	nodes, leads := f.ByLeadership(t)
	t.Logf("%s is killed, which leads %d groups", nodes[0].Name, leads[nodes[0]])
	nodes[0].Process.Kill()
	third := shop.Connect(t, 2)
	if known := send(t, third); known != count {
		t.Errorf("%d of %d orders were recognized after a leader's death", known, count)
	}
	f.Start(t, nodes[0])
	f.AwaitReady(t)

	completeTwice(t, shop, channel)
	shop.Worker(t, 1, "packer", channel)
	shop.Listen(t, third, count)
	shop.Lastly(t, third, channel)
}

// completeTwice has a worker complete a job, lose its connection, and complete the
// job again over another node.
func completeTwice(t *testing.T, shop *fleet.Person, channel string) {
	t.Helper()
	first := fleet.OpenSession(t, shop.Fleet.Nodes[0], fleet.Fields{"name": "hasty"})
	job := first.Job(t, channel, fleet.Patience)
	shop.History.Add(history.Granted{Worker: "hasty", EventID: job.EventID, Attempt: job.Attempt, Fence: job.Fence})
	order := fmt.Sprint(job.Data)
	first.Send(t, fleet.Fields{"type": "complete", "id": 100, "lease": job.Lease, "notify": []fleet.Fields{{"name": "done", "data": order}}})
	first.Close()
	second := fleet.OpenSession(t, shop.Fleet.Nodes[1], fleet.Fields{"name": "hasty"})
	for again := range 2 {
		answer := second.Complete(t, job, order)
		if answer.Type != "ok" || again > 0 && !answer.Duplicate {
			t.Fatalf("the complete was answered with %+v", answer)
		}
		shop.History.Add(history.Answered{
			Worker: "hasty", EventID: job.EventID, Fence: job.Fence, Completed: true, Repeated: answer.Duplicate && again > 0,
		})
	}
}
