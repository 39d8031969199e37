package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// scripted is a node that answers what a test says, in order, and writes down what it was
// asked.
func scripted(t *testing.T, answers ...string) (h *HTTP, asked *[]string) {
	t.Helper()
	asked = new([]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || len(answers) == 0 {
			t.Errorf("%v, with %d answers left", err, len(answers))
			return
		}
		*asked = append(*asked, strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Method, r.URL, body)))
		status, answer, _ := strings.Cut(answers[0], " ")
		answers = answers[1:]
		var code int
		_, _ = fmt.Sscan(status, &code)
		w.WriteHeader(code)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	h, err := NewHTTP(Options{Nodes: []string{server.URL}, Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	return h, asked
}

// TestStartRun: a start has an idempotency key, the given one or one made up.
func TestStartRun(t *testing.T) {
	h, asked := scripted(t, `202 {"run_id":"r","correlation_id":"c"}`, `200 {"run_id":"r","correlation_id":"c","duplicate":true}`)
	started, err := h.StartRun(t.Context(), RunStart{Workflow: "w", Data: map[string]int{"n": 1}})
	if err != nil || *started != (StartedRun{RunID: "r", CorrelationID: "c"}) {
		t.Fatalf("%+v, %v", started, err)
	}
	var body map[string]any
	if err = json.Unmarshal([]byte(strings.TrimPrefix((*asked)[0], "POST /v1/runs ")), &body); err != nil {
		t.Fatal(err)
	}
	if key, _ := body["idempotency_key"].(string); !strings.HasPrefix(key, "~") || len(key) < 10 {
		t.Errorf("the key is %q", key)
	}
	started, err = h.StartRun(t.Context(), RunStart{
		Workflow: "w", Alias: "next", ClientID: "ana", Key: "k", IdempotencyKey: "i", CorrelationID: "c", OnEnd: "done", Priority: 3,
		Headers: map[string]string{"a": "b"}, Data: []byte{255},
	})
	want := `POST /v1/runs {"alias":"next","client_id":"ana","correlation_id":"c","data_base64":"/w==","headers":{"a":"b"},` +
		`"idempotency_key":"i","key":"k","on_end":"done","priority":3,"tenant":"t","workflow":"w"}`
	if err != nil || !started.Duplicate || (*asked)[1] != want {
		t.Fatalf("%+v, %v, asked %s", started, err, (*asked)[1])
	}
}

// TestAwaitRun: it goes on until the run has ended, also where nobody can answer for a
// while, and ends with a refusal.
func TestAwaitRun(t *testing.T) {
	h, asked := scripted(t, `200 {"run_id":"r","state":"running"}`, `503 {"code":503,"reason":"no_leader","retryable":true}`,
		`200 {"run_id":"r","state":"succeeded","ended_at":5,"result":{"n":1}}`, `404 {"code":404,"reason":"not_found"}`)
	run, err := h.AwaitRun(t.Context(), "r")
	if err != nil || !run.Ended() || string(run.Result) != `{"n":1}` || run.Raw == nil {
		t.Fatalf("%+v, %v", run, err)
	}
	if _, err := h.AwaitRun(t.Context(), "r"); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	if len(*asked) != 4 || (*asked)[0] != "GET /v1/runs/r?tenant=t&wait=10s" {
		t.Fatalf("asked %q", *asked)
	}
}

// TestSteerRuns: what is asked of runs, and sent to them, as the protocol has it.
func TestSteerRuns(t *testing.T) {
	h, asked := scripted(t, `200 {"runs":[{"run_id":"r"}],"cursor":"c"}`, `200 {"run_id":"r"}`, `200 {"run_id":"f"}`, `200 {"duplicate":true}`)
	page, err := h.Runs(t.Context(), RunFilter{Workflow: "w", State: "failed", Since: time.UnixMilli(5), Limit: 2})
	if err != nil || page.Cursor != "c" || len(page.Runs) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	if err = h.CancelRun(t.Context(), "r", "why"); err != nil {
		t.Fatal(err)
	}
	forked, err := h.ControlRun(t.Context(), "r", RunFork, RunRequest{Step: "s", Version: "v", HasData: true})
	if err != nil || forked != "f" {
		t.Fatalf("%s, %v", forked, err)
	}
	duplicate, err := h.SendMessage(t.Context(), Message{Name: "m", Key: "k", ID: "i", TTL: time.Second, Data: 1})
	if err != nil || !duplicate {
		t.Fatalf("%v, %v", duplicate, err)
	}
	want := []string{
		"GET /v1/runs?limit=2&since=5&state=failed&tenant=t&workflow=w", `POST /v1/runs/r/cancel?tenant=t {"reason":"why"}`,
		`POST /v1/runs/r/fork?tenant=t {"data":null,"step":"s","version":"v"}`,
		`POST /v1/messages {"data":1,"id":"i","key":"k","name":"m","tenant":"t","ttl_ms":1000}`,
	}
	for i := range want {
		if (*asked)[i] != want[i] {
			t.Errorf("asked %s\nwant  %s", (*asked)[i], want[i])
		}
	}
}
