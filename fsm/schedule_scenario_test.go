package fsm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// What scenarios of runs say of schedules: see TestRuns.

// pass lets time go by, for so long or until then.
func (s *runScenario) pass(a args) {
	s.timeMS += int64(a.number("ms"))
	if to := a.get("to", ""); to != "" {
		s.timeMS = s.atTime(to)
	}
}

func (s *runScenario) atTime(text string) int64 {
	if text == "" {
		return 0
	}
	at, err := time.Parse(time.RFC3339, text)
	check(s.tb, err)
	return at.UnixMilli()
}

// timeText is a time as scenarios write it.
func timeText(ms int64) string {
	if ms == 0 {
		return "none"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00")
}

func (s *runScenario) scheduleCommand(a args, input string) []byte {
	id := a.word()
	route := command.Route{Slot: command.SlotOf("t", command.ScheduleKey(id))}
	overlap, known := command.ParseOverlap(a.get("overlap", ""))
	if !known {
		overlap = 99
	}
	switch a.cmd {
	case "unschedule":
		return (&command.DeleteSchedule{Route: route, Tenant: a.get("tenant", "t"), ID: id}).Append(nil)
	case "ask":
		actions := []string{"", "pause", "resume", "trigger"}
		at := slices.Index(actions, append(a.words(), "", "")[1])
		return (&command.ControlSchedule{
			Route: route, Tenant: "t", ID: id, Action: command.ScheduleAction(at), Note: a.get("note", ""), Overlap: overlap, Once: a.get("once", ""),
		}).Append(nil)
	default:
		c := &command.PutSchedule{Route: route, Tenant: "t", ID: id, Pause: a.has("pause"), Note: a.get("note", "")}
		c.Schedule = command.Schedule{
			Workflow: a.get("workflow", ""), Alias: a.get("alias", ""), ClientID: a.get("client", ""), Key: a.get("key", ""),
			Spec: strings.TrimSpace(input), Timezone: a.get("zone", ""), Overlap: overlap, CatchUpMS: a.number("catch-up"),
			JitterMS: a.number("jitter"), StartMS: s.atTime(a.get("start", "")), EndMS: s.atTime(a.get("end", "")), MaxRuns: a.number("max"),
		}
		if data := a.get("data", ""); data != "" {
			c.Schedule.Input = jsonOfText(data)
		}
		return c.Append(nil)
	}
}

func (s *runScenario) plans(a args) string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		if a.cmd == "plans" {
			page, err := ReadSchedules(view, &ScheduleQuery{
				Tenant: "t", Workflow: a.get("workflow", ""), After: a.get("after", ""), Limit: int(a.number("limit")),
			})
			check(s.tb, err)
			for i := range page.Schedules {
				s.tellPlan(&b, &page.Schedules[i])
			}
			fmt.Fprintf(&b, "next=%s more=%v\n", page.Next, page.More)
			return
		}
		info, err := ReadSchedule(view, "t", a.word())
		check(s.tb, err)
		if info == nil {
			b.WriteString("none\n")
			return
		}
		s.tellPlan(&b, info)
		for i := range info.Recent {
			run := &info.Recent[i]
			fmt.Fprintf(&b, "  %s of %s, begun %s", s.text([]byte(run.RunID)), timeText(run.NominalAt), timeText(run.StartedAt))
			if run.Triggered {
				b.WriteString(", asked for")
			}
			b.WriteString("\n")
		}
	})
	return b.String()
}

func (s *runScenario) tellPlan(b *strings.Builder, info *ScheduleInfo) {
	fmt.Fprintf(b, "%s: %s, next %s", info.ID, info.State, timeText(info.NextAt))
	if info.DueAt != info.NextAt {
		fmt.Fprintf(b, " due %s", timeText(info.DueAt))
	}
	if info.WaitingAt != 0 {
		fmt.Fprintf(b, ", waiting %s", timeText(info.WaitingAt))
	}
	fmt.Fprintf(b, ", fired=%d asked=%d skipped=%d missed=%d failed=%d", info.Fired, info.Triggered, info.Skipped, info.Missed, info.Failed)
	if info.Note != "" {
		fmt.Fprintf(b, " note=%s", info.Note)
	}
	if info.Failure != "" {
		fmt.Fprintf(b, " failure=%s", info.Failure)
	}
	b.WriteString("\n")
}
