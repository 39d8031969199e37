package fsm

import (
	"fmt"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/storage"
)

// newScheduled is one of several partitions, with the workflow quick.
func newScheduled(t *testing.T, store *storage.Store, group *uint32, partition, partitions uint32) *relayEnd {
	t.Helper()
	p := &relayEnd{world: newWorld(t, store, group), id: partition, timeMS: 3_600_000}
	def, problems := workflow.Parse([]byte("workflow: quick\nsteps: {work: {channel: work, end: true}}\n"))
	if len(problems) > 0 {
		t.Fatalf("%+v", problems)
	}
	p.put(0, &command.LeaderStart{Node: "n1", Partition: partition, Partitions: partitions, Epoch: 1})
	p.put(0,
		&command.InstallDefinition{Tenant: "t", Name: def.Name, Version: def.Version, Canonical: def.Canonical},
		&command.InstallAliases{Tenant: "t", Name: def.Name, Count: 1, Aliases: []command.WorkflowAlias{
			{Alias: DefaultAlias, Targets: []command.WorkflowTarget{{Version: def.Version, Share: command.WholeShare}}},
		}})
	return p
}

// scheduleIn is the id of a schedule that lives in a partition of two.
func scheduleIn(partition uint32) string {
	for n := 0; ; n++ {
		id := fmt.Sprint("schedule", n)
		if command.PartitionOf(command.SlotOf("t", command.ScheduleKey(id)), 2) == partition {
			return id
		}
	}
}

func (p *relayEnd) schedule(t *testing.T, id string, s *command.Schedule) {
	t.Helper()
	s.Workflow, s.Overlap = "quick", command.OverlapAllow
	route := command.Route{Slot: command.SlotOf("t", command.ScheduleKey(id))}
	out := p.put(0, &command.PutSchedule{Route: route, Tenant: "t", ID: id, Schedule: *s})
	if r := out.Results[0]; r.Reason != command.Done {
		t.Fatalf("%s: %s", r.Reason, r.Message)
	}
}

func (p *relayEnd) plan(t *testing.T, id string) (info *ScheduleInfo) {
	t.Helper()
	p.read(func(view *storage.View) {
		var err error
		info, err = ReadSchedule(view, "t", id)
		check(t, err)
	})
	if info == nil {
		t.Fatalf("there is no schedule %s", id)
	}
	return info
}

// TestSchedulesCatchUpInPieces: an entry works off a bounded number of times, of one
// schedule and of all; the next ones, which come at once, do the rest, each time once.
func TestSchedulesCatchUpInPieces(t *testing.T) {
	p := newScheduled(t, openStore(t), new(uint32), 0, 1)
	for n := range 4 {
		p.schedule(t, fmt.Sprint("s", n), &command.Schedule{Spec: "every 1m"})
	}
	p.timeMS += 150 * 60_000
	var began []int
	for {
		out := p.put(0)
		began = append(began, len(out.Runs))
		if out.NextDueMS > p.timeMS {
			break
		}
		p.reopen() // What is left is left in the rows.
	}
	if want := "[256 256 88]"; fmt.Sprint(began) != want {
		t.Fatalf("the entries began %v runs, want %s", began, want)
	}
	for n := range 4 {
		info := p.plan(t, fmt.Sprint("s", n))
		if info.Fired != 150 || info.NextAt != p.timeMS+60_000 || info.Missed+info.Skipped+info.Failed != 0 {
			t.Errorf("%+v", info)
		}
	}
	first := p.plan(t, "s0").Recent[0]
	if first.NominalAt != p.timeMS || first.StartedAt != p.timeMS {
		t.Errorf("its last run: %+v", first)
	}
}

// TestOneScheduleCatchesUpInPieces: it leaves room for others.
func TestOneScheduleCatchesUpInPieces(t *testing.T) {
	p := newScheduled(t, openStore(t), new(uint32), 0, 1)
	p.schedule(t, "s", &command.Schedule{Spec: "every 1m"})
	p.timeMS += 150 * 60_000
	if first, second := len(p.put(0).Runs), len(p.put(0).Runs); first != maxCatchUp || second != 50 {
		t.Fatalf("%d and %d runs", first, second)
	}
}

// relayTo is all that is on its way to another partition.
func (p *relayEnd) relayTo(t *testing.T, target uint32) *command.Relay {
	t.Helper()
	relay := &command.Relay{Source: p.id, SourceEpoch: 1, First: 1}
	p.read(func(view *storage.View) {
		rows, err := ReadRelay(view, target, 1)
		check(t, err)
		relay.Rows = rows
	})
	return relay
}

// TestScheduledElsewhere: a run with a key of its own begins in the partition of that, once,
// with a lineage of its own, and the schedule goes on where it is.
func TestScheduledElsewhere(t *testing.T) {
	store, group := openStore(t), new(uint32)
	home, other := newScheduled(t, store, group, 0, 2), newScheduled(t, store, group, 1, 2)
	id, key := scheduleIn(0), command.ScheduleKey(scheduleIn(1))
	home.schedule(t, id, &command.Schedule{Spec: "every 1h", Key: key, ClientID: "ana"})
	home.timeMS += 3_600_000
	if out := home.put(0); len(out.Runs) != 0 || len(out.Relays) != 1 {
		t.Fatalf("%+v %+v", out.Runs, out.Relays)
	}
	info := home.plan(t, id)
	if info.Fired != 1 || info.Recent[0].RunID != "" || info.Recent[0].NominalAt != home.timeMS {
		t.Fatalf("%+v", info)
	}
	relay := home.relayTo(t, 1)
	began := other.put(0, relay).Runs
	if again := other.put(0, relay).Runs; len(began) != 1 || len(again) != 0 {
		t.Fatalf("it began %d runs, and %d again", len(began), len(again))
	}
	var run *RunInfo
	other.read(func(view *storage.View) {
		var err error
		run, err = ReadRun(view, &RunLook{Tenant: "t", Run: began[0].ID})
		check(t, err)
	})
	id = fmt.Sprintf("schedule/%s/%d", id, home.timeMS)
	got := [...]string{run.Key, run.ClientID, run.IdempotencyKey, run.CorrelationID, run.ParentRun}
	if want := [...]string{key, "ana", id, run.RunID, ""}; got != want {
		t.Fatalf("%q, want %q", got, want)
	}
}
