package gateway

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// TestFragmentation is family 5.
func TestFragmentation(t *testing.T) {
	hello := small(1)
	head, tail := hello[:9], hello[9:]
	first, last := fragments(head, tail)[0], fragments(head, tail)[1]
	stray := func(fin bool) []byte { return masked(ws.OpContinuation, fin, "stray") }
	pong := []string{"pong 1"}
	cases := []wireCase{
		{name: "5.1 a fragmented ping", frames: [][]byte{masked(ws.OpPing, false, "a"), masked(ws.OpContinuation, true, "b")}, closes: 4501},
		{name: "5.2 a fragmented pong", frames: [][]byte{masked(ws.OpPong, false, "a"), masked(ws.OpContinuation, true, "b")}, closes: 4501},
		{name: "5.2 a fragmented close", frames: [][]byte{masked(ws.OpClose, false, "\x03\xe8"), masked(ws.OpContinuation, true, "")}, closes: 4501},
		{name: "5.3 two fragments", frames: [][]byte{first, last}, gets: pong},
		{name: "5.6 a ping between them", frames: [][]byte{first, ping("between"), last}, gets: []string{"PONG between", "pong 1"}},
		{name: "5.6 a pong between them", frames: [][]byte{first, masked(ws.OpPong, true, "between"), last}, gets: pong},
		{name: "5.6 a fragmented ping between them", frames: [][]byte{first, masked(ws.OpPing, false, "a"), last}, closes: 4501},
		{name: "5.9 a continuation of nothing", frames: [][]byte{stray(true), text(hello)}, closes: 4501},
		{name: "5.10 a continuation of nothing, after a message", frames: [][]byte{text(hello), stray(true)}, gets: pong, closes: 4501},
		{name: "5.12 a continuation of nothing that goes on", frames: [][]byte{stray(false), text(hello)}, closes: 4501},
		{name: "5.13 an empty continuation of nothing", frames: [][]byte{masked(ws.OpContinuation, true, "")}, closes: 4501},
		{name: "5.14 a continuation of a ping", frames: [][]byte{ping("p"), stray(true)}, gets: []string{"PONG p"}, closes: 4501},
		{name: "5.15 a continuation behind the last", frames: [][]byte{first, last, stray(false), text(hello)}, gets: pong, closes: 4501},
		{name: "5.17 a continuation of nothing, again and again", frames: [][]byte{stray(true), text(hello), stray(true), text(hello)}, closes: 4501},
		{name: "5.18 a text within a text", frames: [][]byte{first, text(hello)}, closes: 4501},
		{name: "5.18 a text within a text, fragmented too", frames: [][]byte{first, first, last}, closes: 4501},
		{name: "5.18 a text behind a message's first fragments", frames: [][]byte{first, masked(ws.OpContinuation, false, "x"), text(hello)}, closes: 4501},
		{name: "5.18 a binary frame within a text", frames: [][]byte{first, masked(ws.OpBinary, true, "x")}, closes: 4501},
		{name: "5.21 all fragments are empty", frames: fragments("", "", "")},
		{name: "5.21 the first is empty", frames: fragments("", hello), gets: pong},
		{name: "5.21 the last is empty", frames: fragments(hello, ""), gets: pong},
		{name: "5.21 those between are empty", frames: fragments(head, "", "", tail), gets: pong},
		{name: "5.22 two messages in one fragmented one", frames: fragments(hello+"\n"+small(2)[:3], small(2)[3:]), gets: []string{"pong 1", "pong 2"}},
	}
	cases = append(cases, everySplit(), pinged(), nothingButFragments())
	runWire(t, newEdge(t), cases)
}

// everySplit sends a message once for each way to cut it in two, one after the other.
func everySplit() wireCase {
	c := wireCase{name: "5.4 cut at each byte"}
	for at := range len(small(10)) + 1 {
		message := small(10 + at)
		c.frames = append(c.frames, fragments(message[:at], message[at:])...)
		c.gets = append(c.gets, fmt.Sprint("pong ", 10+at))
	}
	return c
}

// pinged is a message in fragments of one byte, with a ping in front of each.
func pinged() wireCase {
	c := wireCase{name: "5.19 a ping between all fragments"}
	for i, fragment := range fragments(chopped(small(1), 1)...) {
		payload := fmt.Sprint("p", i)
		c.frames = append(c.frames, ping(payload), fragment)
		c.gets = append(c.gets, "PONG "+payload)
	}
	c.gets = append(c.gets, "pong 1")
	return c
}

