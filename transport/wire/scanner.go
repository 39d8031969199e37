package wire

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner walks the JSON values of one frame, strictly as RFC 8259 says, and
// keeps nothing but a position. A syntax error is sticky: problem names it, pos
// is where it stands, and every later call answers false.
type scanner struct {
	buf     []byte
	pos     int
	depth   int
	problem string
}

func (s *scanner) begin(buf []byte) { *s = scanner{buf: buf} }

// malformed records the first syntax error. It answers false, for its callers
// to return.
func (s *scanner) malformed(problem string) bool {
	if s.problem == "" {
		s.problem = problem
	}
	return false
}

// peek skips whitespace and shows the next byte, or 0 at the end. A literal
// zero byte is no part of any token, so the two need no telling apart.
func (s *scanner) peek() byte {
	for s.pos < len(s.buf) {
		switch c := s.buf[s.pos]; c {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// enter consumes an opening bracket, which peek has just shown.
func (s *scanner) enter() bool {
	if s.depth == MaxDepth {
		return s.malformed("nested deeper than 128")
	}
	s.depth++
	s.pos++
	return true
}

// more steps to the n-th part (from 0) of the object or array that ends with
// closing: it consumes the comma, or the closing bracket and answers false.
func (s *scanner) more(n int, closing byte) bool {
	if s.problem != "" {
		return false
	}
	c := s.peek()
	switch {
	case c == closing:
		s.pos++
		s.depth--
		return false
	case n == 0:
		return true
	case c != ',':
		return s.malformed("expected a comma or the closing bracket")
	}
	s.pos++
	if s.peek() == closing {
		return s.malformed("a comma before the closing bracket")
	}
	return true
}

// key consumes a member's name and its colon.
func (s *scanner) key() (span []byte, escaped, ok bool) {
	if s.peek() != '"' {
		return nil, false, s.malformed("expected a quoted field name")
	}
	if span, escaped, ok = s.quoted(); !ok {
		return nil, false, false
	}
	if s.peek() != ':' {
		return nil, false, s.malformed("expected a colon")
	}
	s.pos++
	return span, escaped, true
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x8080808080808080
)

// notPlain marks, in the high bit of its byte, the first of eight bytes that
// is a quote, a backslash, a control character or not ASCII. Later marks may be
// false, the first never is: borrows run upwards only.
// (Bit Twiddling Hacks, "determine if a word has a byte less than n".)
func notPlain(word uint64) uint64 {
	control := word - everyByte*0x20
	quote := word ^ everyByte*'"'
	slash := word ^ everyByte*'\\'
	return (control | (quote - everyByte) | (slash - everyByte) | word) & highBits
}

// quoted consumes a string and answers what stands between its quotes.
// Invariant: the span is valid UTF-8, and every escape in it is well formed
// (surrogates may still stand alone).
func (s *scanner) quoted() (span []byte, escaped, ok bool) {
	buf, start := s.buf, s.pos+1
	i, ascii := start, true
	for {
		for i+8 <= len(buf) {
			marks := notPlain(binary.LittleEndian.Uint64(buf[i:]))
			if marks != 0 {
				i += bits.TrailingZeros64(marks) / 8
				break
			}
			i += 8
		}
		if i >= len(buf) {
			s.pos = len(buf)
			return nil, false, s.malformed("a string without its closing quote")
		}
		switch c := buf[i]; {
		case c == '"':
			span, s.pos = buf[start:i:i], i+1
			if !ascii && !utf8.Valid(span) {
				s.pos = start
				return nil, false, s.malformed("a string that is not valid UTF-8")
			}
			return span, escaped, true
		case c == '\\':
			size := escapeSize(buf[i:])
			if size == 0 {
				s.pos = i
				return nil, false, s.malformed("an unknown escape")
			}
			escaped = true
			i += size
		case c < ' ':
			s.pos = i
			return nil, false, s.malformed("a control character in a string")
		default:
			ascii = ascii && c < utf8.RuneSelf
			for i++; i < len(buf) && buf[i] >= utf8.RuneSelf; i++ {
				ascii = false
			}
		}
	}
}

// escapeSize is the length of the escape that b begins with, 0 if it is none.
func escapeSize(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

// number consumes a number of any form.
func (s *scanner) number() (span []byte, ok bool) {
	start := s.pos
	if s.at() == '-' {
		s.pos++
	}
	if s.at() == '0' {
		s.pos++
	} else if !s.digits() {
		return nil, s.malformed("expected a digit")
	}
	if s.at() == '.' {
		s.pos++
		if !s.digits() {
			return nil, s.malformed("expected a digit after the point")
		}
	}
	if c := s.at(); c == 'e' || c == 'E' {
		s.pos++
		if c = s.at(); c == '+' || c == '-' {
			s.pos++
		}
		if !s.digits() {
			return nil, s.malformed("expected a digit in the exponent")
		}
	}
	return s.buf[start:s.pos:s.pos], true
}

// at is the byte at the position, or 0 at the end.
func (s *scanner) at() byte {
	if s.pos < len(s.buf) {
		return s.buf[s.pos]
	}
	return 0
}

// digits consumes one digit or more.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.buf) && s.buf[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start
}

// literal consumes true, false or null.
func (s *scanner) literal(word string) bool {
	if len(s.buf)-s.pos < len(word) || string(s.buf[s.pos:s.pos+len(word)]) != word {
		return s.malformed("expected a value")
	}
	s.pos += len(word)
	return true
}

// skip consumes one value of any kind.
func (s *scanner) skip() bool {
	switch c := s.peek(); c {
	case '{':
		return s.skipObject()
	case '[':
		return s.skipArray()
	case '"':
		_, _, ok := s.quoted()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		if c != '-' && c-'0' > 9 {
			return s.malformed("expected a value")
		}
		_, ok := s.number()
		return ok
	}
}

func (s *scanner) skipObject() bool {
	if !s.enter() {
		return false
	}
	for n := 0; s.more(n, '}'); n++ {
		if _, _, ok := s.key(); !ok || !s.skip() {
			return false
		}
	}
	return s.problem == ""
}

func (s *scanner) skipArray() bool {
	if !s.enter() {
		return false
	}
	for n := 0; s.more(n, ']'); n++ {
		if !s.skip() {
			return false
		}
	}
	return s.problem == ""
}

// value consumes one value of any kind and answers its bytes, without the
// whitespace around it.
func (s *scanner) value() (span []byte, ok bool) {
	s.peek()
	start := s.pos
	if !s.skip() {
		return nil, false
	}
	return s.buf[start:s.pos:s.pos], true
}

// ValidJSON says whether data is exactly one JSON value as a payload may be:
// RFC 8259, valid UTF-8, at most MaxDepth-1 deep. Whoever fills a Payload with
// JSON that did not come through a Decoder asks here first.
func ValidJSON(data []byte) bool {
	s := scanner{buf: data, depth: 1}
	return s.skip() && s.peek() == 0 && s.pos == len(data)
}
