package cluster

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// TestPagesOfAllPartitions: however many letters each partition has, and however
// few of them it shows at once, the merged pages have each once, in the order in
// which they were stored.
func TestPagesOfAllPartitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stored := make([][]fsm.DeadLetter, rapid.IntRange(1, 4).Draw(t, "partitions"))
		want := 0
		for i := range stored {
			now := int64(0)
			for n := range rapid.IntRange(0, 12).Draw(t, "letters") {
				now += int64(rapid.IntRange(0, 3).Draw(t, "elapsed"))
				letter := fsm.DeadLetter{Group: fmt.Sprint(i, "-", n)}
				letter.Time, letter.Offset = now, uint64(3*(n+1))
				stored[i] = append(stored[i], letter)
				want++
			}
		}
		limit, cursor := rapid.IntRange(1, 5).Draw(t, "limit"), ""
		var got []fsm.DeadLetter
		for {
			places, err := readCursor(cursor, len(stored))
			if err != nil {
				t.Fatal(err)
			}
			pages := make([]fsm.LetterPage, len(stored))
			for i := range pages {
				pages[i] = pageOf(stored[i], places[i], rapid.IntRange(0, limit).Draw(t, "shown"))
			}
			merged := mergeLetters(pages, places, limit)
			if len(merged.Letters) > limit {
				t.Fatalf("%d letters on a page of %d", len(merged.Letters), limit)
			}
			got = append(got, merged.Letters...)
			if merged.Cursor == "" {
				break
			}
			cursor = merged.Cursor
		}
		if len(got) != want || !slices.IsSortedFunc(got, func(a, b fsm.DeadLetter) int { return int(a.Time - b.Time) }) {
			t.Fatalf("%d of %d letters, or out of order: %v", len(got), want, got)
		}
		seen := make(map[string]bool)
		for i := range got {
			if seen[got[i].Group] {
				t.Fatalf("letter %s comes twice", got[i].Group)
			}
			seen[got[i].Group] = true
		}
	})
}

// pageOf is what a partition answers that shows so many letters at once. It
// looks at one more position than it shows, so that it gets on even with none.
func pageOf(stored []fsm.DeadLetter, after fsm.LetterPlace, shown int) fsm.LetterPage {
	page := fsm.LetterPage{Next: after}
	for i := range stored {
		place := fsm.LetterPlace{Position: stored[i].Offset, Group: 1}
		if place.Position <= after.Position {
			continue
		}
		if len(page.Letters) == shown {
			page.More = true
			if shown == 0 { // It has looked at rows before this letter.
				page.Next.Position, page.Next.Group = place.Position-1, 9
				if page.Next.Position <= after.Position {
					page.Letters, page.Places, page.Next = stored[i:i+1], []fsm.LetterPlace{place}, place
				}
			}
			return page
		}
		page.Letters, page.Places, page.Next = append(page.Letters, stored[i]), append(page.Places, place), place
	}
	return page
}

// TestForeignCursors: a cursor of another make is refused, not misread.
func TestForeignCursors(t *testing.T) {
	good := writeCursor([]fsm.LetterPlace{{Position: 300, Group: 1}, {Position: 1 << 40, Group: 2}})
	places, err := readCursor(good, 2)
	if err != nil || places[0] != (fsm.LetterPlace{Position: 300, Group: 1}) || places[1].Position != 1<<40 {
		t.Fatalf("%v %v", places, err)
	}
	for _, bad := range []string{"!", "AA", good[:len(good)-2], good + "AAAA", "Ag" + good[2:]} {
		if _, err := readCursor(bad, 2); !errors.Is(err, ErrBadCursor) {
			t.Errorf("%q was taken for a cursor: %v", bad, err)
		}
	}
	if _, err := readCursor(good, 3); !errors.Is(err, ErrBadCursor) {
		t.Error("a cursor of two partitions was taken for one of three")
	}
}

// FuzzLetterQuery: a query that can be read is the same when written again.
func FuzzLetterQuery(f *testing.F) {
	query := fsm.LetterQuery{
		Tenant: "t", Channel: "c", Group: "g", Reason: "r", Event: command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4},
		After: fsm.LetterPlace{Position: 5, Group: 6}, Limit: 7,
	}
	f.Add(encodeLetterQuery(&query))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := command.NewReader(data)
		first := readLetterQuery(&r)
		if r.Err() != nil {
			return
		}
		again := command.NewReader(encodeLetterQuery(&first))
		if second := readLetterQuery(&again); second != first || again.Err() != nil || len(again.Rest()) != 0 {
			t.Fatalf("%+v came back as %+v", first, second)
		}
	})
}

// FuzzLetterCursor: nothing that a client sends as a cursor is read as another.
func FuzzLetterCursor(f *testing.F) {
	f.Add(writeCursor([]fsm.LetterPlace{{Position: 300, Group: 1}}))
	f.Fuzz(func(t *testing.T, cursor string) {
		places, err := readCursor(cursor, 1)
		if err != nil || cursor == "" {
			return
		}
		if again, err := readCursor(writeCursor(places), 1); err != nil || !slices.Equal(again, places) {
			t.Fatalf("%v came back as %v, %v", places, again, err)
		}
	})
}

// TestLettersOfManyChannels: however many channels have dead letters, each is counted once,
// and no more of them by name than there is room for.
func TestLettersOfManyChannels(t *testing.T) {
	var c Cluster
	for i := range maxCountedLetters + 5 {
		c.countLetters([]fsm.LetterChange{{Channel: fmt.Sprint("c", i), What: fsm.DeadLost}})
	}
	c.countLetters([]fsm.LetterChange{{Channel: "c1", What: fsm.DeadLost}, {Channel: "\xff", What: fsm.DeadPermanent}})
	counts := c.LetterCounts()
	at := func(channel, what string) uint64 {
		for _, counted := range counts {
			if counted.Channel == channel && counted.What == what {
				return counted.Count
			}
		}
		return 0
	}
	if len(counts) != maxCountedLetters+2 || at("c1", fsm.DeadLost) != 2 || at("", fsm.DeadLost) != 5 || at("", fsm.DeadPermanent) != 1 {
		t.Errorf("%d are counted, %d of one, %d and %d of others", len(counts), at("c1", fsm.DeadLost), at("", fsm.DeadLost), at("", fsm.DeadPermanent))
	}
}
