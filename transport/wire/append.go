package wire

import "strconv"

// The writers of single fields. A name comes with its comma and colon, so that
// one append writes all of it: `,"channel":`.

func appendText(dst []byte, name string, text []byte) []byte {
	dst = append(dst, name...)
	return appendQuoted(dst, text)
}

// appendOptText leaves empty text out.
func appendOptText(dst []byte, name string, text []byte) []byte {
	if len(text) == 0 {
		return dst
	}
	return appendText(dst, name, text)
}

func appendUint(dst []byte, name string, n uint64) []byte {
	dst = append(dst, name...)
	return strconv.AppendUint(dst, n, 10)
}

// appendOptUint leaves zero out.
func appendOptUint(dst []byte, name string, n uint64) []byte {
	if n == 0 {
		return dst
	}
	return appendUint(dst, name, n)
}

func appendMillis(dst []byte, name string, n int64) []byte {
	dst = append(dst, name...)
	return strconv.AppendInt(dst, n, 10)
}

// appendOptMillis leaves zero out.
func appendOptMillis(dst []byte, name string, n int64) []byte {
	if n == 0 {
		return dst
	}
	return appendMillis(dst, name, n)
}

func appendTristate(dst []byte, name string, t Tristate) []byte {
	if t == Unset {
		return dst
	}
	dst = append(dst, name...)
	return strconv.AppendBool(dst, t == Yes)
}

// appendOptRaw leaves an absent value out.
func appendOptRaw(dst []byte, name string, value Raw) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = append(dst, name...)
	return append(dst, value...)
}

func appendTexts(dst []byte, name string, texts [][]byte) []byte {
	dst = append(dst, name...)
	dst = append(dst, '[')
	for i, text := range texts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, text)
	}
	return append(dst, ']')
}
