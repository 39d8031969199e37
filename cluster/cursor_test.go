package cluster

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCursorsAsText holds the format against what clients keep.
func TestCursorsAsText(t *testing.T) {
	const kept = "AQpjbHVzdGVyMS0xAwDAhD0BsV87Cw"
	got := string(appendCursor(nil, "cluster1-1", "work", []uint64{0, 1_000_000, 1}))
	if got != kept {
		t.Fatalf("%s", got)
	}
	positions, err := parseCursor([]byte(kept), "cluster1-1", "work", 3)
	if err != nil || !slices.Equal(positions, []uint64{0, 1_000_000, 1}) {
		t.Fatalf("%v %v", positions, err)
	}
	for name, c := range map[string]struct {
		text, epoch, channel string
		partitions           uint32
		want                 error
	}{
		"another cluster":    {kept, "cluster2-1", "work", 3, ErrStrangeCursor},
		"another epoch":      {kept, "cluster1-2", "work", 3, ErrStrangeCursor},
		"another size":       {kept, "cluster1-1", "work", 4, ErrStrangeCursor},
		"another channel":    {kept, "cluster1-1", "mail", 3, ErrBadFollowCursor},
		"cut":                {kept[:len(kept)-2], "cluster1-1", "work", 3, ErrBadFollowCursor},
		"longer":             {kept + "AA", "cluster1-1", "work", 3, ErrBadFollowCursor},
		"no base64":          {"*" + kept[1:], "cluster1-1", "work", 3, ErrBadFollowCursor},
		"another version":    {"Ag" + kept[2:], "cluster1-1", "work", 3, ErrBadFollowCursor},
		"changed":            {strings.Replace(kept, "AwDA", "AwHA", 1), "cluster1-1", "work", 3, ErrBadFollowCursor},
		"nothing":            {"", "cluster1-1", "work", 3, ErrBadFollowCursor},
		"less than a cursor": {"AQ", "cluster1-1", "work", 3, ErrBadFollowCursor},
	} {
		if positions, err := parseCursor([]byte(c.text), c.epoch, c.channel, c.partitions); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v", name, positions, err)
		}
	}
}

// TestCursorsComeBack: what was given is read back to the same.
func TestCursorsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		positions := rapid.SliceOfN(rapid.Uint64(), 1, 1024).Draw(t, "positions")
		channel := rapid.String().Draw(t, "channel")
		text := appendCursor([]byte("x"), "e", channel, positions)[1:]
		got, err := parseCursor(text, "e", channel, uint32(len(positions)))
		if err != nil || !slices.Equal(got, positions) {
			t.Fatalf("%v, %v", got, err)
		}
	})
}

// FuzzCursor: a text that is taken is the only one of its cursor.
func FuzzCursor(f *testing.F) {
	f.Add([]byte("AQpjbHVzdGVyMS0xAwDAhD0BsV87Cw"))
	f.Fuzz(func(t *testing.T, text []byte) {
		positions, err := parseCursor(text, "cluster1-1", "work", 3)
		if err == nil && string(appendCursor(nil, "cluster1-1", "work", positions)) != string(text) {
			t.Fatalf("%s and %s are one cursor", text, appendCursor(nil, "cluster1-1", "work", positions))
		}
	})
}
