package fsm

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// TestSchedulesOnce: whatever becomes of its runs, and whatever is asked of it, each time
// of a schedule comes to one thing: a run, or it was skipped, or waits. Runs of a schedule
// that may not overlap do not, and no two are for one time. The log, replayed otherwise,
// gives the same rows and chain.
func TestSchedulesOnce(t *testing.T) {
	store, group := openStore(t), new(uint32)
	rapid.Check(t, func(rt *rapid.T) {
		p := newScheduled(rt, store, group, 0, 1)
		m := &scheduleModel{t: rt, p: p, times: make(map[string]uint64), paused: make(map[string]bool)}
		for _, id := range scheduleModels {
			m.put(id)
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			m.act()
			m.check()
		}
		m.checkRuns()
		replayOtherwise(rt, newWorld(rt, store, group), p.world, p.entries)
	})
}

// scheduleModels are the schedules, by their overlap policies.
var scheduleModels = []string{"skip", "buffer", "cancel", "allow"}

// scheduleModel knows how many times of each schedule there were, those that somebody asked
// for among them.
type scheduleModel struct {
	t      *rapid.T
	p      *relayEnd
	times  map[string]uint64
	paused map[string]bool
}

const modelPeriodMS = 60_000

func (m *scheduleModel) put(id string) {
	overlap, _ := command.ParseOverlap(id)
	m.ask(&command.PutSchedule{Route: scheduleRoute(id), Tenant: "t", ID: id, Schedule: command.Schedule{
		Workflow: "quick", Spec: "every 1m", Overlap: overlap, JitterMS: 5000,
	}})
}

func scheduleRoute(id string) command.Route {
	return command.Route{Slot: command.SlotOf("t", command.ScheduleKey(id))}
}

func (m *scheduleModel) ask(c interface{ Append([]byte) []byte }) *command.Result {
	return &m.p.put(uint32(rapid.IntRange(0, 3).Draw(m.t, "credit")), c).Results[0]
}

func (m *scheduleModel) act() {
	id := rapid.SampledFrom(scheduleModels).Draw(m.t, "schedule")
	control := &command.ControlSchedule{Route: scheduleRoute(id), Tenant: "t", ID: id}
	switch rapid.SampledFrom([]string{"time", "time", "time", "work", "work", "put", "pause", "resume", "trigger", "restart"}).Draw(m.t, "act") {
	case "time":
		m.pass(rapid.SampledFrom([]int64{5000, 55_000, 60_000, 130_000, 600_000}).Draw(m.t, "elapsed"))
	case "work":
		m.work()
	case "put":
		m.put(id)
	case "pause":
		m.settle()
		control.Action, m.paused[id] = command.SchedulePause, true
		m.ask(control)
	case "resume":
		control.Action, m.paused[id] = command.ScheduleResume, false
		m.ask(control)
	case "trigger":
		control.Action = command.ScheduleTrigger
		if m.ask(control).Reason == command.Done {
			m.times[id]++
		}
	case "restart":
		m.p.reopen()
	}
}

// pass lets time go by, to half a period behind one: there jitter makes no difference.
func (m *scheduleModel) pass(elapsedMS int64) {
	m.settle()
	from := m.p.timeMS
	m.p.timeMS = (from+elapsedMS)/modelPeriodMS*modelPeriodMS + modelPeriodMS/2
	for _, id := range scheduleModels {
		if !m.paused[id] {
			m.times[id] += uint64(m.p.timeMS/modelPeriodMS - from/modelPeriodMS)
		}
	}
	m.settle()
}

// settle has all be worked off that is due.
func (m *scheduleModel) settle() {
	for m.p.put(1).NextDueMS <= m.p.timeMS {
	}
}

// work ends what is leased.
func (m *scheduleModel) work() {
	leases := m.p.leases
	m.p.leases = nil
	for _, lease := range leases {
		if rapid.Bool().Draw(m.t, "done") {
			m.ask(&command.Complete{Lease: lease})
		} else {
			m.ask(&command.Fail{Lease: lease, Code: "boom", Final: true})
		}
	}
}

func (m *scheduleModel) check() {
	m.settle()
	m.p.read(func(view *storage.View) {
		page, err := ReadSchedules(view, &ScheduleQuery{Tenant: "t"})
		check(m.t, err)
		for i := range page.Schedules {
			s := &page.Schedules[i]
			came := s.Fired + s.Triggered + s.Skipped
			if s.WaitingAt != 0 {
				came++
			}
			if came != m.times[s.ID] || s.Missed+s.Failed != 0 || m.paused[s.ID] != (s.State == schedulePaused) {
				m.t.Fatalf("%d times came: %+v", m.times[s.ID], s)
			}
		}
		m.checkOverlaps(view)
	})
}

// checkOverlaps looks for runs of one schedule that go on beside each other. A run's key is
// its schedule's.
func (m *scheduleModel) checkOverlaps(view *storage.View) {
	page, err := ReadRuns(view, &RunQuery{Tenant: "t"})
	check(m.t, err)
	live := make(map[string]int)
	for i := range page.Runs {
		if r := &page.Runs[i]; r.EndedAt == 0 && r.Key != command.ScheduleKey("allow") {
			if live[r.Key]++; live[r.Key] > 1 {
				m.t.Fatalf("runs of %s overlap", r.Key)
			}
		}
	}
}

// checkRuns looks for times that have two runs.
func (m *scheduleModel) checkRuns() {
	m.p.read(func(view *storage.View) {
		page, err := ReadRuns(view, &RunQuery{Tenant: "t"})
		check(m.t, err)
		seen := make(map[string]bool)
		for i := range page.Runs {
			id, err := command.ParseEventID(page.Runs[i].RunID)
			check(m.t, err)
			run, err := ReadRun(view, &RunLook{Tenant: "t", Run: id, Brief: true})
			check(m.t, err)
			if seen[run.IdempotencyKey] {
				m.t.Fatalf("two runs are %s", run.IdempotencyKey)
			}
			seen[run.IdempotencyKey] = true
		}
	})
}
