package story

import (
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
	"github.com/batonmq/baton/test/fleet"
)

const limitEvents, limitQuestions = "limit.events", "limit.questions"

// "A customer's script has a bug and sends everything at once. Either it takes
// the service down for all, or it is cut off and nobody can say what it had sent."
//
// One connection sends floods of 200 requests without waiting for an answer. What
// is over its limit is refused at once, with a time after which to try again, and
// nothing of it is stored; the connection stays. Somebody else, at the same node,
// asks in between and is answered each time.
func tooMuchIsRefused(t *testing.T, f *fleet.Fleet) {
	t.Helper()
	const floods, each = 3, 200
	flooding := fleet.OpenSession(t, f.Nodes[0], fleet.Fields{"name": "script"})
	lou := &fleet.Person{Name: "lou", Fleet: f}
	byHand := fleet.OpenSession(t, f.Nodes[0], fleet.Fields{"client_id": "lou-by-hand"})
	other := lou.Connect(t, 0)
	lou.Worker(t, 0, "limit-worker", limitQuestions)

	event := func(n int) fleet.Fields {
		return fleet.Fields{"type": "publish", "id": n, "channel": limitEvents, "idempotency_key": fmt.Sprintf("flood-%d", n), "data": n}
	}
	accepted := make(map[uint64]string)
	refused := make(map[uint64]bool)
	for flood := range floods {
		var all []fleet.Fields
		for i := range each {
			all = append(all, event(flood*each+i+1))
		}
		flooding.Send(t, all...)
		nobodyNotices(t, flood, byHand, lou, other)
		for range each {
			answer := flooding.Await(t, "an answer to a flood", func(m *fleet.Message) bool { return m.ID != 0 })
			switch {
			case answer.Type == "ok" && !answer.Duplicate:
				accepted[answer.ID] = answer.EventID
			case answer.Code == 429 && answer.Reason == "too_many_in_flight" && answer.Retryable && answer.RetryAfterMS > 0:
				refused[answer.ID] = true
			default:
				t.Fatalf("an event of the flood was answered with %+v", answer)
			}
		}
	}
	t.Logf("of %d requests %d were accepted and %d refused", floods*each, len(accepted), len(refused))
	if len(refused) == 0 || len(accepted)+len(refused) != floods*each {
		t.Errorf("%d were accepted and %d refused, of %d", len(accepted), len(refused), floods*each)
	}
	tryAgain(t, flooding, event, refused)
	lou.Check(t)
}

// nobodyNotices has somebody else publish, by hand and with the client, and be
// answered.
func nobodyNotices(t *testing.T, flood int, byHand *fleet.Session, lou *fleet.Person, c *client.Client) {
	t.Helper()
	for i := range 3 {
		key := fmt.Sprintf("question-%d-%d", flood, i)
		if answer := byHand.Request(t, "publish", fleet.Fields{"channel": limitEvents, "data": key}); answer.Type != "ok" {
			t.Errorf("somebody else's publish was answered with %+v", answer)
		}
		lou.Publish(t, c, limitQuestions, key)
		if keys := lou.Listen(t, c, 1); keys[0] != key {
			t.Errorf("somebody else's answer is %s, want %s", keys[0], key)
		}
	}
}

// tryAgain sends what was refused, one after the other on the connection that it
// was refused on: it is new, so the refusal had stored nothing.
func tryAgain(t *testing.T, s *fleet.Session, event func(int) fleet.Fields, refused map[uint64]bool) {
	t.Helper()
	for n := range refused {
		s.Send(t, event(int(n)))
		answer := s.Await(t, "an answer", func(m *fleet.Message) bool { return m.ID == n })
		if answer.Type != "ok" || answer.Duplicate {
			t.Errorf("what had been refused was answered with %+v when it was sent again", answer)
		}
	}
}
