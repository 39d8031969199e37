package gateway

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
)

// headerLengths are the lengths at which a header changes its form.
var headerLengths = []int{125, 126, 127, 128, 65535, 65536}

// TestFraming is family 1: messages of every form of header.
func TestFraming(t *testing.T) {
	cases := []wireCase{
		{name: "1.1 an empty text says nothing", frames: [][]byte{text("")}},
		{name: "1.1 the shortest message", frames: [][]byte{text(small(1))}, gets: []string{"pong 1"}},
		{name: "1.2 an empty binary frame", frames: [][]byte{masked(ws.OpBinary, true, "")}, closes: 4501},
		{name: "1.2 a fragmented binary message", frames: [][]byte{masked(ws.OpBinary, false, "{"), masked(ws.OpContinuation, true, "}")}, closes: 4501},
		{name: "1.3 a mask of zeros", frames: [][]byte{maskedWith([4]byte{}, small(1))}, gets: []string{"pong 1"}},
		{name: "1.3 a mask of ones", frames: [][]byte{maskedWith([4]byte{255, 255, 255, 255}, small(1))}, gets: []string{"pong 1"}},
		{
			name:   "1.3 another mask for each frame",
			frames: [][]byte{maskedWith([4]byte{1, 0, 0, 0}, small(1)), maskedWith([4]byte{0, 0, 0, 9}, small(2)), maskedWith([4]byte{7, 7, 7, 7}, small(3))},
			gets:   []string{"pong 1", "pong 2", "pong 3"},
		},
		{name: "1.4 a length in more bytes than it needs: 16 bits", frames: [][]byte{longHeader(126, small(1))}, gets: []string{"pong 1"}},
		{name: "1.4 a length in more bytes than it needs: 64 bits", frames: [][]byte{longHeader(127, small(1))}, gets: []string{"pong 1"}},
	}
	for _, size := range headerLengths {
		cases = append(
			cases,
			wireCase{name: fmt.Sprintf("1.1 text of %d bytes", size), frames: [][]byte{text(echo(1, size))}, gets: []string{"pong 1"}},
			wireCase{name: fmt.Sprintf("1.2 binary of %d bytes", size), frames: [][]byte{text(small(1)), masked(ws.OpBinary, true, echo(2, size))}, gets: []string{"pong 1"}, closes: 4501},
		)
	}
	for _, opcode := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpPing, ws.OpPong, ws.OpClose} {
		frame := ws.NewFrame(opcode, true, nil)
		cases = append(
			cases,
			wireCase{name: fmt.Sprintf("1.3 opcode %d without a mask, empty", opcode), frames: [][]byte{text(small(1)), ws.MustCompileFrame(frame)}, gets: []string{"pong 1"}, closes: 4501},
			wireCase{name: fmt.Sprintf("1.3 opcode %d without a mask", opcode), frames: [][]byte{ws.MustCompileFrame(ws.NewFrame(opcode, true, []byte("\x03\xe8")))}, closes: 4501},
		)
	}
	runWire(t, newEdge(t), cases)
}

// TestPings is family 2.
func TestPings(t *testing.T) {
	const binaryPayload = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	longest := strings.Repeat("p", maxControlBytes)
	cases := []wireCase{
		{name: "2.1 empty", frames: [][]byte{ping("")}, gets: []string{"PONG "}},
		{name: "2.2 with text", frames: [][]byte{ping("Hello")}, gets: []string{"PONG Hello"}},
		{name: "2.3 with bytes that are no text", frames: [][]byte{ping(binaryPayload)}, gets: []string{"PONG " + binaryPayload}},
		{name: "2.4 of 125 bytes", frames: [][]byte{ping(longest)}, gets: []string{"PONG " + longest}},
		{name: "2.5 of 126 bytes", frames: [][]byte{ping(longest + "p")}, closes: 4501},
		{name: "2.5 of 65536 bytes", frames: [][]byte{ping(strings.Repeat("p", 65536))}, closes: 4501},
		{name: "2.7 a pong that nobody asked for", frames: [][]byte{masked(ws.OpPong, true, "")}},
		{name: "2.8 a pong with a payload that nobody asked for", frames: [][]byte{masked(ws.OpPong, true, longest)}},
		{name: "2.8 a pong of 126 bytes", frames: [][]byte{masked(ws.OpPong, true, longest+"p")}, closes: 4501},
		{name: "2.9 a pong, and a ping", frames: [][]byte{masked(ws.OpPong, true, "unsolicited"), ping("asked")}, gets: []string{"PONG asked"}},
		{name: "2.9 a ping between messages", frames: [][]byte{text(small(1)), ping("x"), text(small(2))}, gets: []string{"pong 1", "PONG x", "pong 2"}},
	}
	ten := wireCase{name: "2.10 ten in a row"}
	for i := range 10 {
		payload := fmt.Sprint("payload-", i)
		ten.frames, ten.gets = append(ten.frames, ping(payload)), append(ten.gets, "PONG "+payload)
	}
	many := wireCase{name: "2.11 more than wait to be written at a time"}
	for range 4000 {
		many.frames, many.gets = append(many.frames, ping(longest)), append(many.gets, "PONG "+longest)
	}
	runWire(t, newEdge(t, withLimits(Limits{MaxControlFrames: 10_000})), append(cases, ten, many))
}

