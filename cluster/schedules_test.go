package cluster

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// TestPagesOfSchedules: however many schedules each partition has, and however few rows it
// looks at for a page, the merged pages have each that is asked for once, by id.
func TestPagesOfSchedules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kept := make([][]fsm.ScheduleInfo, rapid.IntRange(1, 4).Draw(t, "partitions"))
		var want []string
		for n := range rapid.IntRange(0, 20).Draw(t, "schedules") {
			s := fsm.ScheduleInfo{ID: fmt.Sprintf("s%02d", n), Workflow: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "workflow")}
			at := rapid.IntRange(0, len(kept)-1).Draw(t, "partition")
			kept[at] = append(kept[at], s)
			if s.Workflow == "a" {
				want = append(want, s.ID)
			}
		}
		limit, cursor := rapid.IntRange(1, 5).Draw(t, "limit"), ""
		var seen []string
		for begin := true; begin || cursor != ""; begin = false {
			pages := make([]fsm.SchedulePage, len(kept))
			for i := range pages {
				pages[i] = schedulePageOf(kept[i], cursor, limit, rapid.IntRange(1, 6).Draw(t, "looked"))
			}
			merged := mergeSchedules(pages, limit)
			if len(merged.Schedules) > limit || merged.Cursor != "" && merged.Cursor <= cursor {
				t.Fatalf("%d schedules on a page of %d, from %q to %q", len(merged.Schedules), limit, cursor, merged.Cursor)
			}
			for i := range merged.Schedules {
				seen = append(seen, merged.Schedules[i].ID)
			}
			cursor = merged.Cursor
		}
		if !slices.Equal(seen, want) {
			t.Fatalf("%v, want %v", seen, want)
		}
	})
}

// schedulePageOf is what a partition answers of workflow a that looks at so many rows.
func schedulePageOf(kept []fsm.ScheduleInfo, after string, limit, look int) fsm.SchedulePage {
	page := fsm.SchedulePage{Next: after}
	for i := range kept {
		if kept[i].ID <= after {
			continue
		}
		if look == 0 || len(page.Schedules) == limit {
			page.More = true
			return page
		}
		look--
		page.Next = kept[i].ID
		if kept[i].Workflow == "a" {
			page.Schedules = append(page.Schedules, kept[i])
		}
	}
	return page
}

// FuzzScheduleQuery: a query that can be read is the same when written again.
func FuzzScheduleQuery(f *testing.F) {
	f.Add(encodeScheduleQuery(&fsm.ScheduleQuery{Tenant: "t", Workflow: "w", After: "a", Limit: 4}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := command.NewReader(data)
		first := readScheduleQuery(&r)
		if r.Err() != nil {
			return
		}
		again := command.NewReader(encodeScheduleQuery(&first))
		if second := readScheduleQuery(&again); second != first || again.Err() != nil || len(again.Rest()) != 0 {
			t.Fatalf("%+v came back as %+v", first, second)
		}
	})
}
