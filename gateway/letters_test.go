package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// fakeLetters is how many dead letters the fake has in channel "dead".
const fakeLetters = 250

func letterID(n int) command.EventID {
	return command.EventID{Epoch: 1, Partition: uint16(n % fakePartitions), Queue: 1, Position: uint64(n + 1)}
}

// DeadLetters pages over the fake's letters; a cursor is the number of the next.
func (b *fakeBroker) DeadLetters(_ context.Context, want *cluster.Letters) (*cluster.LettersPage, error) {
	page := &cluster.LettersPage{Letters: []cluster.DeadLetter{}}
	if want.Channel != "dead" {
		return page, nil
	}
	from := 0
	if want.Cursor != "" {
		var err error
		if from, err = strconv.Atoi(want.Cursor); err != nil {
			return nil, cluster.ErrBadCursor
		}
	}
	for n := from; n < fakeLetters; n++ {
		if len(page.Letters) == want.Limit {
			page.Cursor = strconv.Itoa(n)
			break
		}
		letter := cluster.DeadLetter{Group: "default", Redrivable: n%50 != 7}
		letter.EventID, letter.Tenant = letterID(n).String(), want.Tenant
		page.Letters = append(page.Letters, letter)
	}
	return page, nil
}

func (b *fakeBroker) DeadLettersOf(_ context.Context, tenant, group string, id command.EventID) ([]cluster.DeadLetter, error) {
	if id.Position > fakeLetters {
		return nil, ErrNotFound
	}
	letter := cluster.DeadLetter{Group: group}
	letter.EventID, letter.Tenant = id.String(), tenant
	return []cluster.DeadLetter{letter}, nil
}

func (b *fakeBroker) Event(_ context.Context, tenant string, id command.EventID) ([]byte, error) {
	if id.Position > fakeLetters {
		return nil, ErrNotFound
	}
	return []byte(`{"event_id":"` + id.String() + `","tenant":"` + tenant + `"}`), nil
}

func (b *fakeBroker) Why(_ context.Context, tenant string, id command.EventID) ([]byte, error) {
	if id.Position > fakeLetters {
		return nil, ErrNotFound
	}
	return []byte(`{"event_id":"` + id.String() + `","tenant":"` + tenant + `","groups":[]}`), nil
}

func (s submission) redrive() command.Redrive {
	var c command.Redrive
	c.Decode(s.reader())
	return c
}

func (s submission) discard() command.Discard {
	var c command.Discard
	c.Decode(s.reader())
	return c
}

// TestHTTPLetters: dead letters are listed, shown and looked up.
func TestHTTPLetters(t *testing.T) {
	e := newEdge(t)
	id := letterID(3).String()
	contains(t, e.get(t, "/v1/deadletters", 200, ""), `{"dead_letters":[]}`)
	page := e.get(t, "/v1/deadletters?channel=dead&tenant=acme&limit=2&cursor=1", 200, "")
	contains(t, page, `"cursor":"3"`)
	contains(t, page, `"tenant":"acme"`)
	if n := strings.Count(page, "event_id"); n != 2 {
		t.Fatalf("%d letters: %s", n, page)
	}
	e.get(t, "/v1/deadletters?channel=dead&cursor=x", 400, "bad_request")
	e.get(t, "/v1/deadletters?limit=0", 400, "bad_request")
	e.do(t, e.request("POST", "/v1/deadletters/redrive?chanel=dead", ""), 400, "bad_request")
	e.do(t, e.request("DELETE", "/v1/deadletters?channel=dead&code=x", ""), 400, "bad_request")
	contains(t, e.get(t, "/v1/deadletters/"+id+"?group=g", 200, ""), `"group":"g"`)
	contains(t, e.get(t, "/v1/events/"+id+"?tenant=acme", 200, ""), `"tenant":"acme"`)
	contains(t, e.get(t, "/v1/events/"+id+"/why?tenant=acme", 200, ""), `"tenant":"acme"`)
	for _, path := range []string{"/v1/deadletters/%s", "/v1/events/%s", "/v1/events/%s/why"} {
		e.get(t, fmt.Sprintf(path, letterID(fakeLetters)), 404, "not_found")
		e.get(t, fmt.Sprintf(path, "nonsense"), 404, "not_found")
	}
}

