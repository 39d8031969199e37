package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestPublish: every field reaches the log as it was sent.
func TestPublish(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","client_id":"ann","tenant":"acme","device_id":"phone"}`)
	c.send(`{"type":"publish","id":9,"channel":"q","idempotency_key":"k1","correlation_id":"co\"r","causation_id":"ca",` +
		`"client_seq":4,"priority":9,"deliver_at":20,"headers":{"a":"b","c":"d\n"},"content_type":"text/x","on_end":"done","data": {"x" : 1} }`)
	m := c.expect("ok")
	sub := e.submission()
	got := sub.publish().Event
	want := command.Event{
		Channel: "q", Tenant: "acme", ClientID: "ann", Key: "ann", IdempotencyKey: "k1", CorrelationID: `co"r`, CausationID: "ca",
		DeviceID: "phone", ContentType: "text/x", Headers: []byte(`{"a":"b","c":"d\n"}`), ClientSeq: 4, Priority: 9, DeliverAtMS: 20, OnEnd: "done",
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`{"x" : 1}`)},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
	slot := command.SlotOf("acme", "ann")
	if sub.prefix.Slot != slot || sub.prefix.SlotMap != command.SlotMapVersion || sub.partition != command.PartitionOf(slot, fakePartitions) {
		t.Fatalf("routed %+v to %d", sub.prefix, sub.partition)
	}
	has(t, m, "id", 9.0)
	has(t, m, "offset", 1.0)
	has(t, m, "correlation_id", m["event_id"])
	if _, ok := m["duplicate"]; ok {
		t.Fatal("no duplicate")
	}
}

// TestPublishDelay: the longest delay reaches the log, a time that is past does too.
func TestPublishDelay(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	c.send(`{"type":"publish","id":1,"channel":"q","delay_ms":31536000000,"deliver_at":0,"data":1}`)
	c.expect("ok")
	if event := e.submission().publish().Event; event.DelayMS != 365*24*3600*1000 || event.DeliverAtMS != 0 {
		t.Fatalf("%+v", event)
	}
	c.send(`{"type":"publish","id":2,"channel":"q","delay_ms":31536000001,"data":1}`)
	has(t, c.expectError(400, "bad_request"), "message", "delay_ms and deliver_at hold an event back for 31536000000 ms at most")
}

// TestPublishKeys: which partition key and idempotency key an event gets.
func TestPublishKeys(t *testing.T) {
	e := newEdge(t)
	for _, test := range []struct{ name, hello, fields, key, idempotency string }{
		{"named", `"client_id":"ann"`, `"key":"k","idempotency_key":"i"`, "k", "i"},
		{"client", `"client_id":"ann"`, `"idempotency_key":"i"`, "ann", "i"},
		{"idempotency", `"name":"x"`, `"idempotency_key":"i"`, "i", "i"},
		{"client, made", `"client_id":"ann"`, `"content_type":"x"`, "ann", "~"},
		{"made", `"name":"x"`, `"content_type":"x"`, "~", "~"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := e.open(`{"type":"hello",` + test.hello + `}`)
			seen := make(map[string]bool)
			for range 3 {
				c.send(`{"type":"publish","id":1,"channel":"q",` + test.fields + `,"data_base64":"/w=="}`)
				c.expect("ok")
				event := e.submission().publish().Event
				if !strings.HasPrefix(event.Key, test.key) || !strings.HasPrefix(event.IdempotencyKey, test.idempotency) {
					t.Fatalf("key %q, idempotency key %q", event.Key, event.IdempotencyKey)
				}
				if event.Payload.Codec != command.CodecBytes || string(event.Payload.Bytes) != "\xff" {
					t.Fatalf("payload %+v", event.Payload)
				}
				seen[event.IdempotencyKey] = true
			}
			if want := map[bool]int{true: 3, false: 1}[test.idempotency == "~"]; len(seen) != want {
				t.Fatalf("keys are %v", seen)
			}
		})
	}
}

