package client

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/batonmq/baton/transport/wire"
)

// fakeNode is a node whose every word the test says: each connection is handed
// to the test, which reads what the client sends and answers it.
type fakeNode struct {
	t       *testing.T
	server  *httptest.Server
	conns   chan *fakeConn
	welcome wire.Welcome
	// speaks says which protocols the node takes; nil means all.
	speaks func(protocol string) bool

	mu   sync.Mutex
	open []*fakeConn
}

type fakeConn struct {
	t        *testing.T
	conn     net.Conn
	in       *bufio.Reader
	encoding wire.Encoding
	decoder  *wire.Decoder
	frame    []byte
	hello    wire.Hello
}

func newFakeNode(t *testing.T) *fakeNode {
	t.Helper()
	n := &fakeNode{t: t, conns: make(chan *fakeConn, 16)}
	n.welcome = wire.Welcome{
		Session: []byte("s"), Node: []byte("fake"), Tenant: []byte("default"), Protocol: []byte("baton.v1.json"),
		Limits: wire.Limits{MaxInFlight: 64, MaxMessageBytes: 1 << 20, Window: 16}, HeartbeatMs: 25000,
	}
	n.server = httptest.NewServer(http.HandlerFunc(n.serve))
	t.Cleanup(func() {
		n.cutAll()
		n.server.Close()
	})
	return n
}

func (n *fakeNode) cutAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.open {
		_ = c.conn.Close()
	}
}

func (n *fakeNode) serve(w http.ResponseWriter, r *http.Request) {
	conn, buffered, shaken, err := ws.HTTPUpgrader{Protocol: func(p string) bool {
		_, known := wire.EncodingOf(p)
		return known && (n.speaks == nil || n.speaks(p))
	}}.Upgrade(r, w)
	if err != nil {
		return
	}
	encoding, _ := wire.EncodingOf(shaken.Protocol)
	c := &fakeConn{t: n.t, conn: conn, in: buffered.Reader, encoding: encoding, decoder: wire.NewDecoder(wire.FromClient)}
	n.mu.Lock()
	n.open = append(n.open, c)
	n.mu.Unlock()
	n.conns <- c
}

func (n *fakeNode) url() string { return n.server.URL }

// accept waits for a connection and reads its hello, without answering.
func (n *fakeNode) accept() *fakeConn {
	n.t.Helper()
	select {
	case c := <-n.conns:
		m := c.read()
		if m.Type != wire.TypeHello {
			n.t.Fatalf("the first message is %v, want hello", m.Type)
		}
		c.hello = m.Hello
		return c
	case <-time.After(10 * time.Second):
		n.t.Fatal("nobody connected")
		return nil
	}
}

// greet accepts a connection and says welcome.
func (n *fakeNode) greet() *fakeConn {
	n.t.Helper()
	c := n.accept()
	w := n.welcome
	w.ClientID = c.hello.ClientID
	c.send(&wire.Message{Type: wire.TypeWelcome, Welcome: w})
	return c
}

// tryRead is the client's next message; it points into memory of its own.
func (c *fakeConn) tryRead() (*wire.Message, error) {
	for {
		if c.frame != nil {
			m := &wire.Message{}
			err := c.decoder.Next(m)
			if err == nil {
				return m, nil
			}
			if !errors.Is(err, io.EOF) {
				return nil, err
			}
			c.frame = nil
		}
		_ = c.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		header, err := ws.ReadHeader(c.in)
		if err != nil {
			return nil, err
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(c.in, payload); err != nil {
			return nil, err
		}
		if !header.Masked {
			return nil, errors.New("an unmasked frame")
		}
		ws.Cipher(payload, header.Mask, 0)
		switch header.OpCode { //nolint:exhaustive // the rest asks for nothing
		case opcodeOf(c.encoding):
			c.frame = payload
			c.decoder = wire.NewDecoder(wire.FromClient)
			c.decoder.ResetAs(c.encoding, payload, nil)
		case ws.OpText, ws.OpBinary:
			return nil, errors.New("a frame of the other encoding")
		case ws.OpClose:
			return nil, io.EOF
		}
	}
}

func (c *fakeConn) read() *wire.Message {
	c.t.Helper()
	m, err := c.tryRead()
	if err != nil {
		c.t.Fatalf("reading from the client: %v", err)
	}
	return m
}

// expect is read, of one type; pings are passed over.
func (c *fakeConn) expect(want wire.Type) *wire.Message {
	c.t.Helper()
	for {
		m := c.read()
		if m.Type == wire.TypePing {
			continue
		}
		if m.Type != want {
			c.t.Fatalf("the client sent %s, want %s", m.Append(wire.JSON.On(nil)).Bytes, want)
		}
		return m
	}
}

func (c *fakeConn) send(messages ...*wire.Message) {
	c.t.Helper()
	for _, m := range messages {
		if err := c.write(m); err != nil {
			c.t.Fatalf("writing to the client: %v", err)
		}
	}
}

func (c *fakeConn) write(m *wire.Message) error {
	return wsutil.WriteServerMessage(c.conn, opcodeOf(c.encoding), m.Append(c.encoding.On(nil)).Bytes)
}

func (c *fakeConn) ok(id uint64, event string) {
	c.t.Helper()
	c.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: id, EventID: []byte(event), CorrelationID: []byte(event), Offset: 1}})
}

