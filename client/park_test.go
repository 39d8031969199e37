package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// A parked job is neither completed nor renewed, whatever its handler returns, and
// a renewal that crossed the park does not end its context.
func TestJobParks(t *testing.T) {
	for name, returned := range map[string]error{"nil": nil, "an error": errors.New("late")} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNode(t)
			c, conn := dial(t, n, Options{})
			reports, parked, leases := make(chan error, 1), make(chan error, 1), make(chan string, 2)
			working(t.Context(), c, WorkOptions{Report: func(_ *Job, err error) { reports <- err }}, func(ctx context.Context, job *Job) error {
				job.Emit("next", 1)
				leases <- job.LeaseToken()
				err := job.Park(ctx, time.Minute)
				parked <- errors.Join(err, ctx.Err())
				return returned
			})
			conn.subscribed()
			conn.job("l1", time.Minute)
			m := conn.expect(wire.TypePark).Park
			if lease := <-leases; lease != "l1" || string(m.Lease) != lease || m.TimeoutMs != 60_000 {
				t.Errorf("park %+v", m)
			}
			conn.send(&wire.Message{Type: wire.TypeRenewed, Renewed: wire.Renewed{Lost: [][]byte{[]byte("l1")}}})
			conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID}})
			if err := <-parked; err != nil {
				t.Error(err)
			}
			if err := <-reports; !errors.Is(err, ErrParked) || returned != nil && !errors.Is(err, returned) {
				t.Errorf("reported %v", err)
			}
			conn.job("l2", time.Minute) // What comes next from the client is about this one.
			if m := conn.expect(wire.TypePark).Park; string(m.Lease) != "l2" {
				t.Errorf("park %+v", m)
			}
		})
	}
}

// A job that could not be parked is still the handler's.
func TestJobIsNotParked(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	working(t.Context(), c, WorkOptions{}, func(ctx context.Context, job *Job) error {
		if err := job.Park(ctx, -1); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%v", err)
		}
		if err := job.Park(ctx, 0); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%v", err)
		}
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := job.Park(ended, 0); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	conn.refuse(conn.expect(wire.TypePark).Park.ID, wire.ReasonBadRequest, 0)
	conn.expect(wire.TypePark)
	if m := conn.expect(wire.TypeComplete).Complete; string(m.Lease) != "l1" {
		t.Errorf("complete %+v", m)
	}
}

// completion is one with everything.
func completion() Completion {
	return Completion{
		Result: true, Usage: 3, Emits: []Event{{Channel: "next", Data: 1, Priority: 2}, {Channel: "far", Data: 2}},
		Notifies: []Notice{{Name: "done", Data: "ok"}, {ClientID: "eve", Name: "too"}},
	}
}

const wantedCompletion = `"lease":"l1","result":true,"usage":3,"emit":[{"channel":"next","priority":2,"data":1},{"channel":"far","data":2}],` +
	`"notify":[{"name":"done","data":"ok"},{"client_id":"eve","name":"too","data":null}]}`

// Anybody with the lease ends the job, over a connection.
func TestEndLease(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	events, result := make(chan []string, 1), make(chan error, 1)
	go func() {
		got, err := c.CompleteLease(t.Context(), "l1", completion())
		events <- got
		result <- err
	}()
	m := conn.expect(wire.TypeComplete).Complete
	if got := string(wire.AppendCompleteBody(nil, &m)); got != "{"+wantedCompletion {
		t.Errorf("complete %s", got)
	}
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, HasEvents: true, Events: [][]byte{[]byte("e1"), nil}}})
	if got := <-events; !slices.Equal(got, []string{"e1", ""}) {
		t.Errorf("events %q", got)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
	go func() { result <- c.FailLease(t.Context(), "l1", Permanent(errors.New("no"))) }()
	f := conn.expect(wire.TypeFail).Fail
	if string(f.Lease) != "l1" || f.Retryable != wire.No || string(f.Error.Message) != "no" {
		t.Errorf("fail %+v", f)
	}
	conn.refuse(f.ID, wire.ReasonLeaseLost, 0)
	if err := <-result; !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
	for _, bad := range []Completion{{Emits: []Event{{}}}, {Notifies: []Notice{{}}}, {Result: make(chan int)}} {
		if _, err := c.CompleteLease(t.Context(), "l1", bad); err == nil {
			t.Errorf("%+v was sent", bad)
		}
	}
	if err := c.FailLease(t.Context(), "", errors.New("x")); !errors.Is(err, ErrBadRequest) {
		t.Error(err)
	}
}

// And over HTTP; a second node is asked where the first one does not answer.
func TestEndLeaseOverHTTP(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = append(asked, r.Method+" "+r.URL.Path+" "+string(body))
		if r.URL.Path == "/v1/leases/complete" {
			_, _ = io.WriteString(w, `{"events":["e1",null]}`)
			return
		}
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"code":409,"reason":"lease_lost","message":"over"}`)
	}))
	defer server.Close()
	h, err := NewHTTP(Options{Nodes: []string{"http://127.0.0.1:1", server.URL}})
	if err != nil {
		t.Fatal(err)
	}
	events, err := h.CompleteLease(t.Context(), "l1", completion())
	if err != nil || !slices.Equal(events, []string{"e1", ""}) {
		t.Errorf("%q %v", events, err)
	}
	if err := h.FailLease(t.Context(), "l1", &JobError{Code: "no", RetryAfter: time.Second, Err: errors.New("m")}); !errors.Is(err, ErrLeaseLost) {
		t.Error(err)
	}
	want := []string{
		"POST /v1/leases/complete {" + wantedCompletion,
		`POST /v1/leases/fail {"lease":"l1","error":{"code":"no","message":"m"},"retry_after_ms":1000}`,
	}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
}
