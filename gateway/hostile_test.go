package gateway

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// rawDial opens a socket of the edge.
func (e *edge) rawDial() net.Conn {
	e.t.Helper()
	conn, err := e.dial()
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestHeaderFloods: headers are bounded together, many small ones as one large one, and
// whoever sends them is cut; nobody else notices.
func TestHeaderFloods(t *testing.T) {
	e := newEdge(t)
	other := e.open(`{"type":"hello"}`)
	const begin = "GET /ws HTTP/1.1\r\nHost: localhost\r\n"
	for name, header := range map[string]string{
		"one large":    "X: " + strings.Repeat("x", 64<<10) + "\r\n",
		"many":         strings.Repeat("X: y\r\n", 16<<10),
		"no end":       strings.Repeat("X", 64<<10),
		"a long path":  "",
		"continuation": "X: y\r\n" + strings.Repeat(" z\r\n", 32<<10),
	} {
		t.Run(name, func(t *testing.T) {
			conn := e.rawDial()
			text := begin + header
			if header == "" {
				text = "GET /" + strings.Repeat("x", 64<<10) + " HTTP/1.1\r\nHost: localhost\r\n"
			}
			go func() { _, _ = io.WriteString(conn, text+"\r\n") }()
			answer, _ := io.ReadAll(conn)
			if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 431") && !strings.HasPrefix(string(answer), "HTTP/1.1 400") {
				t.Fatalf("%.100s", answer)
			}
		})
	}
	other.alive()
}

// TestSlowHandshakes: whoever trickles its request, or says no hello, or trickles that, is cut in
// time, however much comes, and leaves no goroutine behind.
func TestSlowHandshakes(t *testing.T) {
	for name, test := range map[string]struct {
		first string // written at once
		drip  string // one byte a second of this, again and again
		most  time.Duration
		code  string
	}{
		"the request":      {"GET /ws HTTP/1.1\r\nHost: localhost\r\n", "X: y\r\n", readHeaderTimeout + time.Second, ""},
		"nothing at all":   {"", "", readHeaderTimeout + time.Second, ""},
		"no hello":         {plainUpgrade, "", 10*time.Second + longestCheck + 3*time.Second, "\x11\x96"},
		"a trickled hello": {plainUpgrade + "\x81\xfe\x04\x00\x00\x00\x00\x00", "{", 10*time.Second + longestCheck + 3*time.Second, "\x11\x96"},
		"pings for hello":  {plainUpgrade, "\x89\x80\x00\x00\x00\x00", 10*time.Second + longestCheck + 3*time.Second, "\x11\x96"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newBubbleEdge(t)
				conn := e.rawDial()
				began, ended := time.Now(), make(chan []byte)
				go func() {
					text, _ := io.ReadAll(conn)
					ended <- text
				}()
				if _, err := io.WriteString(conn, test.first); err != nil {
					t.Fatal(err)
				}
				var text []byte
				for i, over := 0, false; !over; i++ {
					select {
					case text = <-ended:
						over = true
					case <-time.After(time.Second):
						if test.drip != "" {
							_, _ = io.WriteString(conn, test.drip[i%len(test.drip):i%len(test.drip)+1])
						}
					}
				}
				if took := time.Since(began); took > test.most {
					t.Errorf("cut after %v", took)
				}
				if !strings.Contains(string(text), test.code) {
					t.Errorf("%q does not say %q", text, test.code)
				}
				_ = conn.Close()
				e.awaitConnections(0)
			})
		})
	}
}

const plainUpgrade = "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"

// TestHalfOpen: a client that has closed its side is over at once; one that is gone without a
// word, when it has been silent for too long.
func TestHalfOpen(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for range c.messages {
	}
	e.awaitConnections(0)
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connectDeaf()
		began := time.Now()
		go c.send(`{"type":"hello"}`)
		e.awaitConnections(0)
		if took := time.Since(began); took > 60*time.Second+2*longestCheck+10*time.Second {
			t.Fatalf("cut after %v", took)
		}
	})
}

