package bench

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// pipeLine is a line whose server the test is.
func pipeLine(t *testing.T) (l *edgeLine, server net.Conn) {
	t.Helper()
	ours, server := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), server.Close() })
	l = &edgeLine{conn: ours, frames: bufio.NewReader(ours)}
	l.nats = newNATSReader(l)
	return l, server
}

// fromServer writes text in frames of so many bytes at most, as a server that cuts its stream
// where it likes.
func fromServer(conn net.Conn, size int, text string) {
	for len(text) > 0 {
		part := text[:min(size, len(text))]
		text = text[len(part):]
		for frame := ws.MustCompileFrame(ws.NewBinaryFrame([]byte(part))); len(frame) > 0; {
			n, err := conn.Write(frame[:min(5, len(frame))]) // Nor does a frame come at once.
			if err != nil {
				return
			}
			frame = frame[n:]
		}
	}
}

// heard is what a client wrote in one frame.
func heard(t *testing.T, conn net.Conn) string {
	t.Helper()
	frame, err := readFrame(conn)
	if err != nil {
		t.Error(err)
		return ""
	}
	if !frame.Header.Masked {
		t.Error("a frame of a client is not masked")
	}
	return string(ws.UnmaskFrameInPlace(frame).Payload)
}

// What a NATS server says is read alike wherever its stream is cut into frames.
func TestNATSReader(t *testing.T) {
	const said = "INFO {\"server_id\":\"x\"}\r\n+OK\r\nPING\r\nMSG a.b 1 5\r\nhello\r\n" +
		"MSG a.b 1 _INBOX.x 6\r\nPING\r\n\r\nMSG a.b 1 0\r\n\r\nPONG\r\n"
	want := []struct {
		kind    natsKind
		payload string
	}{
		{natsInfo, ""}, {natsOther, ""}, {natsPing, ""}, {natsMessage, "hello"}, {natsMessage, "PING\r\n"}, {natsMessage, ""}, {natsPong, ""},
	}
	for _, keep := range []int{0, maxNATSLine} {
		for _, size := range []int{1, 3, 7, len(said)} {
			l, server := pipeLine(t)
			go fromServer(server, size, said)
			for i, w := range want {
				kind, payload, err := l.nats.next(keep)
				if keep == 0 {
					w.payload = ""
				}
				if err != nil || kind != w.kind || string(payload) != w.payload {
					t.Fatalf("frames of %d, keeping %d, %d: %d %q %v, want %d %q", size, keep, i, kind, payload, err, w.kind, w.payload)
				}
			}
			if l.buffered() {
				t.Fatal("something is left")
			}
		}
	}
}

// What is not in the protocol ends the run, with what it was.
func TestNATSReaderRefuses(t *testing.T) {
	for _, test := range []struct {
		said string
		want error
	}{
		{"-ERR 'Authorization Violation'\r\n", errRefused},
		{"MSG a.b 1 five\r\n", errBadNATS},
		{"MSG a.b 1 -1\r\n", errBadNATS},
		{"HTTP/1.1 400 Bad Request\r\n", errBadNATS},
		{"PING\n", errBadNATS},
		{strings.Repeat("x", maxNATSLine+1), bufio.ErrBufferFull},
	} {
		l, server := pipeLine(t)
		go fromServer(server, 1<<15, test.said)
		if _, _, err := l.nats.next(0); !errors.Is(err, test.want) {
			t.Errorf("%.40q: %v", test.said, err)
		}
	}
}

const natsAck = "MSG i 1 29\r\n{\"stream\":\"edge-r-1\",\"seq\":1}\r\n"

// A session is greeted, subscribed and answered in NATS's words.
func TestNATSDialect(t *testing.T) {
	e := &edge{config: &EdgeConfig{InFlight: 4, Size: 4, Streams: 2}, run: "r"}
	d := e.natsDialect(natsJetStream)
	l, server := pipeLine(t)
	l.number = 3
	script := make(chan string)
	go func() {
		defer close(script)
		fromServer(server, 100, "INFO {}\r\n")
		for _, answer := range []string{"", "PONG\r\n", "", "PONG\r\n", natsAck} {
			script <- heard(t, server)
			fromServer(server, 100, answer)
		}
	}()
	var words []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		for word := range script {
			words = append(words, word)
		}
	}()
	if err := errors.Join(d.greet(l), d.publisher(l), l.write(d.publish(nil, l, 1))); err != nil {
		t.Fatal(err)
	}
	if n, err := l.answers(d); n != 1 || err != nil {
		t.Fatalf("%d answers, %v", n, err)
	}
	<-done
	if !strings.HasPrefix(words[0], "CONNECT {") {
		t.Errorf("it begins with %q", words[0])
	}
	for i, want := range []string{"PING\r\n", "SUB _INBOX.r.3 1\r\n", "PING\r\n", "PUB edge-r-1 _INBOX.r.3 4\r\n\"xx\"\r\n"} {
		if words[i+1] != want {
			t.Errorf("%d: said %q, want %q", i+1, words[i+1], want)
		}
	}
}

