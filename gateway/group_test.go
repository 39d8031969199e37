package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// askGroup subscribes to a group that nobody has answered for yet.
func (e *edge) askGroup(c *client, id int, from string) (*fakeSubscription, ensureCall) {
	e.t.Helper()
	c.send(fmt.Sprintf(`{"type":"subscribe","id":%d,"channel":"c","group":"g"%s,"credit":7}`, id, from))
	return <-e.broker.subscribed, <-e.broker.ensures
}

// TestSubscribeGroup: ok waits until every partition has the group, and the
// connection does not; nothing is lent before.
func TestSubscribeGroup(t *testing.T) {
	for wish, want := range map[string]command.GroupFrom{
		"": command.FromNew, `,"from":"new"`: command.FromNew, `,"from":"earliest"`: command.FromEarliest,
	} {
		e := newEdge(t)
		e.broker.set(func() { e.broker.hold = true })
		c := e.connect()
		c.send(`{"type":"hello","name":"worker"}`)
		session, _ := c.expect("welcome")["session"].(string)
		s, call := e.askGroup(c, 1, wish)
		if call.GroupSpec != (GroupSpec{Channel: "c", Group: "g", From: want}) {
			t.Errorf("from %q it asks for %+v", wish, call)
		}
		if want := (SubscriptionSpec{Channel: "c", Group: "g", Worker: "worker"}); s.spec != want {
			t.Errorf("the subscription is %+v", s.spec)
		}
		c.alive()
		c.send(fmt.Sprintf(`{"type":"credit","subscription":"s1-%s","credit":1}`, session[:8]))
		c.expectError(404, "not_found")
		call.to.Reply(call.slot, &command.Result{})
		m := c.expect("ok")
		has(t, m, "id", 1.0)
		if credit := <-s.credits; credit != 7 {
			t.Errorf("credit is %d", credit)
		}
		c.send(fmt.Sprintf(`{"type":"credit","subscription":%q,"credit":2}`, m["subscription"]))
		if credit := <-s.credits; credit != 2 {
			t.Errorf("credit is %d then", credit)
		}
		token := e.push(c, s, leaseOf(3, 44))
		c.send(fmt.Sprintf(`{"type":"complete","id":2,"lease":%q}`, token))
		if sub := e.submission(); sub.through != "end" {
			t.Errorf("the end went by %s", sub.through)
		}
		c.send(fmt.Sprintf(`{"type":"unsubscribe","id":3,"subscription":%q}`, m["subscription"]))
		has(t, c.expect("ok"), "id", 3.0)
		<-s.closed
	}
}

// TestCreditBesideItsSubscription: a client that gives another credit as soon as
// it is told ok has that one in the end, though the first one is slow to arrive.
func TestCreditBesideItsSubscription(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.hold = true })
	c := e.open(`{"type":"hello"}`)
	s, call := e.askGroup(c, 1, "")
	begun, others := make(chan struct{}), make(chan struct{})
	s.slow = func(credit uint32) {
		if credit == 7 {
			close(begun)
			<-others
		}
	}
	replied := make(chan struct{})
	go func() {
		defer close(replied)
		call.to.Reply(call.slot, &command.Result{})
	}()
	m := c.expect("ok")
	<-begun
	c.send(fmt.Sprintf(`{"type":"credit","subscription":%q,"credit":2}`, m["subscription"]))
	if credit := <-s.credits; credit != 2 {
		t.Errorf("credit is %d", credit)
	}
	close(others)
	<-replied
	if first, last := <-s.credits, <-s.credits; first != 7 || last != 2 {
		t.Errorf("credit is %d and then %d", first, last)
	}
}

// TestSubscribeGroupAtOnce: a group that is known to be there is answered within
// the call.
func TestSubscribeGroupAtOnce(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s, _ := e.askGroup(c, 1, "")
	c.expect("ok")
	if credit := <-s.credits; credit != 7 {
		t.Errorf("credit is %d", credit)
	}
}

// TestSubscribeGroupRefused: the refusal is the answer, the subscription is over
// and takes no place.
func TestSubscribeGroupRefused(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.hold = true })
	c := e.open(`{"type":"hello"}`)
	for id := range 70 { // More than a connection may have.
		s, call := e.askGroup(c, id, "")
		call.to.Reply(call.slot, &command.Result{Reason: command.BadRequest, Message: "the channel has 64 groups"})
		m := c.expect("error")
		has(t, m, "id", float64(id))
		has(t, m, "reason", "bad_request")
		has(t, m, "message", "the channel has 64 groups")
		<-s.closed
	}
	_, call := e.askGroup(c, 99, "")
	call.to.Reply(call.slot, &command.Result{Reason: command.NoLeader})
	has(t, c.expect("error"), "retryable", true)
}

