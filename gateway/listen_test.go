package gateway

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// listens has a backend listen for a client.
func (e *edge) listens(c *client, id int, fields string) (subscription string, stream *fakeStream) {
	e.t.Helper()
	c.send(fmt.Sprintf(`{"type":"listen","id":%d,%s}`, id, fields))
	m := c.expect("ok")
	has(e.t, m, "id", float64(id))
	subscription, _ = m["subscription"].(string)
	return subscription, <-e.broker.attached
}

func noted(seq uint64, data string) *command.Notification {
	return &command.Notification{Seq: seq, Name: "n", Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(data)}}
}

// TestListen: a backend hears of several clients on one socket, each apart, and says
// for each what it has.
func TestListen(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","tenant":"acme"}`)
	c.send(`{"type":"listen","id":1,"client_id":"ana","device_id":"web","window":7,"resume":{"epoch":"e1","seq":3}}`)
	m := c.expect("ok")
	for field, want := range map[string]any{"id": 1.0, "epoch": "e1", "seq": 5.0, "oldest": 2.0, "resumed": "full"} {
		has(t, m, field, want)
	}
	first, _ := m["subscription"].(string)
	ana := <-e.broker.attached
	want := StreamSpec{Tenant: "acme", ClientID: "ana", DeviceID: "web", Resume: ResumeSeq, Epoch: "e1", Seq: 3, Window: 7}
	if ana.spec != want {
		t.Fatalf("attached %+v, want %+v", ana.spec, want)
	}
	second, ben := e.listens(c, 2, `"client_id":"ben"`)
	if ben.spec.Window != 16 || ben.spec.DeviceID != "default" || ben.spec.Resume != ResumeCursor || second == first {
		t.Fatalf("attached %+v as %s", ben.spec, second)
	}
	ana.sink.Notification(noted(6, `"for ana"`), true)
	ben.sink.Notification(noted(6, `"for ben"`), false)
	for subscription, client := range map[string]string{first: "ana", second: "ben"} {
		m = c.next()
		if m["client_id"] != client {
			subscription, client = second, "ben"
			if m["client_id"] != "ben" {
				subscription, client = first, "ana"
			}
		}
		has(t, m, "subscription", subscription)
		has(t, m, "client_id", client)
		has(t, m, "data", "for "+client)
		has(t, m, "seq", 6.0)
	}
	ben.sink.Gap(7, 9, "trimmed")
	m = c.expect("gap")
	has(t, m, "subscription", second)
	has(t, m, "from", 7.0)
	ben.sink.Synced(9)
	has(t, c.expect("synced"), "subscription", second)

	c.send(fmt.Sprintf(`{"type":"ack","subscription":%q,"seq":6}`, second))
	if got := <-ben.acks; got.seq != 6 || len(got.delivered) != 1 || got.delivered[0].TimeMS == 0 {
		t.Fatalf("acknowledged %+v", got)
	}
	c.send(fmt.Sprintf(`{"type":"ack","subscription":%q,"seq":10}`, second))
	c.expectError(400, "bad_request")
	c.send(`{"type":"ack","seq":6}`)
	contains(t, c.expectError(400, "bad_request")["message"].(string), "hello named no client_id")

	c.send(fmt.Sprintf(`{"type":"unlisten","id":3,"subscription":%q}`, second))
	has(t, c.expect("ok"), "id", 3.0)
	<-ben.closed
	for _, gone := range []string{`{"type":"unlisten","id":4,"subscription":%q}`, `{"type":"ack","subscription":%q,"seq":6}`} {
		c.send(fmt.Sprintf(gone, second))
		c.expectError(404, "not_found")
	}
	_ = c.conn.Close()
	<-ana.closed
}

// TestListenIsBounded: so many clients and no more; one that ends makes room, and so
// does one whose stream cannot be had.
func TestListenIsBounded(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxListens = 2 })
	c := e.open(`{"type":"hello"}`)
	first, _ := e.listens(c, 1, `"client_id":"a"`)
	e.listens(c, 2, `"client_id":"b"`)
	c.send(`{"type":"listen","id":3,"client_id":"c"}`)
	contains(t, c.expectError(503, "overloaded")["message"].(string), "2 clients")
	c.send(fmt.Sprintf(`{"type":"unlisten","id":4,"subscription":%q}`, first))
	c.expect("ok")
	e.broker.set(func() { e.broker.state = StreamState{Reason: command.NoLeader} })
	for id := 5; id < 8; id++ {
		c.send(fmt.Sprintf(`{"type":"listen","id":%d,"client_id":"d"}`, id))
		has(t, c.expectError(503, "no_leader"), "id", float64(id))
		<-(<-e.broker.attached).closed
	}
	c.send(`{"type":"listen","id":8,"client_id":""}`)
	c.expectError(400, "bad_request")
	contains(t, e.get(t, "/metrics", 200, ""), "baton_gateway_listens 1")
}

