package fleet

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// Session is a plain WebSocket: what the Go client would hide is seen here.
type Session struct {
	conn     net.Conn
	messages chan Message // closed with the connection
	id       uint64
}

// Message is what a node sends, as far as it is looked at here.
type Message struct {
	Type, Reason, Lease  string
	ID, Fence, Seq       uint64
	Code, Attempt        int
	Duplicate, Retryable bool
	RetryAfterMS         int64  `json:"retry_after_ms"`
	EventID              string `json:"event_id"`
	Subscription         string
	Channel              string
	Data                 any
}

// Fields is what is sent.
type Fields map[string]any

// OpenSession connects to a node and says hello. The connection ends with the
// test.
func OpenSession(t *testing.T, n *Node, hello Fields) *Session {
	t.Helper()
	conn, buffered, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(n.URL, "http")+"/ws")
	if err != nil {
		t.Fatal(err)
	}
	if buffered != nil {
		t.Fatal("the node spoke before hello")
	}
	s := &Session{conn: conn, messages: make(chan Message, 64)}
	t.Cleanup(s.Close)
	go s.read()
	hello["type"] = "hello"
	s.Send(t, hello)
	s.Await(t, "welcome", func(m *Message) bool { return m.Type == "welcome" })
	return s
}

// Close ends the connection without a word.
func (s *Session) Close() { _ = s.conn.Close() }

// Send sends messages in one frame.
func (s *Session) Send(t *testing.T, messages ...Fields) {
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

// Request sends a message with an id of its own and returns the answer.
func (s *Session) Request(t *testing.T, kind string, m Fields) Message {
	t.Helper()
	s.id++
	id := s.id
	m["type"], m["id"] = kind, id
	s.Send(t, m)
	return s.Await(t, "the answer to "+kind, func(m *Message) bool { return m.ID == id })
}

// Await returns the next message that is wanted.
func (s *Session) Await(t *testing.T, what string, wanted func(*Message) bool) Message {
	t.Helper()
	deadline := time.NewTimer(Patience)
	defer deadline.Stop()
	for {
		select {
		case m, open := <-s.messages:
			if !open {
				t.Fatalf("the connection ended before %s", what)
			}
			if wanted(&m) {
				return m
			}
		case <-deadline.C:
			t.Fatalf("%s does not come", what)
		}
	}
}

// Job subscribes to a channel, and returns the first job. It wants no other: a
// job whose lease is lost would make room for the next, which may be the same.
func (s *Session) Job(t *testing.T, channel string, lease time.Duration) Message {
	t.Helper()
	answer := s.Request(t, "subscribe", Fields{"channel": channel, "credit": 1, "lease_ms": lease.Milliseconds()})
	if answer.Type != "ok" {
		t.Fatalf("subscribe: %+v", answer)
	}
	job := s.Await(t, "a job", func(m *Message) bool { return m.Type == "job" })
	s.Send(t, Fields{"type": "credit", "subscription": answer.Subscription, "credit": 0})
	return job
}

// Complete completes a job, with a notification.
func (s *Session) Complete(t *testing.T, job Message, data string) Message {
	t.Helper()
	return s.Request(t, "complete", Fields{"lease": job.Lease, "notify": []Fields{{"name": "done", "data": data}}})
}

func (s *Session) read() {
	defer close(s.messages)
	for {
		text, err := wsutil.ReadServerText(s.conn)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(text)) {
			var m Message
			if json.Unmarshal([]byte(line), &m) == nil {
				s.messages <- m
			}
		}
	}
}
