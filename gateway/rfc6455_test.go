package gateway

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// The tests in rfc6455_*_test.go speak WebSocket in raw bytes with a gateway on a
// TCP listener. Their cases are numbered by the families in which the Autobahn test
// suite arranges RFC 6455: 1 framing, 2 ping and pong, 3 reserved bits, 4 opcodes,
// 5 fragmentation, 6 UTF-8, 7 the closing handshake, 9 limits, 10 fragments made by
// a library, 12 compression. A gateway is no echo server: a ping with a time stands
// for the echo of a message, a publish for that of its content.

// wireCase is one conversation behind hello and welcome.
type wireCase struct {
	name   string
	frames [][]byte
	gets   []string // what is answered, in order, in the words of describe
	stores []string // the data that the cluster was given, in order
	closes int      // the close frame that follows: -1 for one without a code, 0 for none
}

// wirePatience ends a test whose gateway says nothing.
const wirePatience = time.Minute

// cuts are the ways in which the bytes of a case are written.
var cuts = []struct {
	name string
	cut  func(frames [][]byte) [][]byte
}{
	{"at once", func(frames [][]byte) [][]byte { return [][]byte{join(frames...)} }},
	{"frame by frame", func(frames [][]byte) [][]byte { return frames }},
	{"in pieces", func(frames [][]byte) [][]byte { return pieces(join(frames...), 997) }},
	{"byte by byte", func(frames [][]byte) [][]byte { return pieces(join(frames...), 1) }},
}

// mostSingleBytes is up to which length a case is written byte by byte.
const mostSingleBytes = 3000

// runWire runs cases, each in every cut.
func runWire(t *testing.T, e *edge, cases []wireCase) {
	t.Helper()
	for i := range cases {
		test := &cases[i]
		size := len(join(test.frames...))
		for _, way := range cuts {
			if way.name == "byte by byte" && size > mostSingleBytes || way.name == "in pieces" && size <= 997 {
				continue
			}
			t.Run(test.name+"/"+way.name, func(t *testing.T) { converse(t, e, test, way.cut(test.frames)) })
		}
	}
}

// converse has one conversation.
func converse(t *testing.T, e *edge, test *wireCase, writes [][]byte) {
	t.Helper()
	p := e.peer(t)
	go p.write(writes)
	for _, want := range test.gets {
		if got := p.next(); got != want {
			t.Fatalf("got %.300q, want %.300q", got, want)
		}
	}
	if test.closes == 0 {
		<-p.written
		p.send(masked(ws.OpText, true, `{"type":"ping","time":7777}`))
		p.expect("pong 7777")
		p.send(closing(1000, ""))
		p.expect("CLOSE 1000")
	} else {
		want := fmt.Sprint("CLOSE ", test.closes)
		if got := p.next(); got != want && !strings.HasPrefix(got, want+" ") {
			t.Fatalf("got %.300q, want %s", got, want)
		}
	}
	p.expectEnd()
	for i, want := range test.stores {
		if got := string((<-e.broker.submissions).publish().Event.Payload.Bytes); got != want {
			t.Fatalf("data %d is %.300q, want %.300q", i, got, want)
		}
	}
	if left := len(e.broker.submissions); left != 0 {
		t.Fatalf("the cluster was given %d events more than expected", left)
	}
}

// rawPeer is the client's end of a socket.
type rawPeer struct {
	t       *testing.T
	conn    net.Conn
	in      *bufio.Reader
	written chan struct{} // closed when write is through
}

// peer opens a socket and says hello.
func (e *edge) peer(t *testing.T) *rawPeer {
	t.Helper()
	p := e.upgraded(t)
	p.send(masked(ws.OpText, true, `{"type":"hello"}`))
	p.expect("welcome")
	return p
}

// upgraded opens a socket.
func (e *edge) upgraded(t *testing.T, header ...string) *rawPeer {
	t.Helper()
	p, got := e.ask(t, upgradeRequest(header...))
	if got.status != http.StatusSwitchingProtocols {
		t.Fatalf("the upgrade is answered with %d", got.status)
	}
	return p
}

// upgradeAnswer is what is answered to an upgrade.
type upgradeAnswer struct {
	status int
	header http.Header
	body   string // of a refusal
}

// ask sends the bytes of a request and reads the answer.
func (e *edge) ask(t *testing.T, request string) (*rawPeer, upgradeAnswer) {
	t.Helper()
	conn, err := e.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(wirePatience))
	p := &rawPeer{t: t, conn: conn, in: bufio.NewReader(conn), written: make(chan struct{})}
	p.send([]byte(request))
	response, err := http.ReadResponse(p.in, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	got := upgradeAnswer{status: response.StatusCode, header: response.Header}
	if got.status != http.StatusSwitchingProtocols {
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		got.body = string(body)
	}
	return p, got
}

func upgradeRequest(header ...string) string {
	lines := []string{
		"GET /ws HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13",
	}
	return strings.Join(append(lines, header...), "\r\n") + "\r\n\r\n"
}

func (p *rawPeer) send(data []byte) { _, _ = p.conn.Write(data) }