// TestPingFlood: a client that floods with pings and reads no answers holds bounded memory, and the
// others are served meanwhile.
func TestPingFlood(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxControlFrames: 1 << 20}))
	other := e.open(`{"type":"hello"}`)
	c := e.connectDeaf()
	c.send(`{"type":"hello"}`)
	ping := masked(0x9, true, strings.Repeat("p", 125))
	flood := []byte(strings.Repeat(string(ping), 1000))
	_ = c.conn.SetWriteDeadline(time.Now().Add(2 * time.Second))
	for written := 0; written < 64<<20; {
		n, err := c.conn.Write(flood)
		if written += n; errors.Is(err, os.ErrDeadlineExceeded) {
			break // It is not read any more.
		} else if err != nil {
			t.Fatal(err)
		}
	}
	other.alive()
	if held := e.heldBytes(); held > 2*(256<<10) {
		t.Fatalf("%d bytes are held", held)
	}
}

// TestHugeNumbers: credit, window, seq and offsets at the edge of integers are cut or refused.
func TestHugeNumbers(t *testing.T) {
	e := newEdge(t)
	const most = "9007199254740991"
	c := e.connect()
	c.send(`{"type":"hello","client_id":"ann","window":` + most + `}`)
	stream := <-e.broker.attached
	if stream.spec.Window != 4096 {
		t.Fatalf("a window of %d", stream.spec.Window)
	}
	c.expect("welcome")
	c.send(`{"type":"subscribe","id":1,"channel":"q","credit":` + most + `}`)
	c.expect("ok")
	if s := <-e.broker.subscribed; s.spec.Credit != 4096 {
		t.Fatalf("a credit of %d", s.spec.Credit)
	}
	for _, tooMuch := range []string{"9007199254740992", "18446744073709551616", "1e300", "-1", "1.5"} {
		c.send(`{"type":"subscribe","id":2,"channel":"q","credit":` + tooMuch + `}`)
		c.expectError(400, "bad_request")
	}
	c.send(`{"type":"ack","seq":` + most + `}`)
	c.expectError(400, "bad_request")
	c.alive()
}

// TestForeignEpoch: a resume from another cluster's stream goes to the state as it was said,
// and an epoch that is too long goes nowhere.
func TestForeignEpoch(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.state = StreamState{Epoch: "e1", Head: 7, Resumed: ResumedNone} })
	c := e.connect()
	c.send(`{"type":"hello","client_id":"ann","resume":{"epoch":"another","seq":41}}`)
	stream := <-e.broker.attached
	if stream.spec.Resume != ResumeSeq || stream.spec.Epoch != "another" || stream.spec.Seq != 41 {
		t.Fatalf("%+v", stream.spec)
	}
	m := c.expect("welcome")
	has(t, m, "resumed", "none")
	has(t, m, "epoch", "e1")
	c = e.connect()
	c.send(`{"type":"hello","client_id":"ann","resume":{"epoch":"` + strings.Repeat("e", 513) + `","seq":41}}`)
	c.expectError(400, "bad_request")
	c.expectClose(4501)
}

// TestOversizedTokens are refused before anybody looks at them.
func TestOversizedTokens(t *testing.T) {
	e, _ := newClosedEdge(t)
	big := strings.Repeat("t", 16<<10+1)
	c := e.connect()
	c.send(`{"type":"hello","token":"` + big + `"}`)
	c.expectError(400, "bad_request")
	c.expectClose(4501)
	conn := e.rawDial()
	go func() {
		_, _ = io.WriteString(conn, "GET /v1/cluster HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+strings.Repeat("t", 64<<10)+"\r\n\r\n")
	}()
	answer, _ := io.ReadAll(conn)
	if len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 431") {
		t.Fatalf("%.100s", answer)
	}
	e.do(t, e.request(http.MethodGet, "/v1/cluster", "", "Authorization", "Bearer "+strings.Repeat("t", 10<<10)), 401, "unauthenticated")
}

// TestManyRefusedConnections: a storm beyond the node's places costs nothing that lasts.
func TestManyRefusedConnections(t *testing.T) {
	e := newEdge(t, withLimits(Limits{MaxConnections: 2}))
	a, b := e.open(`{"type":"hello"}`), e.open(`{"type":"hello"}`)
	before := runtime.NumGoroutine()
	for range 50 {
		e.sentAway(e.connect(), 4000)
	}
	for runtime.NumGoroutine() > before+10 {
		time.Sleep(time.Millisecond)
	}
	a.alive()
	b.alive()
	if got := e.refusals(limitConnections); got != 50 {
		t.Fatalf("%d refusals", got)
	}
}