// TestReservedBits is family 3, and what 12 and 13 come to where no extension is
// negotiated: each bit, alone and together, in each kind of frame.
func TestReservedBits(t *testing.T) {
	var cases []wireCase
	for bits := byte(1); bits <= 7; bits++ {
		for _, opcode := range []ws.OpCode{ws.OpText, ws.OpBinary, ws.OpPing, ws.OpPong, ws.OpClose} {
			frame := masked(opcode, true, "\x03\xe8")
			frame[0] |= bits << 4
			cases = append(cases, wireCase{
				name:   fmt.Sprintf("3.%d bits %03b, opcode %d", bits, bits, opcode),
				frames: [][]byte{text(small(1)), frame, ping("too late")}, gets: []string{"pong 1"}, closes: 4501,
			})
		}
		within := fragments(small(1)[:5], small(1)[5:])
		within[1][0] |= bits << 4
		cases = append(cases, wireCase{name: fmt.Sprintf("3.%d bits %03b, in a continuation", bits, bits), frames: within, closes: 4501})
	}
	runWire(t, newEdge(t), cases)
}

// TestOpcodes is family 4: those that mean nothing.
func TestOpcodes(t *testing.T) {
	var cases []wireCase
	for _, opcode := range []ws.OpCode{3, 4, 5, 6, 7, 11, 12, 13, 14, 15} {
		cases = append(
			cases,
			wireCase{name: fmt.Sprintf("4 opcode %d, empty", opcode), frames: [][]byte{masked(opcode, true, "")}, closes: 4501},
			wireCase{name: fmt.Sprintf("4 opcode %d, with a payload", opcode), frames: [][]byte{masked(opcode, true, small(1))}, closes: 4501},
			wireCase{name: fmt.Sprintf("4 opcode %d, after a message", opcode), frames: [][]byte{text(small(1)), masked(opcode, true, "x"), ping("too late")}, gets: []string{"pong 1"}, closes: 4501},
			wireCase{name: fmt.Sprintf("4 opcode %d, within a message", opcode), frames: [][]byte{masked(ws.OpText, false, "{"), masked(opcode, true, ""), ping("too late")}, closes: 4501},
			wireCase{name: fmt.Sprintf("4 opcode %d, begins a fragmented one", opcode), frames: [][]byte{masked(opcode, false, "{"), masked(ws.OpContinuation, true, "}")}, closes: 4501},
		)
	}
	runWire(t, newEdge(t), cases)
}

// TestOutgoingFrames: what a gateway sends is whole and not masked, and its header as
// short as can be, at every length at which that changes.
func TestOutgoingFrames(t *testing.T) {
	e := newEdge(t)
	p := e.upgraded(t)
	p.send(text(`{"type":"hello","client_id":"ann"}`))
	p.expect("welcome")
	stream := <-e.broker.attached
	length := func(seq uint64, data int) int {
		n := command.Notification{Seq: seq, Name: "n", Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`"` + strings.Repeat("d", data) + `"`)}}
		stream.sink.Notification(&n, false)
		opcode, payload, err := readWireFrame(p.in)
		if err != nil || opcode != ws.OpText || !strings.Contains(string(payload), string(n.Payload.Bytes)) {
			t.Fatalf("opcode %d, %d bytes, %v", opcode, len(payload), err)
		}
		return len(payload)
	}
	// All have the same number of digits.
	empty := length(1000, 0)
	seq := uint64(1000)
	for _, boundary := range []int{125, 65535} {
		for size := boundary; size <= boundary+2; size++ {
			seq++
			if got := length(seq, size-empty); got != size {
				t.Errorf("the message has %d bytes, want %d", got, size)
			}
		}
	}
}

func ping(payload string) []byte { return masked(ws.OpPing, true, payload) }

func maskedWith(mask [4]byte, message string) []byte {
	return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewTextFrame([]byte(message)), mask))
}

// longHeader is a text frame whose length is spelled in the form that this says.
func longHeader(form byte, message string) []byte {
	frame := []byte{0x81, 0x80 | form}
	if form == 126 {
		frame = binary.BigEndian.AppendUint16(frame, uint16(len(message)))
	} else {
		frame = binary.BigEndian.AppendUint64(frame, uint64(len(message)))
	}
	return append(append(frame, 0, 0, 0, 0), message...)
}
