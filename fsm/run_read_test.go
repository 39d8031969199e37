package fsm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// look shows a run as users see it: a line for each member of the JSON, and for each step.
func (s *runScenario) look(a args) string {
	var found *RunInfo
	s.read(func(view *storage.View) {
		var err error
		found, err = ReadRun(view, &RunLook{Tenant: a.get("tenant", "t"), Run: s.runs[a.word()], Brief: a.has("brief")})
		check(s.tb, err)
	})
	if found == nil {
		return "none\n"
	}
	return s.readable(found)
}

// list shows pages of runs, a line between them.
func (s *runScenario) list(a args) string {
	query := RunQuery{
		Tenant: a.get("tenant", "t"), Workflow: a.get("workflow", ""), Version: a.get("version", ""), State: a.get("state", ""),
		Client: a.get("client", ""), CorrelationID: a.get("correlation", ""), ErrorCode: a.get("error", ""),
		SinceMS: int64(a.number("since")), UntilMS: int64(a.number("until")), Limit: int(a.number("limit")), look: int(a.number("look")),
	}
	var b strings.Builder
	s.read(func(view *storage.View) {
		for more := true; more; {
			page, err := ReadRuns(view, &query)
			check(s.tb, err)
			for i := range page.Runs {
				run := &page.Runs[i]
				fmt.Fprintf(&b, "%s %s %s at %s since %d\n", s.text([]byte(run.RunID)), run.Workflow, run.State, run.Step, run.StartedAt)
			}
			query.After, more = page.Next, page.More
			if more {
				b.WriteString("-- page\n")
			}
		}
	})
	return b.String()
}

// readable is a JSON object, a line for each member; of lists one for each item. Ids of
// jobs are their leases' names.
func (s *runScenario) readable(of any) string {
	raw, err := json.Marshal(of)
	check(s.tb, err)
	text := s.text(raw)
	for channel, all := range s.leases {
		for i, lease := range all {
			text = strings.ReplaceAll(text, lease.Event.String(), fmt.Sprintf("%s/%d", channel, i+1))
		}
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	_, err = d.Token()
	check(s.tb, err)
	var b strings.Builder
	for d.More() {
		name, err := d.Token()
		check(s.tb, err)
		var value json.RawMessage
		check(s.tb, d.Decode(&value))
		var list []json.RawMessage
		if json.Unmarshal(value, &list) != nil {
			fmt.Fprintf(&b, "%s %s\n", name, value)
			continue
		}
		fmt.Fprintf(&b, "%s\n", name)
		for _, item := range list {
			fmt.Fprintf(&b, "  %s\n", item)
		}
	}
	return b.String()
}

// TestRunEnded: a run is waited for until it has ended, and what is none is not.
func TestRunEnded(t *testing.T) {
	s := newRunScenario(t)
	s.tb = t
	s.apply(true, entryOf(command.Header{}, firstLeader()))
	s.workflow(args{cmd: "workflow"}, "workflow: w\nstart: {on: [c]}\nsteps:\n  a: {channel: a, end: true}\n")
	c := &command.StartRun{
		Route: command.Route{Slot: command.SlotOf("t", "k")}, Workflow: "w",
		Event: command.Event{Tenant: "t", Key: "k", IdempotencyKey: "i"},
	}
	started := s.apply(true, entryOf(command.Header{TimeMS: 1000, Generation: s.machine.Generation()}, c))[0]
	id := started.Results[0].Event
	ended := func(tenant string, id command.EventID) (ended bool) {
		s.read(func(view *storage.View) {
			var err error
			ended, err = RunEnded(view, &RunLook{Tenant: tenant, Run: id})
			check(t, err)
		})
		return ended
	}
	foreign := id
	foreign.Queue++
	if ended("t", id) || !ended("u", id) || !ended("t", foreign) || !ended("t", command.EventID{}) {
		t.Fatal("the run has ended, or one that there is not has not")
	}
	cancel := &command.ControlRun{Run: id, Tenant: "t", Action: command.RunCancel}
	s.apply(true, entryOf(command.Header{TimeMS: 2000, Generation: s.machine.Generation()}, cancel))
	if !ended("t", id) {
		t.Fatal("a canceled run goes on")
	}
}

// TestChildrenElsewhere: what a run has called in other partitions is shown as long as it
// goes on; its own partition's children are found with their events.
func TestChildrenElsewhere(t *testing.T) {
	far := command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: 4}
	row := &runRow{jobs: []runJob{
		{event: far, child: true, step: 1, item: 5},
		{child: true},
		{event: command.EventID{Epoch: 1, Queue: 3, Position: 4}, child: true},
		{event: command.EventID{Epoch: 1, Queue: 3, Position: 5}},
	}}
	got := childrenElsewhere(row, &runVersion{steps: []string{"a", "b"}}, 0)
	if len(got) != 1 || got[0].Step != "b" || got[0].Item != 5 || got[0].RunID != far.String() || got[0].State != "running" {
		t.Fatalf("%+v", got)
	}
	if name := (&runVersion{}).step(7); name != "7" {
		t.Errorf("a step of a definition that is gone is %q", name)
	}
}

// letters lists dead letters, and of which runs' steps they are.
func (s *runScenario) letters() string {
	var b strings.Builder
	s.read(func(view *storage.View) {
		page, err := ReadDeadLetters(view, &LetterQuery{Tenant: "t"})
		check(s.tb, err)
		for i := range page.Letters {
			d := &page.Letters[i]
			fmt.Fprintf(&b, "%s %s", d.Channel, d.Code)
			if d.RunID != "" {
				fmt.Fprintf(&b, " of %s: %s/%s/%d", s.text([]byte(d.RunID)), d.Workflow, d.Step, d.Item)
			}
			if d.Redrivable {
				b.WriteString(", redrivable")
			}
			b.WriteByte('\n')
		}
	})
	return b.String()
}
