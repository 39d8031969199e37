package node_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/batonmq/baton/client"
)

// TestSchedulesOfAllNodes: schedules of all partitions are put through one node, listed and
// steered through the others, and fire on while one node after the other restarts: no time
// of a schedule begins two runs, and none is lost.
func TestSchedulesOfAllNodes(t *testing.T) {
	c := &followed{}
	for i := range 3 {
		c.dirs = append(c.dirs, t.TempDir())
		var join []string
		if i > 0 {
			join = []string{c.nodes[0].GossipAddress()}
		}
		c.nodes = append(c.nodes, shortLogs(t, fmt.Sprintf("n%d", i+1), c.dirs[i], nil, join...))
	}
	for _, n := range c.nodes {
		waitFor(t, "the cluster is ready", func() error { return n.Ready(t.Context()) })
	}
	if _, err := httpOf(t, c.nodes[0]).ApplyWorkflow(t.Context(), greeting("hello"), client.ApplyOptions{Alias: "prod"}); err != nil {
		t.Fatal(err)
	}
	const want = 6
	for i := range want {
		spec := client.ScheduleSpec{Workflow: "greet", Spec: "every 1s", Overlap: "allow", Data: i}
		kept, err := httpOf(t, c.nodes[i%3]).PutSchedule(t.Context(), fmt.Sprint("s", i), spec)
		if err != nil || kept.State != "active" || kept.NextAt == 0 {
			t.Fatalf("%+v, %v", kept, err)
		}
	}
	listSchedules(t, httpOf(t, c.nodes[2]), want)
	fired := func(more int64) {
		t.Helper()
		for i := range want {
			before := int64(-1)
			waitFor(t, "the schedule fires", func() error {
				now, err := httpOf(t, c.nodes[1]).Schedule(t.Context(), fmt.Sprint("s", i))
				if err != nil {
					return err
				}
				if before < 0 {
					before = now.Fired
				}
				if now.Fired < before+more {
					return fmt.Errorf("it has begun %d runs, and had %d", now.Fired, before)
				}
				return nil
			})
		}
	}
	fired(1)
	c.restart(t, 2)
	c.restart(t, 0)
	fired(1)
	pauseAll(t, httpOf(t, c.nodes[2]), want)
	agreeAll(t, c.nodes...)
}

// listSchedules lists all schedules in pages.
func listSchedules(t *testing.T, h *client.HTTP, want int) {
	t.Helper()
	var ids []string
	for cursor, more := "", true; more; {
		page, err := h.Schedules(t.Context(), "greet", cursor, 4)
		if err != nil {
			t.Fatal(err)
		}
		for i := range page.Schedules {
			ids = append(ids, page.Schedules[i].ScheduleID)
		}
		cursor, more = page.Cursor, page.Cursor != ""
	}
	for i := range want {
		if len(ids) != want || ids[i] != fmt.Sprint("s", i) {
			t.Fatalf("listed are %v", ids)
		}
	}
}

// pauseAll pauses all schedules, and looks at what they began: a second apart each.
func pauseAll(t *testing.T, h *client.HTTP, many int) {
	t.Helper()
	for i := range many {
		id := fmt.Sprint("s", i)
		paused, err := h.PauseSchedule(t.Context(), id, "enough")
		if err != nil || paused.State != "paused" || paused.Note != "enough" || paused.Missed+paused.Skipped+paused.Failed != 0 {
			t.Fatalf("%+v, %v", paused, err)
		}
		triggerAndDelete(t, h, id, fmt.Sprint(i))
	}
}

func triggerAndDelete(t *testing.T, h *client.HTTP, id, data string) {
	t.Helper()
	run, err := h.TriggerSchedule(t.Context(), id, "")
	if err != nil || run.RunID == "" {
		t.Fatalf("%+v, %v", run, err)
	}
	s, err := h.Schedule(t.Context(), id)
	if err != nil || s.Triggered != 1 || s.Recent[0].RunID != run.RunID || string(s.Data) != data {
		t.Fatalf("%+v, %v", s, err)
	}
	for n := 2; n < len(s.Recent); n++ {
		if s.Recent[n-1].NominalAt-s.Recent[n].NominalAt != 1000 {
			t.Errorf("schedule %s began %+v", id, s.Recent)
		}
	}
	if err := h.DeleteSchedule(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if s, err := h.Schedule(t.Context(), id); !errors.Is(err, client.ErrNotFound) {
		t.Fatalf("%+v, %v", s, err)
	}
}
