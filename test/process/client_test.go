package process

import (
	"fmt"
	"slices"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
	"github.com/batonmq/baton/test/history"
)

// keyIsSentOften: one key, a hundred times at once over all nodes, is one event.
func keyIsSentOften(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const times = 100
	p := &fleet.Person{Name: "often", Fleet: f}
	connections := []*client.Client{p.Connect(t, 0), p.Connect(t, 1), p.Connect(t, 2)}
	receipts, begin := make(chan client.Receipt, times), make(chan struct{})
	for i := range times {
		go func() {
			<-begin
			event := client.Event{Channel: "often", IdempotencyKey: "job", Data: "job"}
			receipt, err := connections[i%len(connections)].Publish(t.Context(), event)
			if err != nil {
				t.Error(err)
			}
			receipts <- receipt
		}()
	}
	close(begin)
	fresh, events := 0, make(map[string]bool)
	for range times {
		r := <-receipts
		p.History.Add(history.Published{Client: p.Name, Key: "job", EventID: r.EventID, Duplicate: r.Duplicate})
		events[r.EventID] = true
		if !r.Duplicate {
			fresh++
		}
	}
	if len(events) != 1 || fresh != 1 {
		t.Errorf("%d events, %d of %d answers say that it is new; want one of each", len(events), fresh, times)
	}
	p.Worker(t, 1, "worker", "often")
	if keys := p.Listen(t, connections[2], 1); keys[0] != "job" {
		t.Errorf("the answer is %s", keys[0])
	}
	p.Lastly(t, connections[2], "often")
}

// clientGoesAway: a client whose connection ends without the answers, first to
// its publishes, then to its questions, finds each answer once and in order
// wherever it comes back.
func clientGoesAway(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const events, before = 10, 4
	p := &fleet.Person{Name: "away", Fleet: f}
	var keys []string
	for i := range events {
		keys = append(keys, fmt.Sprintf("job-%d", i+1))
	}
	gone := fleet.OpenSession(t, f.Nodes[0], fleet.Fields{"client_id": p.Name})
	for i, key := range keys[:events/2] {
		gone.Send(t, fleet.Fields{"type": "publish", "id": i + 1, "channel": "away", "idempotency_key": key, "data": key})
	}
	gone.Close()
	again := p.Connect(t, 1)
	for _, key := range keys {
		p.Publish(t, again, "away", key)
	}
	_ = again.Close()
	p.Worker(t, 0, "worker", "away")
	third := p.Connect(t, 2)
	got := p.Listen(t, third, before)
	_ = third.Close()
	// What was not acknowledged before the connection ended may come again; the
	// history knows by its number that it is the same.
	fourth := p.Connect(t, 0)
	for len(got) < events || got[len(got)-1] != keys[events-1] {
		got = append(got, p.Listen(t, fourth, 1)...)
	}
	_ = fourth.Close()
	var last *client.Client
	fleet.WaitFor(t, "all is acknowledged", func() error {
		last = p.Connect(t, 1)
		if late := p.Missed(t, last); len(late) > 0 {
			_ = last.Close()
			return fmt.Errorf("%v came again", late)
		}
		return nil
	})
	if order := slices.Compact(slices.Sorted(slices.Values(got))); len(order) != events {
		t.Errorf("%v came, want %v", got, keys)
	}
	p.Lastly(t, last, "away")
}
