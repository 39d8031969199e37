package gateway

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// reference reads a whole stream as RFC 6455 tells it, with all bytes at hand, an
// independent reader of headers, and no thought of speed. It says the same as parsed;
// of a failure only whether it is one of size.
func reference(limit int, stream []byte) (events []string, failure string) {
	in := bytes.NewReader(stream)
	message, within := "", false
	for in.Len() > 0 {
		header, err := ws.ReadHeader(in)
		switch {
		case errors.Is(err, ws.ErrHeaderLengthMSB):
			return events, "protocol"
		case err != nil:
			return events, "" // The rest of the header is still to come.
		}
		if brokenHeader(header, within) {
			return events, "protocol"
		}
		if !header.OpCode.IsControl() && int64(len(message))+header.Length > int64(limit) {
			return events, "size"
		}
		if header.Length > int64(in.Len()) {
			return events, ""
		}
		payload := make([]byte, header.Length)
		_, _ = in.Read(payload)
		ws.Cipher(payload, header.Mask, 0)
		if header.OpCode.IsControl() {
			events = append(events, opcodeName(header.OpCode)+":"+string(payload))
			continue
		}
		message, within = message+string(payload), !header.Fin
		if header.Fin {
			if !utf8.ValidString(message) {
				return events, "protocol"
			}
			events, message = append(events, "text:"+message), ""
		}
	}
	return events, ""
}

func brokenHeader(h ws.Header, within bool) bool {
	switch {
	case h.Rsv != 0, h.OpCode.IsReserved(), !h.Masked, h.OpCode == ws.OpBinary:
		return true
	case h.OpCode.IsControl():
		return !h.Fin || h.Length > maxControlBytes
	default:
		return within != (h.OpCode == ws.OpContinuation)
	}
}

// FuzzParserReference: cut anywhere, the parser makes of a stream what the reference does.
func FuzzParserReference(f *testing.F) {
	frames := [][]byte{
		text(small(1)), masked(ws.OpText, false, "κ"[:1]), masked(ws.OpContinuation, true, "κ"[1:]), ping("p"), masked(ws.OpPong, true, ""),
		closing(1000, "bye"), closing(0, ""), text(strings.Repeat("x", 200)), masked(ws.OpContinuation, false, ""),
		longHeader(127, "long"), text(strings.Repeat("y", 1001)),
		{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4},
		text("\xff"),
	}
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		var stream []byte
		for range 1 + random.IntN(6) {
			stream = append(stream, frames[random.IntN(len(frames))]...)
		}
		f.Add(stream, seed)
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		const limit = 1000
		want, why := reference(limit, stream)
		random := rand.New(rand.NewPCG(seed, 2))
		var cut [][]byte
		for rest := stream; len(rest) > 0; {
			n := 1 + random.IntN(min(len(rest), 1+random.IntN(64)))
			cut, rest = append(cut, rest[:n]), rest[n:]
		}
		got, failure := parsed(limit, cut...)
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("got %q, the reference has %q", got, want)
		}
		if failed := failureKind(failure); failed != why {
			t.Fatalf("fails with %q, the reference with %q", failure, why)
		}
	})
}

func failureKind(reason string) string {
	switch {
	case reason == "":
		return ""
	case strings.Contains(reason, "max_message_bytes"):
		return "size"
	default:
		return "protocol"
	}
}
