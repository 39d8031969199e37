package gateway

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// TestStreamEndsWithItsToken: nothing is written behind a revocation.
func TestStreamEndsWithItsToken(t *testing.T) {
	e, v := newClosedEdge(t)
	e.broker.set(func() { e.broker.state = StreamState{Epoch: "x1", Head: 9, Oldest: 1} })
	key, id := v.add(command.Key{Tenant: "acme", Roles: command.RoleClient, ClientID: "ann"})
	s, stream := e.events("", "Authorization", "Bearer "+key)
	v.revoke(id)
	stream.sink.Notification(notification(4), false)
	s.ends()
}

// source is an open GET /v1/stream, read line by line.
type source struct {
	t        *testing.T
	response *http.Response
	lines    *bufio.Scanner
}

// events opens the stream, and returns the cluster's end of it.
func (e *edge) events(query string, header ...string) (*source, *fakeStream) {
	e.t.Helper()
	request := e.request(http.MethodGet, "/v1/stream?client_id=ann"+query, "", header...)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = response.Body.Close() })
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		e.t.Fatalf("%s, %s", response.Status, kind)
	}
	s := &source{t: e.t, response: response, lines: bufio.NewScanner(response.Body)}
	s.expect("retry: 200", "")
	return s, <-e.broker.attached
}

func (s *source) expect(lines ...string) {
	s.t.Helper()
	for _, want := range lines {
		if !s.lines.Scan() || s.lines.Text() != want {
			s.t.Fatalf("%q came in the place of %q: %v", s.lines.Text(), want, s.lines.Err())
		}
	}
}

// ends wants nothing more to come.
func (s *source) ends() {
	s.t.Helper()
	for s.lines.Scan() {
		if text := s.lines.Text(); text != "" && text != ":" {
			s.t.Fatalf("%q came behind the end", text)
		}
	}
}

func notification(seq uint64) *command.Notification {
	return &command.Notification{
		Seq: seq, Name: "answer", Event: command.EventID{Epoch: 1, Position: 1}, CorrelationID: "co", CausationID: "ca", TimeMS: 5,
		Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte("{\"a\":\r\n1}")},
	}
}

const notifyText = `"name":"answer","event_id":"00000080000000000000000000002","correlation_id":"co","causation_id":"ca","time":5,"data":{"a":`

// TestStreamEvents: notifications, gaps and the end of the replay as an EventSource
// reads them; a window of them ends the answer, and coming back acknowledges it.
func TestStreamEvents(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.state = StreamState{Epoch: "x1", Head: 9, Oldest: 1} })
	s, stream := e.events("&device_id=web&tenant=acme&window=2")
	if want := (StreamSpec{Tenant: "acme", ClientID: "ann", DeviceID: "web", Window: 2}); stream.spec != want {
		t.Fatalf("%+v", stream.spec)
	}
	stream.sink.Gap(1, 3, "trimmed")
	s.expect("event: gap", "id: x1:3", `data: {"type":"gap","from":1,"to":3,"reason":"trimmed"}`, "")
	stream.sink.Notification(notification(4), false)
	s.expect("id: x1:4", `data: {"type":"notify","seq":4,`+notifyText, "data: 1}}", "")
	stream.sink.Synced(4)
	s.expect("event: synced", "id: x1:4", `data: {"type":"synced","seq":4}`, "")
	stream.sink.Notification(notification(5), true)
	s.expect("id: x1:5", `data: {"type":"notify","seq":5,"name":"answer","event_id":"00000080000000000000000000002","correlation_id":"co",`+
		`"causation_id":"ca","time":5,"redelivered":true,"data":{"a":`, "data: 1}}", "")
	s.ends()
	<-stream.closed
	if len(stream.acks) > 0 {
		t.Error("what was written is taken for what arrived")
	}
	_, stream = e.events("", "Last-Event-ID", "x1:5")
	if stream.spec.Resume != ResumeSeq || stream.spec.Epoch != "x1" || stream.spec.Seq != 5 {
		t.Fatalf("%+v", stream.spec)
	}
	if ack := <-stream.acks; ack.seq != 5 {
		t.Errorf("it acknowledges %d", ack.seq)
	}
	for _, foreign := range []string{"x0:5", "x1:10"} { // Of another epoch, and beyond the end.
		if _, stream = e.events("", "Last-Event-ID", foreign); len(stream.acks) > 0 {
			t.Errorf("%s is acknowledged", foreign)
		}
	}
	if _, stream = e.events("&last_event_id=live"); stream.spec.Resume != ResumeLive {
		t.Errorf("%+v", stream.spec)
	}
}

// TestStreamComesBack: some time after the last notification the answer ends, though
// the window is not full; where there is nothing to acknowledge, it stays.
func TestStreamComesBack(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.StreamPause = 10 * time.Millisecond })
	s, stream := e.events("")
	quiet, other := e.events("")
	stream.sink.Notification(notification(1), false)
	for range 4 {
		s.lines.Scan()
	}
	s.ends()
	other.sink.Synced(0)
	quiet.expect("event: synced", `data: {"type":"synced","seq":0}`, "")
	metrics := e.get(t, "/metrics", 200, "")
	contains(t, metrics, "baton_gateway_event_streams 1")
}

// TestStreamIsSentElsewhere: a node that is drained says so, and takes no new ones.
func TestStreamIsSentElsewhere(t *testing.T) {
	e := newEdge(t)
	s, stream := e.events("")
	if err := e.gateway.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.expect("event: bye")
	if !s.lines.Scan() || !strings.HasPrefix(s.lines.Text(), `data: {"type":"bye","reason":"drain","reconnect":true`) {
		t.Fatal(s.lines.Text())
	}
	s.ends()
	<-stream.closed
	e.get(t, "/v1/stream?client_id=ann", 503, "overloaded")
}

// TestStreamRefused: bad wishes, no leader, and too many.
func TestStreamRefused(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxConnections, c.Limits.AttachTimeout = 1, 20*time.Millisecond })
	e.get(t, "/v1/stream", 400, "bad_request")
	e.get(t, "/v1/stream?client_id=ann&window=0", 400, "bad_request")
	e.get(t, "/v1/stream?client_id=ann&last_event_id=7", 400, "bad_request")
	e.get(t, "/v1/stream?client_id="+strings.Repeat("x", 256), 400, "bad_request")
	e.broker.set(func() { e.broker.state.Reason = command.NoLeader })
	e.get(t, "/v1/stream?client_id=ann", 503, "no_leader")
	e.broker.set(func() { e.broker.state.Reason, e.broker.holdAttach = command.Done, true })
	e.get(t, "/v1/stream?client_id=ann", 503, "no_leader")
}