// TestListenNeedsAToken: of a backend; a client hears its own stream, and nobody another
// client's. A fresh token must allow what is listened for.
func TestListenNeedsAToken(t *testing.T) {
	e, v := newClosedEdge(t)
	token := func(key command.Key) string {
		key.Tenant = "acme"
		made, _ := v.add(key)
		return made
	}
	ana := token(command.Key{ClientID: "ana", Roles: command.RoleClient})
	backend := token(command.Key{ClientID: "*", Roles: command.RoleClient})
	for name, other := range map[string]string{
		"another client": ana, "a worker": token(command.Key{Roles: command.RoleWorker}), "an administrator": token(command.Key{Roles: command.RoleAdmin}),
	} {
		t.Run(name, func(t *testing.T) {
			c := e.open(`{"type":"hello","token":"` + other + `"}`)
			c.send(`{"type":"listen","id":1,"client_id":"ben"}`)
			has(t, c.expectError(403, "forbidden"), "message", notItsClient)
			c.alive()
			_ = c.conn.Close()
		})
	}
	for len(e.broker.attached) > 0 {
		if s := <-e.broker.attached; s.spec.ClientID != "ana" {
			t.Fatalf("attached %+v", s.spec)
		}
	}
	c := e.open(`{"type":"hello","token":"` + backend + `"}`)
	_, stream := e.listens(c, 1, `"client_id":"ben"`)
	if stream.spec.Tenant != "acme" || stream.spec.ClientID != "ben" {
		t.Fatalf("attached %+v", stream.spec)
	}
	c.send(`{"type":"auth","id":2,"token":"` + ana + `"}`)
	c.expectError(403, "forbidden")
	c.send(`{"type":"auth","id":3,"token":"` + backend + `"}`)
	c.expect("ok")
}

// TestPublishForAClient: a backend says whose an event is; others cannot.
func TestPublishForAClient(t *testing.T) {
	e, v := newClosedEdge(t)
	all := []string{"*"}
	backend, _ := v.add(command.Key{Tenant: "acme", ClientID: "*", Roles: command.RoleClient, Publish: all})
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient, Publish: all})
	c := e.open(`{"type":"hello","token":"` + backend + `"}`)
	c.send(`{"type":"publish","id":1,"client_id":"ben","channel":"q","on_end":"over","data":1}`)
	c.expect("ok")
	event := (<-e.broker.submissions).publish().Event
	if event.ClientID != "ben" || event.Tenant != "acme" || event.Key != "ben" || event.DeviceID != "default" {
		t.Fatalf("published %+v", event)
	}
	own := e.open(`{"type":"hello","token":"` + ana + `","device_id":"phone"}`)
	own.send(`{"type":"publish","id":1,"client_id":"ben","channel":"q","data":1}`)
	has(t, own.expectError(403, "forbidden"), "message", onlyWithClients)
	own.send(`{"type":"publish","id":2,"client_id":"ana","channel":"q","data":1}`)
	own.expect("ok")
	if event = (<-e.broker.submissions).publish().Event; event.ClientID != "ana" || event.DeviceID != "phone" {
		t.Fatalf("published %+v", event)
	}
}