// TestPublishRefusals: what the state refuses is said with the table's code.
func TestPublishRefusals(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	for _, test := range []struct {
		result    command.Result
		code      int
		retryable bool
		after     any
	}{
		{command.Result{Reason: command.IdempotencyConflict, Message: "other data"}, 409, false, nil},
		{command.Result{Reason: command.Sequence}, 409, false, nil},
		{command.Result{Reason: command.NoLeader}, 503, true, 500.0},
		{command.Result{Reason: command.OutcomeUnknown, RetryAfterMS: 70}, 503, true, 70.0},
		{command.Result{Reason: command.Overloaded}, 503, true, 500.0},
		{command.Result{Reason: command.BadRequest}, 400, false, nil},
	} {
		e.broker.set(func() { e.broker.result = test.result })
		c.send(`{"type":"publish","id":1,"channel":"q","data":1}`)
		m := c.expectError(test.code, test.result.Reason.String())
		has(t, m, "id", 1.0)
		has(t, m, "retryable", test.retryable)
		if m["retry_after_ms"] != test.after {
			t.Fatalf("%v", m)
		}
	}
	e.broker.set(func() { e.broker.result = command.Result{Duplicate: true, CorrelationID: "cc"} })
	c.send(`{"type":"publish","id":1,"channel":"q","data":1}`)
	m := c.expect("ok")
	has(t, m, "duplicate", true)
	has(t, m, "correlation_id", "cc")
	e.broker.set(func() { e.broker.partitions = 0 })
	c.send(`{"type":"publish","id":1,"channel":"q","data":1}`)
	c.expectError(503, "no_leader")
}

// TestTooManyInFlight: above the limit a request is refused at once, without the cluster.
func TestTooManyInFlight(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.hold = true })
	c := e.open(`{"type":"hello"}`)
	var held []submission
	for id := range 64 {
		c.send(fmt.Sprintf(`{"type":"publish","id":%d,"channel":"q","data":1}`, id))
		held = append(held, e.submission())
	}
	c.send(`{"type":"publish","id":64,"channel":"q","data":1}`)
	m := c.expectError(429, "too_many_in_flight")
	has(t, m, "id", 64.0)
	has(t, m, "retryable", true)
	has(t, m, "retry_after_ms", 50.0)
	if len(e.broker.submissions) != 0 {
		t.Fatal("it reached the cluster")
	}
	// Answers in any order find their requests, once.
	event := command.EventID{Epoch: 1, Queue: 1, Position: 1}
	for i := 63; i >= 0; i-- {
		held[i].reply(command.Result{Event: event})
		held[i].reply(command.Result{Event: event})
		has(t, c.expect("ok"), "id", float64(i))
	}
	c.send(`{"type":"publish","id":65,"channel":"q","data":1}`)
	late := e.submission()
	_ = c.conn.Close()
	late.reply(command.Result{Event: event})
}

// TestMaxUnfinished: the limit of each client goes with its events, and a refusal
// by it is one that may pass.
func TestMaxUnfinished(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxUnfinished = 300 })
	c := e.open(`{"type":"hello","client_id":"ann"}`)
	c.send(`{"type":"publish","id":1,"channel":"q","data":1}`)
	c.expect("ok")
	if limit := e.submission().publish().MaxUnfinished; limit != 300 {
		t.Fatalf("the limit is %d", limit)
	}
	e.do(t, e.request("POST", "/v1/events", `{"channel":"q","client_id":"ann","data":1}`), 200, "")
	if limit := e.submission().publish().MaxUnfinished; limit != 300 {
		t.Fatalf("over HTTP the limit is %d", limit)
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.TooManyUnfinished, RetryAfterMS: 1000} })
	c.send(`{"type":"publish","id":2,"channel":"q","data":1}`)
	m := c.expectError(429, "too_many_unfinished")
	has(t, m, "retryable", true)
	has(t, m, "retry_after_ms", 1000.0)
	contains(t, e.do(t, e.request("POST", "/v1/events", `{"channel":"q","data":1}`), 429, "too_many_unfinished"), `"retry_after_ms":1000`)
	metrics := e.get(t, "/metrics", 200, "")
	contains(t, metrics, `baton_gateway_errors_total{reason="too_many_unfinished"} 2`)
	contains(t, metrics, `baton_gateway_limit{limit="max_unfinished"} 300`)
}