// TestSubscribeGroupCounts: subscriptions that wait for their group count, as
// subscriptions and as requests.
func TestSubscribeGroupCounts(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.hold = true })
	c := e.open(`{"type":"hello"}`)
	for range 63 {
		e.askGroup(c, 1, "")
	}
	c.send(`{"type":"subscribe","id":2,"channel":"c","credit":1}`)
	c.expect("ok")
	c.send(`{"type":"subscribe","id":3,"channel":"c","group":"g","credit":1}`)
	c.expectError(503, "overloaded")
	other := newEdge(t)
	other.broker.set(func() { other.broker.hold = true })
	c = other.open(`{"type":"hello"}`)
	for i := range 64 {
		c.send(fmt.Sprintf(`{"type":"publish","id":%d,"channel":"c","data":1}`, i))
		other.submission()
	}
	c.send(`{"type":"subscribe","id":99,"channel":"c","group":"g","credit":1}`)
	c.expectError(429, "too_many_in_flight")
	select {
	case s := <-other.broker.subscribed:
		t.Errorf("refused, and subscribed as %+v", s.spec)
	default:
	}
}

// TestSubscribeGroupOutlived: the answer comes when the session is over.
func TestSubscribeGroupOutlived(t *testing.T) {
	for _, reason := range []command.Reason{command.Done, command.NoLeader} {
		e := newEdge(t)
		e.broker.set(func() { e.broker.hold = true })
		c := e.open(`{"type":"hello"}`)
		s, call := e.askGroup(c, 1, "")
		c.send(`{"type":"bye"}`)
		<-s.closed
		call.to.Reply(call.slot, &command.Result{Reason: reason}) // It would close s again, and that would panic.
		select {
		case credit := <-s.credits:
			t.Errorf("%d are lent to nobody", credit)
		default:
		}
	}
}

// TestGroupsAreMadeForAllTenants: who works for one tenant finds the groups that
// there are, and makes none.
func TestGroupsAreMadeForAllTenants(t *testing.T) {
	e, v := newClosedEdge(t)
	e.broker.set(func() { e.broker.hold = true })
	for tenant, existing := range map[string]bool{"acme": true, command.AllTenants: false} {
		key, _ := v.add(command.Key{Tenant: tenant, Roles: command.RoleWorker, Work: []string{"*"}})
		c := e.open(`{"type":"hello","token":"` + key + `"}`)
		s, call := e.askGroup(c, 1, `,"from":"earliest"`)
		if want := (GroupSpec{Channel: "c", Group: "g", From: command.FromEarliest, Existing: existing}); call.GroupSpec != want {
			t.Errorf("%s asks for %+v", tenant, call.GroupSpec)
		}
		call.to.Reply(call.slot, &command.Result{Reason: command.Forbidden, Message: "there is no such group"})
		has(t, c.expectError(403, "forbidden"), "message", "there is no such group")
		<-s.closed
		_, call = e.askGroup(c, 2, "")
		call.to.Reply(call.slot, &command.Result{Duplicate: true})
		has(t, c.expect("ok"), "id", 2.0)
	}
}

// TestOthersGroupsAreNotListed: of a shared channel a tenant sees the groups in which
// it has something to do.
func TestOthersGroupsAreNotListed(t *testing.T) {
	e, v := newClosedEdge(t)
	for tenant, seen := range map[string]bool{"acme": false, command.AllTenants: true} {
		key, _ := v.add(command.Key{Tenant: tenant, Roles: command.RoleAdmin})
		for _, path := range []string{"/v1/channels?tenant=acme", "/v1/channels/shared?tenant=acme"} {
			request := e.request("GET", path, "")
			request.Header.Set("Authorization", "Bearer "+key)
			text := e.do(t, request, 200, "")
			containsAll(t, text, `"default"`, `"busy"`, `"held"`)
			if strings.Contains(text, `"others"`) != seen {
				t.Errorf("%s sees %s", tenant, text)
			}
		}
	}
}
