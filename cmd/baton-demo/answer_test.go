package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/client"
)

func somePassages() []passage {
	return []passage{
		{File: "a.md", Line: 3, Heading: "Leases", Text: "A lease is a promise. A worker that dies loses its lease after its time."},
		{File: "b.md", Line: 9, Text: "- Bread is made of flour, water and salt."},
	}
}

// TestExtract quotes the sentences that share words with the question, with where they stand.
func TestExtract(t *testing.T) {
	a := extract("What happens to the lease of a worker that dies?", somePassages())
	if a.Answer != "A worker that dies loses its lease after its time. [1]" && !strings.HasPrefix(a.Answer, "A lease is a promise.") {
		t.Errorf("the answer is %q", a.Answer)
	}
	if len(a.Sources) != 1 || a.Sources[0] != (source{"a.md", 3, "Leases"}) || a.By != "extract" {
		t.Errorf("the sources are %+v by %s", a.Sources, a.By)
	}
	for _, passages := range [][]passage{nil, {{File: "c.md", Text: "Something altogether different stands here."}}} {
		if a := extract("lease", passages); !strings.HasPrefix(a.Answer, "Nothing") || a.Sources != nil {
			t.Errorf("from nothing came %+v", a)
		}
	}
}

// pieces is an answer as models stream it.
const pieces = `: a comment

data: {"choices":[{"delta":{"role":"assistant"}}]}

data: {"choices":[{"delta":{"content":"Be"}}],"usage":null}

data: {"choices":[{"delta":{"content":"cause. [1]"}}]}

data: {"choices":[],"usage":{"total_tokens":7}}

data: [DONE]

`

// fakeModel answers as *status and *wait (Retry-After, or pieces) say.
func fakeModel(t *testing.T, status *int, wait *string) *model {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked chatRequest
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || asked.Model != "m" || len(asked.Messages) != 2 {
			t.Errorf("the model was asked %+v, %v", asked, err)
		}
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer k" {
			t.Errorf("the request was %s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		if *wait != "" {
			w.Header().Set("Retry-After", *wait)
		}
		if *status == http.StatusOK && *wait == "pieces" {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			_, _ = w.Write([]byte(pieces))
			return
		}
		w.WriteHeader(*status)
		_, _ = w.Write([]byte(`{"choices":[{"message":{"role":"assistant","content":" Because. [1]\n"}}],"usage":{"total_tokens":7}}`))
	}))
	t.Cleanup(server.Close)
	t.Setenv("OPENAI_BASE_URL", server.URL+"/v1/")
	t.Setenv("OPENAI_API_KEY", "k")
	t.Setenv("OPENAI_MODEL", "m")
	return modelFromEnvironment()
}

// TestModel asks, and is refused in every way.
func TestModel(t *testing.T) {
	status, wait := http.StatusOK, ""
	m := fakeModel(t, &status, &wait)
	for _, wait = range []string{"", "pieces"} {
		var shown strings.Builder
		reply, tokens, err := m.ask(t.Context(), "why?", somePassages(), &shown)
		if err != nil || reply != "Because. [1]" || tokens != 7 || shown.String() != reply {
			t.Errorf("%q: %q, %d tokens, %v, shown %q", wait, reply, tokens, err, shown.String())
		}
	}
	for _, c := range []struct {
		status               int
		wait                 string
		permanent, throttled bool
		after                time.Duration
	}{
		{http.StatusTooManyRequests, "3", false, true, 3 * time.Second},
		{http.StatusTooManyRequests, "", false, true, throttledFor},
		{http.StatusUnauthorized, "", true, false, 0},
		{http.StatusBadGateway, "", false, false, 0},
	} {
		status, wait = c.status, c.wait
		_, _, err := m.ask(t.Context(), "why?", somePassages(), io.Discard)
		failure, _ := errors.AsType[*client.JobError](err)
		if failure == nil {
			failure = &client.JobError{}
		}
		if err == nil || failure.Permanent != c.permanent || failure.Throttled != c.throttled || failure.RetryAfter != c.after {
			t.Errorf("%d gave %+v", c.status, err)
		}
	}
}

// TestCountAnswers finds every way in which a stream of answers can be wrong.
func TestCountAnswers(t *testing.T) {
	questions := []*asked{
		{correlationID: "a"},
		{correlationID: "b", question: question{Review: true}},
		{correlationID: "c", question: question{Fail: true}},
	}
	got := func(names ...string) (list []received) {
		for i, text := range names {
			id, name, _ := strings.Cut(text, " ")
			list = append(list, received{seq: uint64(i) + 1, correlationID: id, name: name})
		}
		return list
	}
	const right = "a answer.ready,a question.ended,b review.asked,b answer.ready,b question.ended,c question.ended"
	with := func(more ...string) []received { return got(append(strings.Split(right, ","), more...)...) }
	for _, c := range []struct {
		name     string
		got      []received
		problems int
	}{
		{"each once", with(), 0},
		{"not sure of its own", with("a review.asked"), 0},
		{"an end missing", with()[:5], 1},
		{"an answer twice", with("a answer.ready"), 1},
		{"a review twice", with("a review.asked", "a review.asked"), 1},
		{"an answer of what failed", with("c answer.ready"), 1},
		{"something else", with("a hello"), 1},
		{"a stranger", with("x answer.ready"), 1},
		{"a hole", append(with()[:5], received{seq: 7, correlationID: "c", name: questionEnded}), 1},
	} {
		if problems := countAnswers("ana", questions, c.got); len(problems) != c.problems {
			t.Errorf("%s: %v", c.name, problems)
		}
	}
}

// TestChoosePortsAreDifferent takes no port twice.
func TestChoosePortsAreDifferent(t *testing.T) {
	ports, err := choosePorts(nodeCount)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, p := range ports {
		for _, port := range p {
			if port == 0 || seen[port] {
				t.Errorf("port %d twice in %v", port, ports)
			}
			seen[port] = true
		}
	}
}

// TestPageIsForThisMachineOnly refuses names that were rebound to this machine.
func TestPageIsForThisMachineOnly(t *testing.T) {
	handler := onlyLocal(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	for host, want := range map[string]int{"localhost:7780": 200, "127.0.0.1:7780": 200, "[::1]:7780": 200, "evil.example": 403} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Host = host
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", host, w.Code)
		}
	}
}