// TestHTTPRedrive: one dead letter, as it is or with other data.
func TestHTTPRedrive(t *testing.T) {
	e := newEdge(t)
	id := letterID(3)
	path := "/v1/deadletters/" + id.String() + "/redrive"
	contains(t, e.do(t, e.request("POST", path, ""), 200, ""), id.String())
	s := e.submission()
	if c := s.redrive(); s.partition != 3 || c.Event != id || c.Tenant != "default" || c.Edited || c.Once == "" {
		t.Fatalf("%+v", c)
	}
	e.do(t, e.request("POST", path+"?tenant=acme", `{"group":"g","data":{"n": 2},"content_type":"text/x"}`, "Idempotency-Key", "k1"), 200, "")
	if c := e.submission().redrive(); c.Tenant != "acme" || c.Group != "g" || !c.Edited || string(c.Payload.Bytes) != `{"n": 2}` ||
		c.ContentType != "text/x" || c.Once != "k1" || command.PartitionOf(c.Slot, fakePartitions) > 3 {
		t.Fatalf("%+v", c)
	}
}

// TestHTTPRedriveData: bytes are data too, and so is null.
func TestHTTPRedriveData(t *testing.T) {
	e := newEdge(t)
	path := "/v1/deadletters/" + letterID(3).String() + "/redrive"
	e.do(t, e.request("POST", path, `{"data_base64":"/w=="}`), 200, "")
	if c := e.submission().redrive(); !c.Edited || c.Payload.Codec != command.CodecBytes || string(c.Payload.Bytes) != "\xff" {
		t.Fatalf("%+v", c)
	}
	e.do(t, e.request("POST", path, `{"data":null}`), 200, "")
	if c := e.submission().redrive(); !c.Edited || string(c.Payload.Bytes) != "null" {
		t.Fatalf("null is data too: %+v", c)
	}
}

// TestHTTPRedriveRefused: what cannot be read, is too large, or is no dead letter.
func TestHTTPRedriveRefused(t *testing.T) {
	e := newEdge(t)
	id := letterID(3)
	path := "/v1/deadletters/" + id.String() + "/redrive"
	for body, status := range map[string]int{
		`{`: 400, `{"data":1,"data_base64":""}`: 400, `{"content_type":"x"}`: 400, `{"group":1}`: 400,
		`{"data":"` + strings.Repeat("x", 70000) + `"}`: 413,
	} {
		e.do(t, e.request("POST", path, body), status, map[int]string{400: "bad_request", 413: "too_large"}[status])
	}
	for method, at := range map[string]string{"POST": path, "DELETE": "/v1/deadletters/" + id.String()} {
		e.do(t, e.request(method, at, "", "Idempotency-Key", strings.Repeat("k", 256)), 400, "bad_request")
	}
	e.do(t, e.request("POST", "/v1/deadletters/nonsense/redrive", ""), 404, "not_found")
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.NotFound, Message: "none"} })
	e.do(t, e.request("POST", path, ""), 404, "not_found")
	e.do(t, e.request("DELETE", "/v1/deadletters/"+id.String()+"?group=g", ""), 404, "not_found")
	for range 2 {
		_ = e.submission()
	}
}

// TestHTTPSweeps: by filter every page is gone over, each letter once; what is
// none any more is passed over, and a limit leaves a cursor.
func TestHTTPSweeps(t *testing.T) {
	e := newEdge(t)
	answer := func(request *http.Request) (answer struct {
		Redriven, Discarded int
		Cursor              string
	},
	) {
		if err := json.Unmarshal([]byte(e.do(t, request, 200, "")), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if a := answer(e.request("POST", "/v1/deadletters/redrive?channel=dead", "")); a.Redriven != fakeLetters || a.Cursor != "" {
		t.Fatalf("%+v", a)
	}
	seen := make(map[command.EventID]bool)
	for range fakeLetters {
		c := e.submission().redrive()
		if seen[c.Event] || c.Group != "default" {
			t.Fatalf("%+v", c)
		}
		seen[c.Event] = true
	}
	if a := answer(e.request("POST", "/v1/deadletters/redrive?channel=dead&limit=120", "")); a.Redriven != 120 || a.Cursor != "120" {
		t.Fatalf("%+v", a)
	}
	if a := answer(e.request("DELETE", "/v1/deadletters?channel=dead&cursor=240", "")); a.Discarded != 10 || a.Cursor != "" {
		t.Fatalf("%+v", a)
	}
	for range 120 {
		_ = e.submission()
	}
	if c := e.submission().discard(); c.Event != letterID(240) {
		t.Fatalf("%+v", c)
	}
	e.do(t, e.request("DELETE", "/v1/deadletters", ""), 400, "bad_request")
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.NotFound} })
	if a := answer(e.request("POST", "/v1/deadletters/redrive?channel=dead", "")); a.Redriven != 0 || a.Cursor != "" {
		t.Fatalf("%+v", a)
	}
	e.broker.set(func() { e.broker.result = command.Result{Reason: command.NoLeader} })
	e.do(t, e.request("POST", "/v1/deadletters/redrive?channel=dead", ""), 503, "no_leader")
}

