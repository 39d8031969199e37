package gateway

import (
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// validTexts are characters at the edges of what UTF-8 spells, by length.
var validTexts = []struct{ name, text string }{
	{"6.2 of all lengths", "Aß水𝄞 Grüße, κόσμος"},
	{"6.5 composed and decomposed", "é = e\u0301"},
	{"6.7 the first of two bytes", "\u0080"},
	{"6.7 the first of three bytes", "\u0800"},
	{"6.7 the first of four bytes", "\U00010000"},
	{"6.9 the last of one byte", "\u007f"},
	{"6.9 the last of two bytes", "\u07ff"},
	{"6.9 the last of three bytes", "\uffff"},
	{"6.11 the last before the surrogates", "\ud7ff"},
	{"6.11 the first behind the surrogates", "\ue000"},
	{"6.11 the replacement character", "\ufffd"},
	{"6.11 the last there is", "\U0010ffff"},
	{"6.22 not a character, U+FFFE", "\ufffe"},
	{"6.22 not characters, U+FDD0 to U+FDEF", "\ufdd0\ufdd7\ufdef"},
	{"6.22 not characters, the last two of each plane", "\U0001fffe\U0001ffff\U0008fffe\U000fffff\U0010fffe"},
	{"6.23 specials", "\ufff9\ufffa\ufffb\ufffc\ufffd"},
	{"6.23 a byte order mark", "\ufeff"},
	{"6.23 of every kilobyte", everyKilobyte()},
}

// everyKilobyte is one character of every 1024, but no surrogates.
func everyKilobyte() string {
	var all []rune
	for r := rune(0x400); r <= utf8.MaxRune; r += 0x400 {
		if utf8.ValidRune(r) {
			all = append(all, r)
		}
	}
	return string(all)
}

// invalidTexts are no UTF-8.
var invalidTexts = []struct{ name, text string }{
	{"6.3 a surrogate within a text", "κόσμε\xed\xa0\x80edited"},
	{"6.8 five bytes, the first", "\xf8\x88\x80\x80\x80"},
	{"6.8 six bytes, the first", "\xfc\x84\x80\x80\x80\x80"},
	{"6.10 four bytes, the last that they could spell", "\xf7\xbf\xbf\xbf"},
	{"6.10 five bytes, the last", "\xfb\xbf\xbf\xbf\xbf"},
	{"6.10 six bytes, the last", "\xfd\xbf\xbf\xbf\xbf\xbf"},
	{"6.11 U+110000", "\xf4\x90\x80\x80"},
	{"6.11 U+140000", "\xf5\x80\x80\x80"},
	{"6.12 one continuation", "\x80"},
	{"6.12 another continuation", "\xbf"},
	{"6.12 six continuations", "\x80\xbf\x80\xbf\x80\xbf"},
	{"6.13 a start of two, alone", "\xc3 "},
	{"6.13 a start of three, alone", "\xe6 "},
	{"6.13 a start of four, alone", "\xf0 "},
	{"6.14 two bytes without the last", "\xc3"},
	{"6.14 three bytes without the last", "\xe6\xb0"},
	{"6.14 three bytes without the last two", "\xe6"},
	{"6.14 four bytes without the last", "\xf0\x9d\x84"},
	{"6.14 four bytes without the last two", "\xf0\x9d"},
	{"6.15 all of them, one behind the other", "\xc3\xe6\xb0\xf0\x9d\x84\xef\xbf"},
	{"6.16 fe", "\xfe"},
	{"6.16 ff", "\xff"},
	{"6.16 fe and ff", "\xfe\xfe\xff\xff"},
	{"6.17 a slash in two bytes", "\xc0\xaf"},
	{"6.17 a slash in three bytes", "\xe0\x80\xaf"},
	{"6.17 a slash in four bytes", "\xf0\x80\x80\xaf"},
	{"6.17 a slash in five bytes", "\xf8\x80\x80\x80\xaf"},
	{"6.18 U+7F in two bytes", "\xc1\xbf"},
	{"6.18 U+7FF in three bytes", "\xe0\x9f\xbf"},
	{"6.18 U+FFFF in four bytes", "\xf0\x8f\xbf\xbf"},
	{"6.19 NUL in two bytes", "\xc0\x80"},
	{"6.19 NUL in three bytes", "\xe0\x80\x80"},
	{"6.19 NUL in four bytes", "\xf0\x80\x80\x80"},
	{"6.20 the first surrogate", "\xed\xa0\x80"},
	{"6.20 the last high surrogate", "\xed\xaf\xbf"},
	{"6.20 the first low surrogate", "\xed\xb0\x80"},
	{"6.20 the last surrogate", "\xed\xbf\xbf"},
	{"6.21 a pair of surrogates", "\xed\xa0\xb4\xed\xb4\x9e"},
	{"6.21 the last pair", "\xed\xaf\xbf\xed\xbf\xbf"},
}

// TestUTF8 is family 6 where the text is valid: it is stored as it was sent, whole,
// in fragments that cut it at each byte, and with a frame for each byte.
func TestUTF8(t *testing.T) {
	var cases []wireCase
	for _, valid := range validTexts {
		value := `"` + valid.text + `"`
		c := wireCase{name: valid.name}
		say := func(parts func(head, tail string) []string, id int) {
			head := fmt.Sprintf(`{"type":"publish","id":%d,"channel":"c","data":`, id)
			c.frames = append(c.frames, fragments(parts(head, value+"}")...)...)
			c.gets = append(c.gets, fmt.Sprint("ok ", id))
			c.stores = append(c.stores, value)
		}
		say(func(head, tail string) []string { return []string{head + tail} }, 1)
		say(func(head, tail string) []string { return chopped(head+tail, 1) }, 2)
		for at := 1; at < min(len(value), 60); at++ {
			say(func(head, tail string) []string { return []string{head + tail[:at], tail[at:]} }, 2+at)
		}
		cases = append(cases, c)
	}
	runWire(t, newEdge(t), cases)
}

// TestBadUTF8 is family 6 where the text is not valid: it is refused whole and however
// it is cut, at the beginning of a message, within it and at its end, and nothing of the
// message is done. A gateway may wait for the end of the message (6.4), but not longer.
func TestBadUTF8(t *testing.T) {
	e := newEdge(t)
	for _, bad := range invalidTexts {
		var cases []wireCase
		add := func(name string, frames ...[]byte) {
			frames = append([][]byte{text(small(1))}, append(frames, ping("too late"))...)
			cases = append(cases, wireCase{name: bad.name + "/" + name, frames: frames, gets: []string{"pong 1"}, closes: 4501})
		}
		head, tail := small(2)+"\n"+`{"type":"ping","pad":"`, `"}`
		add("whole", text(head+bad.text+tail))
		add("alone", text(bad.text))
		add("at the beginning", text(bad.text+head[:len(small(2))]))
		add("at the end", text(small(2)+bad.text))
		add("a frame for each byte", fragments(chopped(head+bad.text+tail, 1)...)...)
		for at := range len(bad.text) + 1 {
			add(fmt.Sprint("cut at ", at), fragments(head+bad.text[:at], bad.text[at:]+tail)...)
		}
		add("with pings between", interleaved(fragments(chopped(bad.text, 1)...))...)
		runWire(t, e, cases)
	}
}

// interleaved has an unasked pong, which is not answered, between all frames.
func interleaved(frames [][]byte) (all [][]byte) {
	for _, frame := range frames {
		all = append(all, masked(ws.OpPong, true, "é"), frame)
	}
	return all
}

// TestHalfCharacters is 6.6: no beginning of a text that ends within a character is one.
func TestHalfCharacters(t *testing.T) {
	const whole = "κόσμε水𝄞"
	var cases []wireCase
	for n := 1; n <= len(whole); n++ {
		c := wireCase{name: fmt.Sprintf("6.6 %d bytes of %d", n, len(whole)), frames: [][]byte{text(`{"type":"ping","time":1,"pad":"` + whole[:n] + `"}`)}}
		if utf8.ValidString(whole[:n]) {
			c.gets = []string{"pong 1"}
		} else {
			c.closes = 4501
		}
		cases = append(cases, c)
	}
	runWire(t, newEdge(t), cases)
}
