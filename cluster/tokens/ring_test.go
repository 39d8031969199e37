package tokens

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// TestRing compares a ring with the whole text: what it gives follows the offset, is
// what was written there, and ends and begins with whole characters.
func TestRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 64
		var r ring
		var all []byte
		for range rapid.IntRange(1, 20).Draw(t, "writes") {
			data := []byte(rapid.StringN(0, 40, -1).Draw(t, "text"))
			if rapid.Bool().Draw(t, "piecemeal") && len(data) > 0 {
				data = data[:rapid.IntRange(0, len(data)).Draw(t, "cut")]
			}
			r.append(data, limit)
			all = append(all, data...)
			if len(r.data) > limit || r.end() != uint64(len(all)) || !bytes.HasSuffix(all, r.data) {
				t.Fatalf("%q from %d on, of %q", r.data, r.base, all)
			}
			offset := rapid.Uint64Range(0, r.end()+2).Draw(t, "offset")
			most := rapid.IntRange(utf8.UTFMax, 30).Draw(t, "most")
			at, got := r.from(offset, most, Binary, true)
			if at < offset || len(got) > most || at <= r.end() && !bytes.HasPrefix(all[at:], got) {
				t.Fatalf("%q at %d", got, at)
			}
			if at <= r.end() && at+uint64(len(got)) < r.end() && len(got) < most {
				t.Fatalf("%d bytes at %d where there are more", len(got), at)
			}
		}
	})
}

// TestRingCutsNoCharacter: valid text stays valid in every piece, though the ring got
// it byte by byte and forgot its beginning.
func TestRingCutsNoCharacter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(1, 60, -1).Draw(t, "text")
		var r ring
		next := uint64(0)
		var got []byte
		read := func(open bool) {
			for {
				at, data := r.from(next, 8, Text, open)
				if !utf8.Valid(data) {
					t.Fatalf("%q is cut", data)
				}
				if len(data) == 0 {
					return
				}
				if at != next {
					got = nil
				}
				got, next = append(got, data...), at+uint64(len(data))
			}
		}
		for i := range len(text) {
			r.append([]byte{text[i]}, 16)
			if rapid.Bool().Draw(t, "read") {
				read(true)
			}
		}
		read(false)
		if next != r.end() || !bytes.HasSuffix([]byte(text), got) {
			t.Fatalf("%q up to %d of %q", got, next, text)
		}
	})
}