func (c *fakeConn) refuse(id uint64, reason wire.Reason, retryAfter time.Duration) {
	c.t.Helper()
	e := wire.NewError(reason, "the test says so")
	e.ID, e.HasID, e.RetryAfterMs = id, true, retryAfter.Milliseconds()
	c.send(&wire.Message{Type: wire.TypeError, Error: e})
}

func (c *fakeConn) notify(seqs ...uint64) {
	c.t.Helper()
	for _, seq := range seqs {
		c.send(&wire.Message{Type: wire.TypeNotify, Notify: wire.Notify{
			Seq: seq, Name: []byte("n"), EventID: []byte("e"), CorrelationID: []byte("e"), CausationID: []byte("e"), Time: 1,
			Payload: wire.Payload{Bytes: []byte(`{"x":1}`), Kind: wire.PayloadJSON},
		}})
	}
}

func (c *fakeConn) job(lease string, term time.Duration) {
	c.t.Helper()
	c.send(&wire.Message{Type: wire.TypeJob, Job: wire.Job{
		Subscription: []byte("s1"), Lease: []byte(lease), Fence: 7, ContentType: []byte("text/x"), EventID: []byte("e-" + lease), Channel: []byte("work"),
		Group: []byte("default"), Attempt: 1, LeaseMs: term.Milliseconds(), Key: []byte("k"), IdempotencyKey: []byte("i"),
		CorrelationID: []byte("c"), CausationID: []byte("e"), ClientID: []byte("ana"), Tenant: []byte("default"),
		Payload: wire.Payload{Bytes: []byte(`"hi"`), Kind: wire.PayloadJSON},
	}})
}

// subscribed reads a subscribe and answers it: the subscription is s1.
func (c *fakeConn) subscribed() *wire.Message {
	c.t.Helper()
	m := c.expect(wire.TypeSubscribe)
	c.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.Subscribe.ID, Subscription: []byte("s1")}})
	return m
}

func (c *fakeConn) close(code wire.CloseCode) {
	c.t.Helper()
	_ = ws.WriteFrame(c.conn, ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusCode(code), code.String())))
	_ = c.conn.Close()
}

func (c *fakeConn) cut() { _ = c.conn.Close() }

// dialing connects in the background, and hands the client over when it is.
func dialing(t *testing.T, o Options) <-chan *Client {
	t.Helper()
	if spoken == Binary {
		o.Encoding = Binary
	}
	if o.MinBackoff == 0 {
		o.MinBackoff, o.MaxBackoff = time.Millisecond, 10*time.Millisecond
	}
	connected := make(chan *Client, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		c, err := Dial(ctx, o)
		if err != nil && !strings.Contains(err.Error(), "refused the connection") {
			t.Errorf("Dial: %v", err)
		}
		connected <- c
	}()
	return connected
}

// dial connects to a fake node.
func dial(t *testing.T, n *fakeNode, o Options) (*Client, *fakeConn) {
	t.Helper()
	o.Nodes = []string{n.url()}
	connected := dialing(t, o)
	conn := n.greet()
	c := <-connected
	if c == nil {
		t.Fatal("not connected")
	}
	t.Cleanup(func() {
		n.cutAll() // Else the client waits for an answer to its close frame.
		_ = c.Close()
	})
	return c, conn
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for range 1000 {
		if condition() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}
