package gateway

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"pgregory.net/rapid"
)

// parsed is everything a parser makes of a stream.
func parsed(limit uint64, pieces ...[]byte) (events []string, failure string) {
	return parsedBy(&frameParser{limit: limit}, pieces...)
}

func parsedBy(p *frameParser, pieces ...[]byte) (events []string, failure string) {
	for _, piece := range pieces {
		data := append([]byte(nil), piece...)
		for len(data) > 0 {
			event, rest, err := p.next(data)
			if err != nil {
				return events, strings.TrimSpace(err.reason)
			}
			data = rest
			if event.opcode != noEvent {
				events = append(events, opcodeName(event.opcode)+":"+string(event.payload))
			}
		}
		p.park()
	}
	return events, ""
}

func opcodeName(code ws.OpCode) string {
	return map[ws.OpCode]string{
		ws.OpText: "text", ws.OpPing: "ping", ws.OpPong: "pong", ws.OpClose: "close", ws.OpBinary: "binary", ws.OpContinuation: "continuation",
	}[code]
}

func masked(code ws.OpCode, fin bool, payload string) []byte {
	f := ws.NewFrame(code, fin, []byte(payload))
	return ws.MustCompileFrame(ws.MaskFrameWith(f, [4]byte{1, 2, 3, 4}))
}

// TestBinaryParser: a connection of binary frames takes any bytes, and no text.
func TestBinaryParser(t *testing.T) {
	events, failure := parsedBy(&frameParser{limit: 8, binary: true},
		masked(ws.OpBinary, true, "\xff\x00"), masked(ws.OpBinary, false, "a"), masked(ws.OpContinuation, true, "\xfe"), masked(ws.OpText, true, "x"))
	if strings.Join(events, " ") != "binary:\xff\x00 binary:a\xfe" || failure != "text frame on a baton.v1.binary connection" {
		t.Errorf("%q %s", events, failure)
	}
}

// TestParser is RFC 6455 as a table, each case whole, frame by frame and byte by byte.
func TestParser(t *testing.T) {
	long := strings.Repeat("x", 70000)
	for _, test := range []struct {
		name   string
		stream [][]byte
		events []string
		fails  string
	}{
		{name: "one text frame", stream: [][]byte{masked(ws.OpText, true, "hello")}, events: []string{"text:hello"}},
		{name: "empty text frame", stream: [][]byte{masked(ws.OpText, true, "")}, events: []string{"text:"}},
		{name: "16-bit length", stream: [][]byte{masked(ws.OpText, true, long[:300])}, events: []string{"text:" + long[:300]}},
		{name: "64-bit length", stream: [][]byte{masked(ws.OpText, true, long)}, events: []string{"text:" + long}},
		{
			name:   "fragments with a ping between",
			stream: [][]byte{masked(ws.OpText, false, "a"), masked(ws.OpPing, true, "p"), masked(ws.OpContinuation, false, ""), masked(ws.OpContinuation, true, "b")},
			events: []string{"ping:p", "text:ab"},
		},
		{
			name:   "a rune across fragments",
			stream: [][]byte{masked(ws.OpText, false, "\xe2\x82"), masked(ws.OpContinuation, true, "\xac")},
			events: []string{"text:€"},
		},
		{name: "empty first fragment", stream: [][]byte{masked(ws.OpText, false, ""), masked(ws.OpContinuation, true, "ab")}, events: []string{"text:ab"}},
		{name: "close", stream: [][]byte{masked(ws.OpClose, true, "\x03\xe8bye")}, events: []string{"close:\x03\xe8bye"}},
		{name: "unmasked", stream: [][]byte{ws.MustCompileFrame(ws.NewTextFrame([]byte("x")))}, fails: "not masked"},
		{name: "reserved bit", stream: [][]byte{{0xc1, 0x80, 1, 2, 3, 4}}, fails: "reserved bits"},
		{name: "reserved opcode", stream: [][]byte{{0x83, 0x80, 1, 2, 3, 4}}, fails: "reserved opcode"},
		{name: "reserved control opcode", stream: [][]byte{{0x8b, 0x80, 1, 2, 3, 4}}, fails: "reserved opcode"},
		{name: "binary", stream: [][]byte{masked(ws.OpBinary, true, "x")}, fails: "binary"},
		{name: "long ping", stream: [][]byte{masked(ws.OpPing, true, long[:126])}, fails: "longer than 125"},
		{name: "fragmented ping", stream: [][]byte{masked(ws.OpPing, false, "x")}, fails: "fragmented"},
		{name: "continuation of nothing", stream: [][]byte{masked(ws.OpContinuation, true, "x")}, fails: "continuation of nothing"},
		{name: "text within a message", stream: [][]byte{masked(ws.OpText, false, "x"), masked(ws.OpText, true, "y")}, fails: "within"},
		{name: "invalid UTF-8", stream: [][]byte{masked(ws.OpText, true, "\xff")}, fails: "UTF-8"},
		{name: "length 2^62", stream: [][]byte{{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, fails: "max_message_bytes"},
		{name: "length 2^63", stream: [][]byte{{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}}, fails: "highest bit"},
		{name: "one byte too long", stream: [][]byte{masked(ws.OpText, true, long+"x")}, fails: "max_message_bytes"},
		{name: "too long in pieces", stream: [][]byte{masked(ws.OpText, false, long), masked(ws.OpContinuation, true, "x")}, fails: "max_message_bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			stream := bytes.Join(test.stream, nil)
			var single [][]byte
			for i := range stream {
				single = append(single, stream[i:i+1])
			}
			for _, pieces := range [][][]byte{{stream}, test.stream, single} {
				events, failure := parsed(70000, pieces...)
				if strings.Join(events, "|") != strings.Join(test.events, "|") {
					t.Fatalf("got %.200q, want %.200q", events, test.events)
				}
				if (test.fails == "") != (failure == "") || !strings.Contains(failure, test.fails) {
					t.Fatalf("failed with %q, want %q", failure, test.fails)
				}
			}
		})
	}
}

// TestParserCuts: however a stream is cut into reads, it says the same.
func TestParserCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		for range rapid.IntRange(1, 6).Draw(t, "frames") {
			code := rapid.SampledFrom([]ws.OpCode{ws.OpText, ws.OpContinuation, ws.OpPing, ws.OpPong}).Draw(t, "opcode")
			stream = append(stream, masked(code, rapid.Bool().Draw(t, "fin"), rapid.StringN(0, 200, -1).Draw(t, "payload"))...)
		}
		want, failed := parsed(1000, stream)
		var pieces [][]byte
		for rest := stream; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "cut")
			pieces, rest = append(pieces, rest[:n]), rest[n:]
		}
		got, failure := parsed(1000, pieces...)
		if strings.Join(got, "|") != strings.Join(want, "|") || failure != failed {
			t.Fatalf("cut: %q %q, whole: %q %q", got, failure, want, failed)
		}
	})
}

