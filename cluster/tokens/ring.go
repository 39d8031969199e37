package tokens

import "unicode/utf8"

// Kind is what the bytes of a stream are.
type Kind uint8

// The kinds.
const (
	// Text is UTF-8, and is never cut within a character.
	Text Kind = iota + 1
	// Binary is any bytes.
	Binary
)

// ring is the last bytes of a stream, and where they stand in it.
type ring struct {
	base uint64
	data []byte
}

// end is the offset behind the last byte.
func (r *ring) end() uint64 { return r.base + uint64(len(r.data)) }

// append adds data. Beyond limit the oldest bytes go, a quarter of the limit more
// than must, so that not every append moves the rest.
func (r *ring) append(data []byte, limit int) {
	if len(data) > limit {
		r.base = r.end() + uint64(len(data)-limit) //nolint:gosec // A length.
		r.data, data = r.data[:0], data[len(data)-limit:]
	}
	if over := len(r.data) + len(data) - limit; over > 0 {
		forgotten := min(over+limit/4, len(r.data))
		r.base += uint64(forgotten) //nolint:gosec // A length.
		r.data = r.data[:copy(r.data, r.data[forgotten:])]
	}
	r.data = append(r.data, data...)
}

// restart forgets everything: what follows begins at an offset.
func (r *ring) restart(at uint64) { r.base, r.data = at, r.data[:0] }

// from is what follows an offset, most bytes of it; whole characters where it is
// text. at is where it begins: behind the offset where that is forgotten, or within
// a character. open means that the stream goes on, so that a character at the end
// may not be whole.
//
//nolint:revive // The flag is a fact about the stream.
func (r *ring) from(offset uint64, most int, kind Kind, open bool) (at uint64, data []byte) {
	at = max(offset, r.base)
	if at > r.end() {
		return at, nil
	}
	data = r.data[at-r.base:]
	if kind == Text {
		for len(data) > 0 && !utf8.RuneStart(data[0]) {
			data, at = data[1:], at+1
		}
	}
	if len(data) > most {
		data, open = data[:most], true
	}
	if kind == Text && open {
		data = data[:wholeRunes(data)]
	}
	return at, data
}

// wholeRunes is how many bytes of data are whole characters.
func wholeRunes(data []byte) int {
	for back := 1; back <= min(utf8.UTFMax, len(data)); back++ {
		start := len(data) - back
		if utf8.RuneStart(data[start]) {
			if utf8.FullRune(data[start:]) {
				return len(data)
			}
			return start
		}
	}
	return len(data)
}
