package gateway

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// edge is a gateway over a fake cluster, on a listener.
type edge struct {
	t       *testing.T
	gateway *Gateway
	broker  *fakeBroker
	dial    func() (net.Conn, error)
	url     string
}

// newEdge starts a gateway on 127.0.0.1; it is shut down with the test.
func newEdge(t *testing.T, change ...func(*Config)) *edge {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := serveEdge(t, listener, change)
	e.dial = func() (net.Conn, error) { return net.Dial("tcp", listener.Addr().String()) }
	e.url = "http://" + listener.Addr().String()
	return e
}

// newBubbleEdge starts a gateway on pipes, for synctest.
func newBubbleEdge(t *testing.T, change ...func(*Config)) *edge {
	t.Helper()
	listener := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	e := serveEdge(t, listener, change)
	e.dial = listener.dial
	return e
}

func serveEdge(t *testing.T, listener net.Listener, change []func(*Config)) *edge {
	t.Helper()
	e := &edge{t: t, broker: newFakeBroker()}
	config := Config{Broker: e.broker, Node: "n1", Poller: testPoller}
	for _, c := range change {
		c(&config)
	}
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	e.gateway = g
	served := make(chan error, 1)
	go func() { served <- g.Serve(listener) }()
	t.Cleanup(func() {
		if err := g.Shutdown(context.Background()); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; !errors.Is(err, ErrClosed) {
			t.Errorf("serve: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return e
}

// pipeListener is a network of pipes.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}
func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

func (l *pipeListener) dial() (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// client is a WebSocket client that hides nothing.
type client struct {
	t        *testing.T
	encoding wire.Encoding
	conn     net.Conn
	in       *bufio.Reader
	messages chan string // closed with the connection
	pings    chan struct{}
	mute     bool // leave pings unanswered

	write sync.Mutex
	code  int // of the close frame; 0 for none. Read it once messages is closed.
	text  string
}

// connect makes the handshake and reads from then on.
func (e *edge) connect(header ...string) *client {
	e.t.Helper()
	c := e.connectDeaf(header...)
	go c.read()
	return c
}

// connectDeaf makes the handshake and reads nothing.
func (e *edge) connectDeaf(header ...string) *client {
	e.t.Helper()
	conn, err := e.dial()
	if err != nil {
		e.t.Fatal(err)
	}
	c := &client{t: e.t, conn: conn, in: bufio.NewReader(conn), messages: make(chan string, 100000), pings: make(chan struct{}, 1000)}
	e.t.Cleanup(func() { _ = conn.Close() })
	request := "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	offers := func(line string) bool { return line == noOffer || strings.HasPrefix(line, "Sec-WebSocket-Protocol:") }
	if !slices.ContainsFunc(header, offers) {
		header = append(header, "Sec-WebSocket-Protocol: "+spoken.Protocol())
	}
	for _, line := range header {
		request += line + "\r\n"
	}
	if _, err = io.WriteString(conn, request+"\r\n"); err != nil {
		e.t.Fatal(err)
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusSwitchingProtocols {
		e.t.Fatalf("upgrade: %s", response.Status)
	}
	c.encoding, _ = wire.EncodingOf(response.Header.Get("Sec-WebSocket-Protocol"))
	return c
}

// open connects and says hello.
func (e *edge) open(hello string) *client {
	e.t.Helper()
	c := e.connect()
	c.send(hello)
	c.expect("welcome")
	return c
}

// noOffer is a header of a client that offers no subprotocol.
const noOffer = "X-No-Offer: at all"

// openText is open on a connection of text frames, for a test that writes its own.
func (e *edge) openText(hello string) *client {
	e.t.Helper()
	c := e.connect("Sec-WebSocket-Protocol: " + wire.JSON.Protocol())
	c.send(hello)
	c.expect("welcome")
	return c
}

func (c *client) read() {
	defer close(c.messages)
	for {
		header, err := ws.ReadHeader(c.in)
		if err != nil {
			return
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(c.in, payload); err != nil {
			return
		}
		switch header.OpCode {
		case opcodeOf(c.encoding):
			c.messages <- string(recode(c.t, wire.FromServer, wire.JSON, c.encoding.On(payload)))
		case ws.OpPing:
			c.pings <- struct{}{}
			if !c.mute {
				c.frame(ws.NewPongFrame(payload))
			}
		case ws.OpPong:
			c.messages <- `{"type":"PONG","payload":"` + string(payload) + `"}`
		case ws.OpClose:
			if len(payload) >= 2 {
				c.code, c.text = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			} else {
				c.code = -1
			}
			c.frame(ws.NewCloseFrame(payload))
		case ws.OpText, ws.OpBinary, ws.OpContinuation:
			c.messages <- `{"type":"a frame that no gateway sends"}`
		}
	}
}

// send sends messages in one frame, of records where the connection has those.
func (c *client) send(messages string) {
	c.t.Helper()
	payload := recode(c.t, wire.FromClient, c.encoding, wire.JSON.On([]byte(messages)))
	c.frame(ws.NewFrame(opcodeOf(c.encoding), true, payload))
}

// recode is a frame's messages in another encoding; a frame that is there already is
// left alone, whatever is in it. What is none of the protocol's messages cannot be
// told in records here: such a test is of JSON.
func recode(tb testing.TB, side wire.Side, to wire.Encoding, frame wire.Buffer) []byte {
	tb.Helper()
	if to == frame.Encoding {
		return frame.Bytes
	}
	out, decoder, m := to.On(nil), wire.NewDecoder(side), new(wire.Message)
	decoder.ResetAs(frame.Encoding, frame.Bytes, nil)
	for {
		err := decoder.Next(m)
		switch {
		case errors.Is(err, io.EOF):
			return out.Bytes
		case err != nil && side == wire.FromClient:
			tb.Skipf("for JSON: %v", err)
		case err != nil:
			tb.Errorf("the gateway wrote %x: %v", frame.Bytes, err)
			return nil
		}
		out = m.Append(out)
	}
}

func (c *client) frame(f ws.Frame) { c.raw(ws.MustCompileFrame(ws.MaskFrame(f))) }

// raw writes bytes; a connection that is closed already is no matter here.
func (c *client) raw(data []byte) {
	c.write.Lock()
	defer c.write.Unlock()
	_, _ = c.conn.Write(data)
}

// next is the next message.
func (c *client) next() map[string]any {
	c.t.Helper()
	text, ok := <-c.messages
	if !ok {
		c.t.Fatalf("closed with %d %s", c.code, c.text)
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		c.t.Fatalf("%v in %s", err, text)
	}
	return m
}

// expect is the next message, which must be of this type.
func (c *client) expect(kind string) map[string]any {
	c.t.Helper()
	m := c.next()
	if m["type"] != kind {
		c.t.Fatalf("got %v, want a message of type %s", m, kind)
	}
	return m
}

// expectError is expect for an error with this code and reason.
func (c *client) expectError(code int, reason string) map[string]any {
	c.t.Helper()
	m := c.expect("error")
	if m["code"] != float64(code) || m["reason"] != reason || m["message"] == "" {
		c.t.Fatalf("got %v, want %d %s", m, code, reason)
	}
	return m
}

// expectClose reads to the end, which must be a close frame with this code.
func (c *client) expectClose(code int) {
	c.t.Helper()
	for range c.messages {
	}
	if c.code != code {
		c.t.Fatalf("closed with %d %q, want %d", c.code, c.text, code)
	}
	_ = c.conn.Close()
}

// alive shows that the connection is open and its messages are answered.
func (c *client) alive() {
	c.t.Helper()
	c.send(`{"type":"ping","time":77}`)
	for {
		if m := c.next(); m["type"] == "pong" && m["time"] == 77.0 {
			return
		}
	}
}

func (e *edge) submission() submission {
	e.t.Helper()
	return <-e.broker.submissions
}

func has(t *testing.T, m map[string]any, field string, want any) {
	t.Helper()
	if m[field] != want {
		t.Fatalf("%s is %v, want %v, in %v", field, m[field], want, m)
	}
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Fatalf("%q is not in %q", part, text)
	}
}