// nothingButFragments has more fragments than the message has bytes.
func nothingButFragments() wireCase {
	var parts []string
	for _, b := range chopped(small(1), 1) {
		parts = append(parts, "", b)
	}
	return wireCase{name: "5.20 empty fragments between all bytes", frames: fragments(parts...), gets: []string{"pong 1"}}
}

// TestSizes is families 9 and 10 without the stopwatch: large messages, whole, in
// fragments and in small writes, and what they carry.
func TestSizes(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxMessageBytes, c.Limits.MaxPayloadBytes = 16<<20, 16<<20 })
	var cases []wireCase
	for _, size := range []int{64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20} {
		cases = append(cases, wireCase{name: fmt.Sprintf("9.1 a text of %d bytes", size), frames: [][]byte{text(echo(1, size))}, gets: []string{"pong 1"}})
	}
	message := echo(1, 1<<20)
	for _, size := range []int{64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20} {
		cases = append(cases, wireCase{
			name:   fmt.Sprintf("9.3 a megabyte in fragments of %d bytes", size),
			frames: fragments(chopped(message, size)...), gets: []string{"pong 1"},
		})
	}
	value := `"` + strings.Repeat("0123456789abcdef €uro ", 1<<15) + `"`
	publish := `{"type":"publish","id":4,"channel":"c","data":` + value + `}`
	for _, size := range []int{1300, 65521, len(publish)} {
		cases = append(cases, wireCase{
			name:   fmt.Sprintf("10.1 what is carried in fragments of %d bytes", size),
			frames: fragments(chopped(publish, size)...), gets: []string{"ok 4"}, stores: []string{value},
		})
	}
	for i := range cases {
		test := &cases[i]
		for _, size := range []int{len(join(test.frames...)), 128 << 10, 997} {
			t.Run(fmt.Sprintf("%s/writes of %d", test.name, size), func(t *testing.T) { converse(t, e, test, pieces(join(test.frames...), size)) })
		}
	}
}

// TestSizeLimits: a message over the limit is refused from the header that shows it.
func TestSizeLimits(t *testing.T) {
	const limit = 1 << 20
	header := func(length string) []byte { return []byte("\x81\xff" + length + "\x01\x02\x03\x04") }
	half := strings.Repeat(" ", limit/2)
	runWire(t, newEdge(t), []wireCase{
		{name: "9.9 as long as can be", frames: [][]byte{text(echo(1, limit))}, gets: []string{"pong 1"}},
		{name: "9.9 one byte more, its header alone", frames: [][]byte{header("\x00\x00\x00\x00\x00\x10\x00\x01")}, closes: 4505},
		{name: "9.9 one byte more, all of it", frames: [][]byte{text(small(1)), text(echo(2, limit+1)), ping("too late")}, gets: []string{"pong 1"}, closes: 4505},
		{name: "9.9 as long as can be, in fragments", frames: append(fragments(half, half), text(small(1))), gets: []string{"pong 1"}},
		{name: "9.9 one byte more, in fragments", frames: fragments(half, half, " "), closes: 4505},
		{name: "9.9 one byte more behind many fragments", frames: fragments(append(chopped(half+half, 1000), " ")...), closes: 4505},
		{name: "9.9 a length of 2^32", frames: [][]byte{header("\x00\x00\x00\x01\x00\x00\x00\x00")}, closes: 4505},
		{name: "9.9 a length of 2^63-1", frames: [][]byte{header("\x7f\xff\xff\xff\xff\xff\xff\xff")}, closes: 4505},
		{name: "9.9 a length of 2^63", frames: [][]byte{header("\x80\x00\x00\x00\x00\x00\x00\x00")}, closes: 4501},
		{name: "9.9 a length of 2^64-1", frames: [][]byte{header("\xff\xff\xff\xff\xff\xff\xff\xff")}, closes: 4501},
		{name: "9.9 a length of 2^64-1 behind a fragment", frames: [][]byte{fragments(half, "")[0], []byte("\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04")}, closes: 4501},
		{name: "9.9 a ping of 2^63-1", frames: [][]byte{[]byte("\x89\xff\x7f\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04")}, closes: 4501},
		{name: "9.9 the next message has the whole limit", frames: [][]byte{text(echo(1, limit)), text(echo(2, limit))}, gets: []string{"pong 1", "pong 2"}},
		{name: "9.9 an event over the limit of data keeps the connection", frames: [][]byte{text(`{"type":"publish","id":4,"channel":"c","data":"` + half + `"}`)}, gets: []string{"error too_large"}},
	})
}