// write ends early where the gateway has closed the socket, which is then seen by
// who reads.
func (p *rawPeer) write(writes [][]byte) {
	defer close(p.written)
	for _, data := range writes {
		if _, err := p.conn.Write(data); err != nil {
			return
		}
	}
}

// next is the next frame, described.
func (p *rawPeer) next() string {
	p.t.Helper()
	opcode, payload, err := readWireFrame(p.in)
	if err != nil {
		p.t.Fatalf("no frame comes: %v", err)
	}
	return describe(opcode, payload)
}

func (p *rawPeer) expect(want string) {
	p.t.Helper()
	if got := p.next(); got != want {
		p.t.Fatalf("got %.300q, want %.300q", got, want)
	}
}

// expectEnd reads the end of the stream: nothing follows a close frame, and it is
// not cut off.
func (p *rawPeer) expectEnd() {
	p.t.Helper()
	if b, err := p.in.ReadByte(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("behind the close frame comes %#x (%v), want the end", b, err)
	}
	_ = p.conn.Close()
}

// readWireFrame reads one frame as a client must: what a server may not send is an error.
func readWireFrame(in *bufio.Reader) (opcode ws.OpCode, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(in, head[:]); err != nil {
		return 0, nil, err
	}
	opcode = ws.OpCode(head[0] & 0x0f)
	switch {
	case head[0]&0x80 == 0:
		return 0, nil, fmt.Errorf("fragment of opcode %d: a gateway sends whole messages", opcode)
	case head[0]&0x70 != 0:
		return 0, nil, fmt.Errorf("reserved bits in %#x", head[0])
	case head[1]&0x80 != 0:
		return 0, nil, errors.New("a server masks nothing")
	}
	length, least := uint64(head[1]), uint64(0)
	switch length {
	case 126:
		var long uint16
		err = binary.Read(in, binary.BigEndian, &long)
		length, least = uint64(long), 126
	case 127:
		err = binary.Read(in, binary.BigEndian, &length)
		least = 1 << 16
	}
	if err != nil {
		return 0, nil, err
	}
	if length < least || opcode.IsControl() && length > maxControlBytes || length > 64<<20 {
		return 0, nil, fmt.Errorf("length %d of opcode %d in %#x", length, opcode, head)
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(in, payload)
	return opcode, payload, err
}

// describe says what a frame is: "PONG text", "CLOSE code reason", or of a message
// its type with the time of a pong, the reason of an error, the id of an ok.
func describe(opcode ws.OpCode, payload []byte) string {
	switch opcode { //nolint:exhaustive // what no gateway sends is shown as it is
	case ws.OpText:
	case ws.OpPong:
		return "PONG " + string(payload)
	case ws.OpClose:
		if len(payload) == 0 {
			return "CLOSE -1"
		}
		return strings.TrimSpace(fmt.Sprint("CLOSE ", binary.BigEndian.Uint16(payload), " ", string(payload[2:])))
	default:
		return fmt.Sprintf("opcode %d: %q", opcode, payload)
	}
	var m struct {
		Type, Reason string
		Time, ID     *int64
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return err.Error()
	}
	switch {
	case m.Time != nil && m.Type == "pong":
		return fmt.Sprint(m.Type, " ", *m.Time)
	case m.Type == "error":
		return m.Type + " " + m.Reason
	case m.Type == "ok":
		return fmt.Sprint(m.Type, " ", *m.ID)
	default:
		return m.Type
	}
}

// echo is a message of size bytes, some forty at least, that is answered by "pong <number>".
func echo(number, size int) string {
	bare := fmt.Sprintf(`{"type":"ping","time":%d,"pad":""}`, number)
	return strings.TrimSuffix(bare, `"}`) + strings.Repeat("*", size-len(bare)) + `"}`
}

// small is the shortest echo.
func small(number int) string { return fmt.Sprintf(`{"type":"ping","time":%d}`, number) }

func text(message string) []byte { return masked(ws.OpText, true, message) }

// closing is a close frame; a code of 0 stands for none.
func closing(code uint16, reason string) []byte {
	if code == 0 {
		return masked(ws.OpClose, true, reason)
	}
	return masked(ws.OpClose, true, string(binary.BigEndian.AppendUint16(nil, code))+reason)
}

// fragments are the frames of a text message, one for each part.
func fragments(parts ...string) (frames [][]byte) {
	code := ws.OpText
	for i, part := range parts {
		frames = append(frames, masked(code, i == len(parts)-1, part))
		code = ws.OpContinuation
	}
	return frames
}

// chopped is a text cut into parts of so many bytes.
func chopped(message string, size int) (parts []string) {
	for _, piece := range pieces([]byte(message), size) {
		parts = append(parts, string(piece))
	}
	return parts
}

func pieces(data []byte, size int) (parts [][]byte) {
	for len(data) > 0 {
		n := min(size, len(data))
		parts, data = append(parts, data[:n]), data[n:]
	}
	return parts
}

func join(frames ...[]byte) (all []byte) {
	for _, frame := range frames {
		all = append(all, frame...)
	}
	return all
}