// TestBroadcast over a socket and over HTTP: it reaches the cluster whole, and is
// answered with the ids that its notifications have.
func TestBroadcast(t *testing.T) { //nolint:revive // Over both ways.
	e := newEdge(t)
	id := command.EventID{Epoch: 1, Partition: 2, Position: 9}
	e.broker.set(func() { e.broker.result = command.Result{Event: id, Duplicate: true} })
	c := e.open(`{"type":"hello","tenant":"acme"}`)
	c.send(`{"type":"broadcast","id":4,"client_ids":["ana","ben"],"name":"news","idempotency_key":"k","causation_id":"why","data":{"n":1}}`)
	m := c.expect("ok")
	for field, want := range map[string]any{"id": 4.0, "event_id": id.String(), "correlation_id": "k", "duplicate": true} {
		has(t, m, field, want)
	}
	body := `{"tenant":"acme","client_ids":["ana","ben"],"name":"news","correlation_id":"c","data_base64":"aGk="}`
	answer := e.do(t, e.request("POST", "/v1/notifications", body), 200, "")
	var got map[string]any
	if err := json.Unmarshal([]byte(answer), &got); err != nil || got["event_id"] != id.String() || got["correlation_id"] != "c" || got["duplicate"] != true {
		t.Fatalf("%v, %s", err, answer)
	}
	specs := e.broker.clients.broadcasts
	if len(specs) != 2 {
		t.Fatalf("%d broadcasts", len(specs))
	}
	for i, spec := range specs {
		if spec.Tenant != "acme" || !slices.Equal(spec.Clients, []string{"ana", "ben"}) || spec.Name != "news" {
			t.Errorf("broadcast %d is %+v", i, spec)
		}
	}
	if s := specs[0]; s.IdempotencyKey != "k" || s.CorrelationID != "k" || s.CausationID != "why" || string(s.Payload.Bytes) != `{"n":1}` {
		t.Errorf("the first is %+v", s)
	}
	if s := specs[1]; !strings.HasPrefix(s.IdempotencyKey, "~") || s.CorrelationID != "c" || string(s.Payload.Bytes) != "hi" || s.Payload.Codec != command.CodecBytes {
		t.Errorf("the second is %+v", s)
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.IdempotencyConflict} })
	c.send(`{"type":"broadcast","id":5,"client_ids":["ana"],"name":"news","data":1}`)
	c.expectError(409, "idempotency_conflict")
	e.do(t, e.request("POST", "/v1/notifications", `{"client_ids":["ana"],"name":"news","data":1}`), 409, "idempotency_conflict")
}

// TestBroadcastIsRefused: what is wrong is said, and nothing of it reaches the cluster.
func TestBroadcastIsRefused(t *testing.T) {
	e, v := newClosedEdge(t)
	ana, _ := v.add(command.Key{Tenant: "acme", ClientID: "ana", Roles: command.RoleClient})
	worker, _ := v.add(command.Key{Tenant: "acme", Roles: command.RoleWorker})
	for name, test := range map[string]struct {
		token, fields string
		status        int
		reason        string
	}{
		"a client":              {ana, `"client_ids":["ben"],"name":"n","data":1`, 403, "forbidden"},
		"another tenant":        {worker, `"tenant":"other","client_ids":["ben"],"name":"n","data":1`, 403, "forbidden"},
		"nobody":                {worker, `"client_ids":[],"name":"n","data":1`, 400, "bad_request"},
		"somebody without name": {worker, `"client_ids":["ben",""],"name":"n","data":1`, 400, "bad_request"},
		"no name":               {worker, `"client_ids":["ben"],"name":"","data":1`, 400, "bad_request"},
		"no data":               {worker, `"client_ids":["ben"],"name":"n"`, 400, "bad_request"},
		"no clients":            {worker, `"name":"n","data":1`, 400, "bad_request"},
		"much data":             {worker, `"client_ids":["ben"],"name":"n","data":"` + strings.Repeat("x", 64<<10) + `"`, 413, "too_large"},
		"too many":              {worker, `"client_ids":["a"` + strings.Repeat(`,"b"`, 10_000) + `],"name":"n","data":1`, 400, "bad_request"},
	} {
		t.Run(name, func(t *testing.T) {
			e.do(t, e.request("POST", "/v1/notifications", "{"+test.fields+"}", "Authorization", "Bearer "+test.token), test.status, test.reason)
			if name == "another tenant" {
				return // Over a socket the session has its tenant.
			}
			c := e.openText(`{"type":"hello","token":"` + test.token + `"}`)
			c.send(`{"type":"broadcast","id":4,` + test.fields + `}`)
			c.expectError(test.status, test.reason)
			c.alive()
			_ = c.conn.Close()
		})
	}
	if n := len(e.broker.clients.broadcasts); n != 0 {
		t.Fatalf("%d broadcasts reached the cluster", n)
	}
}
