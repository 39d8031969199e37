package wire

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// hex4 reads the four hexadecimal digits that b begins with.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// appendUnescaped appends the text that a string's span stands for. It answers
// false for a surrogate without its other half, which no UTF-8 can carry. The
// span's escapes are well formed: it comes from scanner.quoted.
func appendUnescaped(dst, span []byte) ([]byte, bool) {
	for i := 0; i < len(span); {
		if span[i] != '\\' {
			dst = append(dst, span[i])
			i++
			continue
		}
		if span[i+1] != 'u' {
			dst = append(dst, unescaped(span[i+1]))
			i += 2
			continue
		}
		r, _ := hex4(span[i+2:])
		i += 6
		if utf16.IsSurrogate(r) {
			if len(span)-i < 6 || span[i] != '\\' || span[i+1] != 'u' {
				return dst, false
			}
			low, _ := hex4(span[i+2:])
			if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
				return dst, false
			}
			i += 6
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}

// unescaped is what a two-byte escape stands for.
func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default: // The quote, the backslash and the slash stand for themselves.
		return c
	}
}

// AppendString appends text as a JSON string.
func AppendString(dst, text []byte) []byte { return appendQuoted(dst, text) }

// AppendTextOf appends the text of a payload that is one JSON string; false where it
// is none, or has a surrogate without its other half. The payload is one that a
// Decoder read.
func AppendTextOf(dst []byte, p *Payload) ([]byte, bool) {
	if p.Kind != PayloadJSON || len(p.Bytes) < 2 || p.Bytes[0] != '"' {
		return dst, false
	}
	return appendUnescaped(dst, p.Bytes[1:len(p.Bytes)-1])
}

// appendQuoted appends text as a JSON string. Bytes that are not UTF-8 become
// U+FFFD: what this package writes is always valid.
func appendQuoted(dst, text []byte) []byte {
	dst = append(dst, '"')
	if isPlain(text) {
		dst = append(dst, text...)
		return append(dst, '"')
	}
	plain := 0 // where the bytes begin that are not yet copied
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, text[plain:i]...)
			dst = appendEscape(dst, c)
			i++
			plain = i
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, text[plain:i]...)
			dst = append(dst, "\uFFFD"...)
			plain = i + 1
		}
		i += size
	}
	dst = append(dst, text[plain:]...)
	return append(dst, '"')
}

// isPlain says whether text is ASCII that needs no escape, as most text is. It
// looks at eight bytes at a time, the last ones twice.
func isPlain(text []byte) bool {
	if len(text) < 8 {
		for _, c := range text {
			if c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
				return false
			}
		}
		return true
	}
	for i := 0; i+8 < len(text); i += 8 {
		if notPlain(binary.LittleEndian.Uint64(text[i:])) != 0 {
			return false
		}
	}
	return notPlain(binary.LittleEndian.Uint64(text[len(text)-8:])) == 0
}

func appendEscape(dst []byte, c byte) []byte {
	const hexDigits = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	default:
		return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
	}
}