// A JetStream that does not store says so in its answer, which is no acknowledgement.
func TestNATSRefusedPublish(t *testing.T) {
	e := &edge{config: &EdgeConfig{InFlight: 4, Size: 4, Streams: 1}}
	l, server := pipeLine(t)
	go fromServer(server, 9, "MSG i 1 22\r\n{\"error\":{\"code\":503}}\r\n")
	if n, err := e.natsDialect(natsJetStream).receive(l); n != 0 || !errors.Is(err, errRefused) {
		t.Fatalf("%d, %v", n, err)
	}
}

// A connection keeps as many in flight as it may, and at the end waits for the last answer.
func TestFlight(t *testing.T) {
	const inFlight, last = 4, 20
	e := &edge{config: &EdgeConfig{InFlight: inFlight, Size: 4, Streams: 1}}
	l, server := pipeLine(t)
	f := newFlight(t.Context(), []*edgeLine{l})
	f.work.Go(func() { f.fail(f.publish(e.natsDialect(natsJetStream), l, inFlight)) })
	answered := 0
	for range inFlight {
		heard(t, server)
	}
	for ; answered < last; answered++ {
		fromServer(server, 100, natsAck)
		heard(t, server) // The next one comes for each that is answered.
	}
	f.stop.Store(true)
	for range inFlight {
		fromServer(server, 100, natsAck)
		answered++
	}
	if err := f.end(nil); err != nil || f.counted.Load() != int64(answered) || l.sent != uint64(answered) {
		t.Fatalf("counted %d of %d, answered %d, %v", f.counted.Load(), l.sent, answered, err)
	}
}

// Core NATS is asked for one answer to each half of what may be in flight.
func TestNATSCoreFlush(t *testing.T) {
	e := &edge{config: &EdgeConfig{InFlight: 6, Size: 4, Streams: 1}}
	d := e.natsDialect(natsCore)
	l, server := pipeLine(t)
	go func() { _ = l.write(d.publish(nil, l, 6)) }()
	var words strings.Builder
	for range 8 {
		word, _, _ := strings.Cut(heard(t, server), " ")
		words.WriteString(strings.TrimSpace(word) + " ")
	}
	want := strings.Repeat(strings.Repeat("PUB ", 3)+"PING ", 2)
	if words.String() != want || d.perAnswer() != 3 {
		t.Fatalf("%q, one answer for %d", words.String(), d.perAnswer())
	}
}

// Answers and deliveries of a node count, by their first bytes; an error ends the run; a
// ping of the socket is answered on the way.
func TestBatonReceive(t *testing.T) {
	e := &edge{config: &EdgeConfig{InFlight: 4, Size: 4}}
	event := &wire.Event{
		Subscription: []byte("f1"), Cursor: []byte("c"), EventID: []byte("e"), Time: 1,
		EventFields: wire.EventFields{Channel: []byte("a"), Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte("1")}},
	}
	for _, encoding := range []wire.Encoding{wire.JSON, wire.Binary} {
		d := newBatonDialect(e, encoding)
		l, server := pipeLine(t)
		ponged := make(chan string, 1)
		go func() {
			_ = ws.WriteFrame(server, ws.NewPingFrame([]byte("p")))
			ponged <- heard(t, server)
			for _, m := range []wire.Buffer{
				wire.AppendOK(encoding.On(nil), &wire.OK{ID: 1}), wire.AppendPong(encoding.On(nil), &wire.Pong{}),
				wire.AppendEvent(encoding.On(nil), event),
				wire.AppendError(encoding.On(nil), &wire.Error{ID: 2, Code: 429, Reason: wire.ReasonRateLimited, Message: []byte("slower")}),
			} {
				_ = ws.WriteFrame(server, ws.NewFrame(d.opcode, true, m.Bytes))
			}
		}()
		for i, want := range []int{1, 0, 1} {
			if n, err := d.receive(l); n != want || err != nil {
				t.Errorf("%v, message %d: counts %d, %v", d.protocol(), i, n, err)
			}
		}
		if n, err := d.receive(l); n != 0 || !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "slower") {
			t.Errorf("%v, error: counts %d, %v", d.protocol(), n, err)
		}
		if pong := <-ponged; pong != "p" {
			t.Errorf("the ping is answered with %q", pong)
		}
	}
}

// What a connection publishes is what a node reads, each message in a frame, with an id of its own.
func TestBatonPublish(t *testing.T) {
	e := &edge{config: &EdgeConfig{InFlight: 4, Size: 300}, run: "r"}
	for _, encoding := range []wire.Encoding{wire.JSON, wire.Binary} {
		d := newBatonDialect(e, encoding)
		l, server := pipeLine(t)
		go func() { _ = l.write(d.publish(nil, l, 3)) }()
		decoder, m := wire.NewDecoder(wire.FromClient), new(wire.Message)
		for id := uint64(1); id <= 3; id++ {
			decoder.ResetAs(encoding, []byte(heard(t, server)), nil)
			if err := decoder.Next(m); err != nil || m.Publish.ID != id || len(m.Publish.Payload.Bytes) != 300 {
				t.Fatalf("%v: %v %+v", d.protocol(), err, m.Publish)
			}
			if err := decoder.Next(m); !errors.Is(err, io.EOF) {
				t.Fatalf("more than a message in a frame: %v", err)
			}
		}
	}
}
