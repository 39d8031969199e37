package gateway

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// follow begins a follower and returns the cluster's end of it, and its id.
func (e *edge) follow(c *client, fields string) (*fakeFollower, string) {
	e.t.Helper()
	c.send(`{"type":"follow","id":1,"channel":"c"` + fields + `}`)
	m := c.expect("ok")
	has(e.t, m, "id", 1.0)
	has(e.t, m, "cursor", "cursor0")
	id, _ := m["subscription"].(string)
	return <-e.broker.followed, id
}

// TestFollow: what a client asks for is what the cluster is asked for.
func TestFollow(t *testing.T) {
	e := newEdge(t)
	one := e.open(`{"type":"hello","tenant":"acme"}`)
	all := e.open(`{"type":"hello"}`)
	for fields, want := range map[string]FollowSpec{
		``:                                     {Channel: "c", Window: 64},
		`,"from":"new","window":9`:             {Channel: "c", Window: 9},
		`,"from":"earliest","window":100000`:   {Channel: "c", Start: FollowEarliest, Window: 4096},
		`,"from":{"cursor":"k"},"name":"mine"`: {Channel: "c", Start: FollowCursor, Cursor: []byte("k"), Name: "mine", Window: 64},
		`,"from":{"time":77}`:                  {Channel: "c", Start: FollowTime, TimeMS: 77, Window: 64},
	} {
		f, id := e.follow(all, fields)
		if !reflect.DeepEqual(f.spec, want) || id == "" {
			t.Errorf("%s asks for %+v", fields, f.spec)
		}
		want.Tenant = "acme"
		if f, _ := e.follow(one, fields); !reflect.DeepEqual(f.spec, want) {
			t.Errorf("%s of a tenant asks for %+v", fields, f.spec)
		}
	}
}

// TestFollowedEvent: what a follower is sent, field by field.
func TestFollowedEvent(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	f, id := e.follow(c, "")
	if f.give(1, `[1, 2]`) != 1 {
		t.Fatal("there is no room")
	}
	m := c.expect("event")
	for field, want := range map[string]any{
		"subscription": id, "cursor": "cursor", "event_id": followed(1, "").ID.String(), "client_id": "ann", "tenant": "t", "time": 1000.0,
		"channel": "c", "idempotency_key": "i", "correlation_id": "co", "causation_id": "ca", "key": "k", "client_seq": 7.0,
		"deliver_at": 5000.0, "ttl_ms": 9000.0, "content_type": "x",
	} {
		has(t, m, field, want)
	}
	for field, want := range map[string]string{"headers": `{"h":"v"}`, "data": `[1,2]`} {
		if got, _ := json.Marshal(m[field]); string(got) != want {
			t.Fatalf("%s is %s", field, got)
		}
	}
	f.sink.Trimmed()
	m = c.expect("gap")
	has(t, m, "subscription", id)
	has(t, m, "reason", "trimmed")
	if _, there := m["from"]; there {
		t.Fatalf("a follower's gap has no numbers: %v", m)
	}
}

// TestFollowRefused: the refusal is the answer, and the follower takes no place;
// nothing is sent before the beginning is known, and the connection goes on.
func TestFollowRefused(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.holdFollow = true })
	c := e.open(`{"type":"hello"}`)
	for id := range 70 { // More than a connection may have.
		c.send(fmt.Sprintf(`{"type":"follow","id":%d,"channel":"c"}`, id))
		f := <-e.broker.followed
		c.alive()
		f.sink.Began(&command.Result{Reason: command.BadRequest, Message: "the cursor is none"}, nil)
		m := c.expectError(400, "bad_request")
		has(t, m, "id", float64(id))
		has(t, m, "message", "the cursor is none")
	}
	c.send(`{"type":"follow","id":7,"channel":"c"}`)
	(<-e.broker.followed).sink.Began(&command.Result{Reason: command.NoLeader}, nil)
	has(t, c.expectError(503, "no_leader"), "retryable", true)
}

// TestFollowsCount: follows and subscriptions count together, those included that
// have not begun.
func TestFollowsCount(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	for range 32 {
		e.subscribe(c, 1)
		e.follow(c, "")
	}
	c.send(`{"type":"follow","id":1,"channel":"c"}`)
	c.expectError(503, "overloaded")
	c.send(`{"type":"subscribe","id":1,"channel":"c","credit":1}`)
	c.expectError(503, "overloaded")
}

