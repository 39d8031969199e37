package gateway

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// do sends a request and checks status and, of a problem, reason.
func (e *edge) do(t *testing.T, request *http.Request, status int, reason string) string {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status {
		t.Fatalf("%s %s: %s %s", request.Method, request.URL, response.Status, body)
	}
	if reason != "" {
		var problem map[string]any
		if err := json.Unmarshal(body, &problem); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		has(t, problem, "reason", reason)
		has(t, problem, "code", float64(status))
		if kind := response.Header.Get("Content-Type"); kind != "application/problem+json" {
			t.Fatalf("content type is %s", kind)
		}
	}
	return string(body)
}

func (e *edge) request(method, path, body string, header ...string) *http.Request {
	request, err := http.NewRequest(method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	return request
}

func (e *edge) get(t *testing.T, path string, status int, reason string) string {
	t.Helper()
	return e.do(t, e.request(http.MethodGet, path, ""), status, reason)
}

// TestHTTPPublish: publish for those who hold no socket.
func TestHTTPPublish(t *testing.T) {
	e := newEdge(t)
	body := e.do(t, e.request("POST", "/v1/events", `{"channel":"q","client_id":"ann","tenant":"acme","key":"k","headers":{"a":"b"},"ttl_ms":7,"on_end":"done","data":{"x":1}}`), 200, "")
	var stored map[string]any
	if err := json.Unmarshal([]byte(body), &stored); err != nil {
		t.Fatal(err)
	}
	has(t, stored, "correlation_id", stored["event_id"])
	has(t, stored, "offset", 1.0)
	event := e.submission().publish().Event
	if event.ClientID != "ann" || event.Tenant != "acme" || event.Key != "k" || event.IdempotencyKey[0] != '~' ||
		string(event.Headers) != `{"a":"b"}` || string(event.Payload.Bytes) != `{"x":1}` || event.DeviceID != "default" || event.TTLMS != 7 || event.OnEnd != "done" {
		t.Fatalf("%+v", event)
	}
	for _, test := range []struct {
		name, body, kind string
		status           int
		reason           string
	}{
		{"malformed", `{"channel":`, "", 400, "bad_request"},
		{"no data", `{"channel":"q"}`, "", 400, "bad_request"},
		{"two values", `{"channel":"q","data":1}{}`, "", 400, "bad_request"},
		{"large data", `{"channel":"q","data":"` + strings.Repeat("x", 70000) + `"}`, "", 413, "too_large"},
		{"large body", strings.Repeat(" ", 1<<20+1), "", 413, "too_large"},
		{"negative ttl", `{"channel":"q","data":1,"ttl_ms":-1}`, "", 400, "bad_request"},
		{"on_end for nobody", `{"channel":"q","data":1,"on_end":"n"}`, "", 400, "bad_request"},
		{"priority", `{"channel":"q","data":1,"priority":10}`, "", 400, "bad_request"},
		{"cloud event", `{}`, "application/cloudevents+json", 400, "bad_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			e.do(t, e.request("POST", "/v1/events", test.body, "Content-Type", test.kind), test.status, test.reason)
		})
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.IdempotencyConflict} })
	e.do(t, e.request("POST", "/v1/events", `{"channel":"q","data":1}`), 409, "idempotency_conflict")
}

// TestHTTPReads: the paths that read.
func TestHTTPReads(t *testing.T) {
	e := newEdge(t)
	contains(t, e.get(t, "/", 200, ""), "node n1")
	contains(t, e.get(t, "/healthz", 200, ""), "ok")
	contains(t, e.get(t, "/readyz", 200, ""), "ready")
	e.broker.set(func() { e.broker.ready = errors.New("partition 3 has no leader") })
	contains(t, e.get(t, "/readyz", 503, "no_leader"), "partition 3 has no leader")
	contains(t, e.get(t, "/v1/cluster", 200, ""), "members")
	contains(t, e.get(t, "/v1/traces/abc", 200, ""), `"tenant":"default","correlation_id":"abc"`)
	contains(t, e.get(t, "/v1/traces/a%2Fb?tenant=acme", 200, ""), `"tenant":"acme","correlation_id":"a/b"`)
	e.get(t, "/v1/traces/missing", 404, "not_found")
	e.get(t, "/v2", 404, "not_found")
	e.do(t, e.request("DELETE", "/v1/events", ""), 404, "not_found")
	metrics := e.get(t, "/metrics", 200, "")
	contains(t, metrics, `baton_gateway_limit{limit="max_in_flight"} 64`)
	contains(t, metrics, "baton_gateway_connections 0")
	if response := e.get(t, "/ws", 426, ""); !strings.Contains(response, "upgrade") {
		t.Fatal(response)
	}
}

// TestOrigins: no page of the internet talks to a node that does not list it.
func TestOrigins(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.AllowedOrigins = []string{"https://app.example.com"} })
	for _, test := range []struct {
		origin string
		ok     bool
	}{
		{"http://localhost:3000", true},
		{"http://127.0.0.1:7700", true},
		{"http://[::1]:7700", true},
		{"https://app.example.com", true},
		{"https://App.Example.com", true},
		{"http://app.example.com", false},
		{"https://evil.example", false},
		{"https://localhost.evil.example", false},
		{"http://127.0.0.1.evil.example", false},
		{"null", false},
		{"file://", false},
	} {
		t.Run(test.origin, func(t *testing.T) {
			post := e.request("POST", "/v1/events", `{"channel":"q","data":1}`, "Origin", test.origin, "Content-Type", "text/plain")
			c := e.connect("Origin: " + test.origin)
			c.t = t
			if !test.ok {
				e.do(t, post, 403, "forbidden")
				c.expectClose(4503)
				return
			}
			e.do(t, post, 200, "")
			c.send(`{"type":"hello"}`)
			c.expect("welcome")
		})
	}
}

// TestHosts: a page whose name was rebound to this machine gives itself away.
func TestHosts(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.AllowedOrigins = []string{"https://app.example.com"} })
	for host, status := range map[string]int{
		"localhost:7700": 200, "127.0.0.1": 200, "[::1]:7700": 200, "app.example.com": 200, "evil.example:7700": 403, "": 200,
	} {
		request := e.request("GET", "/healthz", "")
		request.Host = host
		e.do(t, request, status, "")
	}
}

// TestCORS: a page of an allowed origin may ask with JSON.
func TestCORS(t *testing.T) {
	e := newEdge(t)
	preflight := e.request("OPTIONS", "/v1/events", "", "Origin", "http://localhost:3000", "Access-Control-Request-Method", "POST")
	response, err := http.DefaultClient.Do(preflight)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusNoContent || response.Header.Get("Access-Control-Allow-Origin") != "http://localhost:3000" {
		t.Fatalf("%s %v", response.Status, response.Header)
	}
}

// TestConfig: an error names what is wrong.
func TestConfig(t *testing.T) {
	broker := newFakeBroker()
	for want, config := range map[string]Config{
		"Broker":          {Node: "n"},
		"Node":            {Broker: broker},
		"ping_interval":   {Broker: broker, Node: "n", Limits: Limits{IdleTimeout: 1}},
		"default_window":  {Broker: broker, Node: "n", Limits: Limits{MaxWindow: 1}},
		"max_credit":      {Broker: broker, Node: "n", Limits: Limits{MaxCredit: -1}},
		"app.example.com": {Broker: broker, Node: "n", AllowedOrigins: []string{"app"}},
	} {
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want a word about %s", err, want)
		}
	}
}
