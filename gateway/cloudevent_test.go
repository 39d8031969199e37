package gateway

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"
)

const orderEvent = `{"specversion":"1.0","id":"7","source":"/shop/1","type":"order.placed","subject":"cart-3","time":"2026-01-02T03:04:05Z",
	"traceparent":"00-ab-cd-01","retries":3,"datacontenttype":"application/json","data":{"n": 1}}`

// TestCloudEvents: structured and binary events are the same publish.
func TestCloudEvents(t *testing.T) {
	e := newEdge(t)
	for name, request := range map[string]*http.Request{
		"structured": e.request("POST", "/v1/events?client_id=ann&tenant=acme", orderEvent, "Content-Type", "application/cloudevents+json; charset=utf-8"),
		"binary": e.request("POST", "/v1/events?client_id=ann&tenant=acme", `{"n": 1}`, "Content-Type", "application/json",
			"ce-specversion", "1.0", "ce-id", "7", "ce-source", "/shop/1", "ce-type", "order%2Eplaced", "ce-subject", "cart-3",
			"ce-time", "2026-01-02T03:04:05Z", "ce-retries", "3", "traceparent", "00-ab-cd-01"),
	} {
		e.do(t, request, 200, "")
		event := e.submission().publish().Event
		if event.Channel != "order.placed" || event.IdempotencyKey != "/shop/1 7" || event.Key != "cart-3" || event.ClientID != "ann" ||
			event.Tenant != "acme" || event.ContentType != "application/json" || string(event.Payload.Bytes) != `{"n": 1}` {
			t.Errorf("%s: %+v", name, event)
		}
		const headers = `{"ce-datacontenttype":"application/json","ce-id":"7","ce-retries":"3","ce-source":"/shop/1","ce-specversion":"1.0",` +
			`"ce-subject":"cart-3","ce-time":"2026-01-02T03:04:05Z","traceparent":"00-ab-cd-01","ce-type":"order.placed"}`
		if string(event.Headers) != headers {
			t.Errorf("%s has headers %s", name, event.Headers)
		}
	}
	e.do(t, e.request("POST", "/v1/events?channel=orders", strings.Replace(orderEvent, `"data":`, `"partitionkey":"p","data":`, 1),
		"Content-Type", "application/cloudevents+json"), 200, "")
	if event := e.submission().publish().Event; event.Channel != "orders" || event.Key != "p" {
		t.Errorf("%+v", event)
	}
	e.do(t, e.request("POST", "/v1/events", "\x00\x01", "Content-Type", "image/png", "ce-specversion", "1.0", "ce-id", "8", "ce-source",
		strings.Repeat("s", 300), "ce-type", "picture"), 200, "")
	event := e.submission().publish().Event
	if wire := wirePayload(event.Payload); string(wire.Bytes) != "\x00\x01" || !strings.HasPrefix(event.IdempotencyKey, "ce ") {
		t.Errorf("%+v", event)
	}
}

// TestCloudEventsRefused: what is none, each with what is wrong.
func TestCloudEventsRefused(t *testing.T) {
	e := newEdge(t)
	for body, message := range map[string]string{
		`[]`:   "one JSON object",
		`null`: "one JSON object",
		`{"specversion":"1.0","source":"s","type":"t"}`:                                     "id is missing",
		`{"specversion":"0.3","id":"1","source":"s","type":"t"}`:                            "specversion must be 1.0",
		`{"specversion":"1.0","id":"1","source":"s","type":"a/b"}`:                          "say ?channel=",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","Big":"x"}`:                  "the attribute Big",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","object":{}}`:                "the attribute object",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data_base64":"x"}`: "data and data_base64",
		`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"?"}`:          "base64",
	} {
		contains(t, e.do(t, e.request("POST", "/v1/events", body, "Content-Type", "application/cloudevents+json"), 400, "bad_request"), message)
	}
	binary := []string{"ce-specversion", "1.0", "ce-id", "7", "ce-source", "s", "ce-type", "t"}
	e.do(t, e.request("POST", "/v1/events", `{"n":`, binary...), 400, "bad_request")
	e.do(t, e.request("POST", "/v1/events", `1`, append(binary, "ce-bad", "%zz")...), 400, "bad_request")
}

// TestBatch: an array, lines and a batch of CloudEvents are answered item by item.
func TestBatch(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxBatchEvents = 3 })
	for _, test := range []struct{ kind, body string }{
		{"application/json", ` [{"channel":"q","data":1},{"channel":"q"},{"channel":"q","data":3}]`},
		{"application/x-ndjson", "{\"channel\":\"q\",\"data\":1}\n\n{\"channel\":\r\n{\"channel\":\"q\",\"data\":3}"},
		{"application/cloudevents-batch+json", "[" + orderEvent + `,{"id":"9"},` + orderEvent + "]"},
	} {
		body := e.do(t, e.request("POST", "/v1/events", test.body, "Content-Type", test.kind), 200, "")
		var answers []struct {
			EventID string `json:"event_id"`
			Error   struct {
				Code            int
				Reason, Message string
			}
		}
		if err := json.Unmarshal([]byte(body), &answers); err != nil || len(answers) != 3 {
			t.Fatalf("%v: %s", err, body)
		}
		if answers[0].EventID == "" || answers[1].Error.Code != 400 || answers[1].Error.Message == "" || answers[2].EventID == "" {
			t.Errorf("%s", body)
		}
		e.submission()
		e.submission()
	}
	if body := e.do(t, e.request("POST", "/v1/events", `[]`), 200, ""); body != "[]\n" {
		t.Errorf("nothing is answered with %q", body)
	}
	e.do(t, e.request("POST", "/v1/events", `[1,2`), 400, "bad_request")
	e.do(t, e.request("POST", "/v1/events", `[1,2,3,4]`), 413, "too_large")
}

// FuzzCloudEvent: whatever is taken for an event is a body that is read as one, or is
// refused with a reason.
func FuzzCloudEvent(f *testing.F) {
	f.Add([]byte(orderEvent))
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AAE="}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		event, bad := structuredEvent(body)
		if !bad.any() {
			body, bad = event.publish(nil)
		}
		if bad.any() {
			if bad.message == "" {
				t.Fatal("a refusal without a reason")
			}
			return
		}
		if !utf8.Valid(body) && utf8.Valid(event.payload.Bytes) || !json.Valid(body) {
			t.Fatalf("%q", body)
		}
	})
}