// TestCommit: a named follower commits; who has no name, no such follow or no such
// cursor is told so.
func TestCommit(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	f, id := e.follow(c, `,"name":"mine"`)
	_, other := e.follow(c, "")
	c.send(fmt.Sprintf(`{"type":"commit","subscription":%q,"cursor":"k"}`, id))
	if cursor := <-f.commits; cursor != "k" {
		t.Fatalf("committed %s", cursor)
	}
	c.send(fmt.Sprintf(`{"type":"commit","subscription":%q,"cursor":"bad"}`, id))
	has(t, c.expectError(400, "bad_request"), "message", "the cursor is none")
	c.send(fmt.Sprintf(`{"type":"commit","subscription":%q,"cursor":"k"}`, other))
	contains(t, fmt.Sprint(c.expectError(400, "bad_request")["message"]), "only a follower with a name commits")
	c.send(`{"type":"commit","subscription":"nobody","cursor":"k"}`)
	c.expectError(404, "not_found")
}

// TestUnfollow: it ends by unsubscribe, or with its connection.
func TestUnfollow(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	f, id := e.follow(c, "")
	c.send(fmt.Sprintf(`{"type":"unsubscribe","id":2,"subscription":%q}`, id))
	has(t, c.expect("ok"), "id", 2.0)
	<-f.closed
	c.send(fmt.Sprintf(`{"type":"unsubscribe","id":3,"subscription":%q}`, id))
	c.expectError(404, "not_found")
	f, id = e.follow(c, `,"name":"n"`)
	e.broker.set(func() { e.broker.hold = true })
	c.send(fmt.Sprintf(`{"type":"unsubscribe","id":4,"subscription":%q}`, id))
	<-f.closed
	c.alive() // It is answered when the last commit is.
	e.submission().reply(command.Result{Reason: command.OutcomeUnknown})
	has(t, c.expectError(503, "outcome_unknown"), "id", 4.0)
	f, _ = e.follow(c, "")
	_ = c.conn.Close()
	<-f.closed
}

// TestSlowFollower: a client that does not read gets as much as its window says, or
// as its socket is to hold, and is not cut off; when it reads, the cluster is told,
// and it gets the rest, through however many such rounds.
func TestSlowFollower(t *testing.T) {
	for name, test := range map[string]struct {
		fields, data string
		least, most  int
	}{
		"window": {`,"window":5`, `1`, 5, 5},
		"bytes":  {`,"window":4096`, `"` + strings.Repeat("x", 10_000) + `"`, 10, 14},
		"name":   {`,"window":5,"name":"n"`, `"` + strings.Repeat("x", 10_000) + `"`, 10, 14},
	} {
		t.Run(name, func(t *testing.T) {
			e := newBubbleEdge(t) // Pipes take nothing that is not read.
			c := e.connectDeaf()
			c.send(`{"type":"hello"}`)
			c.send(`{"type":"follow","id":1,"channel":"c"` + test.fields + `}`)
			f := <-e.broker.followed
			const events = 300
			given := f.give(events, test.data)
			if given < test.least || given > test.most {
				t.Fatalf("a client that does not read is given %d, not %d to %d", given, test.least, test.most)
			}
			go c.read()
			c.expect("welcome")
			c.expect("ok")
			for given < events {
				<-f.resumed
				given += f.give(events-given, test.data)
			}
			for range events {
				c.expect("event")
			}
		})
	}
}

// TestHangingFollowerHoldsLittle: behind a write that has stood for a moment little more
// is kept for a client that does not read, whatever its window says; when it reads, it
// gets the rest.
func TestHangingFollowerHoldsLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connectDeaf()
		c.send(`{"type":"hello"}`)
		c.send(`{"type":"follow","id":1,"channel":"c","window":4096}`)
		f := <-e.broker.followed
		synctest.Wait()
		time.Sleep(stallTime + time.Millisecond)
		const events = 300
		data := `"` + strings.Repeat("x", 500) + `"`
		given := f.give(events, data)
		if most := 2 + stalledBytes/500; given > most {
			t.Fatalf("a client that hangs is given %d events, not %d at most", given, most)
		}
		go c.read()
		c.expect("welcome")
		c.expect("ok")
		for given < events {
			<-f.resumed
			given += f.give(events-given, data)
		}
		for range events {
			c.expect("event")
		}
		_ = c.conn.Close()
	})
}
