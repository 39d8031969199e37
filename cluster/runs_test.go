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

// TestPagesOfRuns: however many runs each partition has, and however few of them it shows
// at once, the merged pages have each once, the newest first.
func TestPagesOfRuns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kept := make([][]fsm.RunInfo, rapid.IntRange(1, 4).Draw(t, "partitions"))
		want := 0
		for i := range kept {
			now := int64(0)
			for n := range rapid.IntRange(0, 12).Draw(t, "runs") {
				now += int64(rapid.IntRange(0, 3).Draw(t, "elapsed"))
				kept[i] = append(kept[i], fsm.RunInfo{RunID: fmt.Sprint(i, "-", n), StartedAt: now})
				want++
			}
			slices.Reverse(kept[i])
		}
		limit, cursor := rapid.IntRange(1, 5).Draw(t, "limit"), ""
		seen := make(map[string]bool)
		var times []int64
		for begin := true; begin || cursor != ""; begin = false {
			places, err := readRunCursor(cursor, len(kept))
			if err != nil {
				t.Fatal(err)
			}
			pages := make([]fsm.RunPage, len(kept))
			for i := range pages {
				pages[i] = runPageOf(kept[i], places[i], rapid.IntRange(1, limit).Draw(t, "shown"))
			}
			merged := mergeRuns(pages, places, limit)
			if len(merged.Runs) > limit {
				t.Fatalf("%d runs on a page of %d", len(merged.Runs), limit)
			}
			for i := range merged.Runs {
				seen[merged.Runs[i].RunID] = true
				times = append(times, -merged.Runs[i].StartedAt)
			}
			cursor = merged.Cursor
		}
		if len(times) != want || len(seen) != want || !slices.IsSorted(times) {
			t.Fatalf("%d of %d runs, %d different ones, or out of order: %v", len(times), want, len(seen), times)
		}
	})
}

// runPageOf is what a partition answers that shows so many runs at once. The first run's
// position is as high as there are runs.
func runPageOf(kept []fsm.RunInfo, after uint64, shown int) fsm.RunPage {
	page := fsm.RunPage{Next: after}
	for i := range kept {
		position := uint64(len(kept) - i)
		if after != 0 && position >= after {
			continue
		}
		if len(page.Runs) == shown {
			page.More = true
			return page
		}
		page.Runs, page.Places, page.Next = append(page.Runs, kept[i]), append(page.Places, position), position
	}
	return page
}

// TestForeignRunCursors: a cursor of another make is refused, not misread.
func TestForeignRunCursors(t *testing.T) {
	good := writeRunCursor([]uint64{300, 1 << 40})
	if places, err := readRunCursor(good, 2); err != nil || !slices.Equal(places, []uint64{300, 1 << 40}) {
		t.Fatalf("%v %v", places, err)
	}
	letters := writeCursor([]fsm.LetterPlace{{Position: 300, Group: 1}})
	for _, bad := range []string{"!", "AA", good[:len(good)-2], good + "AAAA", letters} {
		if _, err := readRunCursor(bad, 2); !errors.Is(err, ErrBadRunCursor) {
			t.Errorf("%q was taken for a cursor: %v", bad, err)
		}
	}
}

// FuzzRunQuery: a query that can be read is the same when written again.
func FuzzRunQuery(f *testing.F) {
	query := fsm.RunQuery{
		Tenant: "t", Workflow: "w", Version: "v", State: "s", Client: "c", CorrelationID: "i", ErrorCode: "e",
		SinceMS: 1, UntilMS: 2, After: 3, Limit: 4,
	}
	f.Add(encodeRunQuery(&query))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := command.NewReader(data)
		first := readRunQuery(&r)
		if r.Err() != nil {
			return
		}
		again := command.NewReader(encodeRunQuery(&first))
		if second := readRunQuery(&again); second != first || again.Err() != nil || len(again.Rest()) != 0 {
			t.Fatalf("%+v came back as %+v", first, second)
		}
	})
}

// TestRunEnds: who waits for a run's end is woken by that, by no other's, and when the
// leader is none any more; and what is noted is forgotten.
func TestRunEnds(t *testing.T) {
	var e runEnds
	a, b := command.EventID{Position: 1}, command.EventID{Position: 2}
	first, forgetFirst := e.wait(a)
	second, forgetSecond := e.wait(a)
	third, forgetThird := e.wait(b)
	came := func() (came []bool) {
		for _, ended := range []<-chan struct{}{first, second, third} {
			select {
			case <-ended:
				came = append(came, true)
			default:
				came = append(came, false)
			}
		}
		return came
	}
	forgetSecond()
	e.wake([]fsm.RunChange{{ID: a}, {ID: b}})
	if got := came(); slices.Contains(got, true) {
		t.Fatalf("runs that have only changed woke %v", got)
	}
	e.wake([]fsm.RunChange{{ID: a, Ended: true}})
	if got := came(); !slices.Equal(got, []bool{true, false, false}) {
		t.Fatalf("the end of a run woke %v", got)
	}
	e.wakeAll()
	if got := came(); !slices.Equal(got, []bool{true, false, true}) {
		t.Fatalf("the end of the leader woke %v", got)
	}
	forgetFirst()
	forgetThird()
	if e.count != 0 || len(e.waiting) != 0 {
		t.Fatalf("%d are still noted, of %d runs", e.count, len(e.waiting))
	}
}

// TestTooManyRunWaiters: those beyond the bound do not wait.
func TestTooManyRunWaiters(t *testing.T) {
	e := runEnds{count: maxRunWaiters}
	ended, forget := e.wait(command.EventID{Position: 1})
	select {
	case <-ended:
	default:
		t.Fatal("one more waits than may")
	}
	if forget(); e.count != maxRunWaiters {
		t.Fatalf("%d wait", e.count)
	}
}
