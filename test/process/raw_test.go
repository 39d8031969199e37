package process

import (
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// session is a plain WebSocket: what the Go client would hide is seen here.
type session struct {
	conn     net.Conn
	messages chan message // closed with the connection
	id       uint64
}

// message is what a node sends, as far as it is looked at here.
type message struct {
	Type, Reason, Lease string
	ID, Fence           uint64
	Code, Attempt       int
	Duplicate           bool
	EventID             string `json:"event_id"`
	Subscription        string
	Channel             string
}

// fields is what is sent.
type fields map[string]any

// openSession connects to a node and says hello. The connection ends with the
// test.
func openSession(t *testing.T, n *node, hello fields) *session {
	t.Helper()
	conn, buffered, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(n.url, "http")+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	if buffered != nil {
		t.Fatal("the node spoke before hello")
	}
	s := &session{conn: conn, messages: make(chan message, 64)}
	t.Cleanup(func() { _ = conn.Close() })
	go s.read()
	hello["type"] = "hello"
	s.send(t, hello)
	s.await(t, "welcome", func(m *message) bool { return m.Type == "welcome" })
	return s
}

func (s *session) read() {
	defer close(s.messages)
	for {
		text, err := wsutil.ReadServerText(s.conn)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			var m message
			if json.Unmarshal([]byte(line), &m) == nil {
				s.messages <- m
			}
		}
	}
}

// send sends messages in one frame.
func (s *session) send(t *testing.T, messages ...fields) {
	t.Helper()
	var frame []byte
	for _, m := range messages {
		encoded, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		frame = append(append(frame, encoded...), '\n')
	}
	if err := wsutil.WriteClientText(s.conn, frame); err != nil {
		t.Fatal(err)
	}
}

// request sends a message with an id of its own and returns the answer.
func (s *session) request(t *testing.T, kind string, m fields) message {
	t.Helper()
	s.id++
	id := s.id
	m["type"], m["id"] = kind, id
	s.send(t, m)
	return s.await(t, "the answer to "+kind, func(m *message) bool { return m.ID == id })
}

// await returns the next message that is wanted.
func (s *session) await(t *testing.T, what string, wanted func(*message) bool) message {
	t.Helper()
	var found message
	waitFor(t, what+" comes", func() error {
		for {
			select {
			case m, open := <-s.messages:
				if !open {
					t.Fatalf("the connection ended before %s", what)
				}
				if wanted(&m) {
					found = m
					return nil
				}
			default:
				return errors.New("it does not")
			}
		}
	})
	return found
}

// job subscribes to a channel, and returns the first job. It wants no other: a
// job whose lease is lost would make room for the next, which may be the same.
func (s *session) job(t *testing.T, channel string, lease time.Duration) message {
	t.Helper()
	answer := s.request(t, "subscribe", fields{"channel": channel, "credit": 1, "lease_ms": lease.Milliseconds()})
	if answer.Type != "ok" {
		t.Fatalf("subscribe: %+v", answer)
	}
	job := s.await(t, "a job", func(m *message) bool { return m.Type == "job" })
	s.send(t, fields{"type": "credit", "subscription": answer.Subscription, "credit": 0})
	return job
}

// complete completes a job, with a notification.
func (s *session) complete(t *testing.T, job message, data string) message {
	t.Helper()
	return s.request(t, "complete", fields{"lease": job.Lease, "notify": []fields{{"name": "done", "data": data}}})
}