// TestParserHoldsNoMoreThanItGot: a length is believed only as far as its bytes have come.
func TestParserHoldsNoMoreThanItGot(t *testing.T) {
	p := frameParser{limit: 1 << 20}
	header := []byte{0x81, 0xff, 0, 0, 0, 0, 0, 0x0f, 0xff, 0xff, 1, 2, 3, 4}
	for _, data := range [][]byte{header, {1}, {2}, {3}} {
		if _, _, err := p.next(data); err != nil {
			t.Fatal(err.reason)
		}
	}
	if cap(p.message) > 64 {
		t.Fatalf("%d bytes are held for 3", cap(p.message))
	}
	if !p.midMessage() {
		t.Fatal("the message is not over")
	}
}

// FuzzParser: no stream makes the parser panic, and a cut changes nothing.
func FuzzParser(f *testing.F) {
	f.Add(masked(ws.OpText, true, "hello"), 3)
	f.Add(append(masked(ws.OpText, false, "a"), masked(ws.OpContinuation, true, "b")...), 7)
	seed, _ := hex.DecodeString("81ff4000000000000000" + "01020304")
	f.Add(seed, 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut int) {
		if len(stream) == 0 {
			return
		}
		cut = int(uint(cut) % uint(len(stream)))
		want, failed := parsed(4096, stream)
		got, failure := parsed(4096, stream[:cut], stream[cut:])
		if strings.Join(got, "|") != strings.Join(want, "|") || failure != failed {
			t.Fatalf("cut: %q %q, whole: %q %q", got, failure, want, failed)
		}
	})
}

// TestSealFrame covers each length of a header.
func TestSealFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 65535, 65536, 100000} {
		payload := strings.Repeat("p", size)
		buf := append([]byte("before"), 0, 0, 0, 0)
		buf = sealFrame(append(buf, payload...), len("before"), ws.OpText)
		in := bytes.NewReader(buf[len("before"):])
		header, err := ws.ReadHeader(in)
		if err != nil || int(header.Length) != in.Len() {
			t.Fatalf("size %d: %v, %+v, %d bytes are left", size, err, header, in.Len())
		}
		if !header.Fin || header.Masked || header.OpCode != ws.OpText || string(buf[len(buf)-size:]) != payload {
			t.Fatalf("size %d: %+v", size, header)
		}
	}
}