// TestHTTPSweepTries: a dry run says what would be done, and does nothing.
func TestHTTPSweepTries(t *testing.T) {
	e := newEdge(t)
	answer := e.do(t, e.request("POST", "/v1/deadletters/redrive?channel=dead&dry_run=true&rate=1", ""), 200, "")
	containsAll(t, answer, `"dry_run":true`, `"redriven":245`, `"refused":5`, `"event_ids":["`+letterID(0).String(), letterID(7).String()+`","group":"default","why":"its ttl_ms`)
	answer = e.do(t, e.request("DELETE", "/v1/deadletters?channel=dead&dry_run=true&limit=120", ""), 200, "")
	containsAll(t, answer, `"discarded":120`, `"cursor":"120"`)
	if n := len(e.broker.submissions); n != 0 {
		t.Fatalf("%d commands were sent", n)
	}
	for _, query := range []string{"dry_run=perhaps", "rate=0", "rate=x", "note=n"} {
		e.do(t, e.request("POST", "/v1/deadletters/redrive?"+query, ""), 400, "bad_request")
	}
}

// TestHTTPSweepKeepsItsRate: letters are redriven as fast as was said, over more than one
// request where that takes long.
func TestHTTPSweepKeepsItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		began, cursor, requests := time.Now(), "", 0
		for begin := true; begin || cursor != ""; begin = false {
			ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
			r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/v1/deadletters/redrive?channel=dead&rate=10&cursor="+cursor, nil)
			w := httptest.NewRecorder()
			e.gateway.redriveLetters(w, r)
			cancel()
			var answer struct{ Cursor string }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 {
				t.Fatal(w.Code, w.Body)
			}
			cursor, requests = answer.Cursor, requests+1
		}
		if took := time.Since(began); took != (fakeLetters-10)*time.Second/10 || requests < 2 {
			t.Errorf("%d letters took %v and %d requests", fakeLetters, took, requests)
		}
	})
}

// TestHTTPDiscardNote: a discard says why, of one letter and by filter.
func TestHTTPDiscardNote(t *testing.T) {
	e := newEdge(t)
	one := "/v1/deadletters/" + letterID(3).String()
	e.do(t, e.request("DELETE", one+"?note=a%20duplicate", ""), 200, "")
	e.do(t, e.request("DELETE", "/v1/deadletters?channel=dead&cursor=249&note=unpaid", ""), 200, "")
	for _, want := range []string{"a duplicate", "unpaid"} {
		if c := e.submission().discard(); c.Note != want {
			t.Errorf("the note is %q, not %q", c.Note, want)
		}
	}
	for _, note := range []string{strings.Repeat("x", cluster.MaxNoteBytes+1), "%ff"} {
		e.do(t, e.request("DELETE", one+"?note="+note, ""), 400, "bad_request")
		e.do(t, e.request("DELETE", "/v1/deadletters?channel=dead&note="+note, ""), 400, "bad_request")
	}
}

// TestHTTPSweepGoesOn: what refuses to be redriven holds up no other. Where nobody
// answers, the request is not told that it was through: it has a cursor, or fails.
func TestHTTPSweepGoesOn(t *testing.T) {
	for name, test := range map[string]struct {
		answers func(n int) command.Reason
		asked   int
		status  int
		want    string
	}{
		"refused": {func(n int) command.Reason { return choose(n%50 == 7, command.BadRequest, command.Done) }, fakeLetters, 200, `{"redriven":245,"refused":5,"skipped":[{"event_id":"` + letterID(7).String() + `","group":"default","why":""},`},
		"at once": {func(n int) command.Reason { return choose(n == 7, command.NoLeader, command.Done) }, 100, 503, `"no_leader"`},
		"later":   {func(n int) command.Reason { return choose(n == 107, command.NoLeader, command.Done) }, 200, 200, `{"cursor":"100","redriven":199}`},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			e.broker.set(func() { e.broker.hold = true })
			go func() {
				for n := range test.asked {
					s := <-e.broker.submissions
					s.reply(command.Result{Reason: test.answers(n)})
				}
			}()
			reason := map[int]string{503: "no_leader"}[test.status]
			contains(t, e.do(t, e.request("POST", "/v1/deadletters/redrive?channel=dead", ""), test.status, reason), test.want)
		})
	}
}
