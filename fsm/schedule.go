package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// A schedule starts runs of a workflow at the times that a calendar says. It lives in the
// partition of command.ScheduleKey, as two rows: what it says, which seldom changes and may
// carry a large input, and how far it is. Its next time hangs on a timer of the partition.
// Each of its times is worked off once, because the row moves on in the entry that does
// it, and no time before the state's is ever looked for again.
//
// Its runs are in its own partition: so a look at their rows tells whether they go on, and
// a run's end finds the schedule that waits for it. Only runs with a key of their own may
// be elsewhere, and those may overlap.

// Bounds of schedules.
const (
	// MaxSchedules is how many a tenant may have in one partition.
	MaxSchedules = 4096
	// DefaultCatchUpMS is how late a run may begin where a schedule does not say:
	// a day. MinCatchUpMS and MaxCatchUpMS bound it: ten seconds, which a change of leader
	// may take, and a year.
	DefaultCatchUpMS = 24 * 3600 * 1000
	MinCatchUpMS     = 10 * 1000
	MaxCatchUpMS     = 365 * 24 * 3600 * 1000
	// MaxJitterMS is over how long schedules may be spread: a day.
	MaxJitterMS = 24 * 3600 * 1000
	// MaxRecentFirings is how many of its last runs a schedule remembers: whether one goes
	// on is looked for among them.
	MaxRecentFirings = 10
	// maxCatchUp is how many of a schedule's times one entry works off, maxFirings how many
	// of all schedules': what is left waits for the next entry.
	maxCatchUp = 100
	maxFirings = 256
	// maxMissedCounted is how many times in a row are counted as missed; what was missed
	// beyond them is passed over in one step.
	maxMissedCounted = 1000
	// maxClocks bounds the calendars that are kept in memory.
	maxClocks = 1024
)

// schedule is one schedule during an Apply.
type schedule struct {
	command.Schedule
	scheduleRow

	tenant uint32
	id     string
}

// scheduleRow is how far a schedule is.
type scheduleRow struct {
	// nextMS is the time that comes next, before its jitter; 0 for none.
	nextMS int64
	// dueMS is where its timer stands, 0 for none.
	dueMS  int64
	paused bool
	note   string
	// waitsMS is the time whose run begins when those before it have ended, 0 for none;
	// waitsAsked means that it is no time of the calendar, but was asked for.
	waitsMS    int64
	waitsAsked bool
	// fired and asked count the runs that it began, skipped the times at which another
	// went on, missed those that were over for too long, failed those at which no run
	// could begin: failure says why of the last, failedMS when that was.
	fired, asked, skipped, missed, failed uint64
	failure                               string
	failedMS                              int64
	createdMS, changedMS                  int64
	// recent are its last runs, the oldest first.
	recent []firing
}

// firing is a run that a schedule began. One in another partition is not known here: its
// run is zero.
type firing struct {
	nominalMS, firedMS int64
	run                command.EventID
	asked              bool
}

func (s *scheduleRow) append(dst []byte) []byte {
	dst = command.AppendBool(command.AppendBool(append(dst, rowVersion), s.paused), s.waitsAsked)
	for _, v := range []int64{s.nextMS, s.dueMS, s.waitsMS, s.failedMS, s.createdMS, s.changedMS} {
		dst = command.AppendInt(dst, v)
	}
	for _, v := range []uint64{s.fired, s.asked, s.skipped, s.missed, s.failed} {
		dst = command.AppendUint(dst, v)
	}
	dst = command.AppendString(command.AppendString(dst, s.note), s.failure)
	dst = command.AppendUint(dst, uint64(len(s.recent)))
	for i := range s.recent {
		f := &s.recent[i]
		dst = command.AppendInt(command.AppendInt(dst, f.nominalMS), f.firedMS)
		dst = command.AppendBool(command.AppendEventID(dst, f.run), f.asked)
	}
	return dst
}

// read copies what it keeps.
func (s *scheduleRow) read(value []byte) {
	r := openRow(value)
	s.paused, s.waitsAsked = r.Bool(), r.Bool()
	for _, v := range []*int64{&s.nextMS, &s.dueMS, &s.waitsMS, &s.failedMS, &s.createdMS, &s.changedMS} {
		*v = r.Int()
	}
	for _, v := range []*uint64{&s.fired, &s.asked, &s.skipped, &s.missed, &s.failed} {
		*v = r.Uint()
	}
	s.note, s.failure = r.String(), r.String()
	for range r.Count(MaxRecentFirings) {
		s.recent = append(s.recent, firing{nominalMS: r.Int(), firedMS: r.Int(), run: r.EventID(), asked: r.Bool()})
	}
	closeRow(&r)
}

// readSchedule is what a schedule says, in memory of its own.
func readSchedule(value []byte) command.Schedule {
	r := openRow(append([]byte(nil), value...))
	says := r.Schedule()
	closeRow(&r)
	return says
}

// scheduleAt is the schedule of an id, or nil. What is changed of it is to be saved.
func (m *Machine) scheduleAt(tenant uint32, id string) *schedule {
	value, found := m.get(keySchedule(m.scratch.key[:0], scheduleSays, tenant, id))
	if !found {
		return nil
	}
	s := &schedule{tenant: tenant, id: id, Schedule: readSchedule(value)}
	if value, found = m.get(keySchedule(m.scratch.key[:0], scheduleIs, tenant, id)); found {
		s.read(value)
	}
	return s
}

// saveSchedule writes how far a schedule is, and where its timer stands.
func (m *Machine) saveSchedule(s *schedule) {
	due := int64(0)
	if s.over() {
		s.nextMS = 0
	}
	if s.nextMS != 0 {
		due = s.nextMS + s.offset()
	}
	if due != s.dueMS {
		m.stopSchedule(s)
		if s.dueMS = due; due != 0 {
			m.setKeptTimer(due, timerSchedule, s.timerOf())
		}
	}
	m.writeSchedule(s)
}

// writeSchedule is saveSchedule for one whose next time is looked at next.
func (m *Machine) writeSchedule(s *schedule) {
	m.set(keySchedule(m.scratch.key[:0], scheduleIs, s.tenant, s.id), s.append(m.scratch.value[:0]))
}

// stopSchedule takes its timer away.
func (m *Machine) stopSchedule(s *schedule) {
	if s.dueMS != 0 {
		m.clearKeptTimer(s.dueMS, timerSchedule, s.timerOf())
		s.dueMS = 0
	}
}

// timerOf is what its timer is of: tenant(4) id.
func (s *schedule) timerOf() []byte { return append(appendU32(nil, s.tenant), s.id...) }

// offset is how long after its times a schedule fires: always the same, so that those of
// the same times are spread, and its own do not overtake each other.
func (s *schedule) offset() int64 {
	if s.JitterMS == 0 {
		return 0
	}
	of := digestOf("schedule", s.id)
	return int64(u64At(of[:], 0) % (s.JitterMS + 1)) //nolint:gosec // At most MaxJitterMS.
}

// over tells whether it has begun as many runs as it may.
func (s *schedule) over() bool { return s.MaxRuns != 0 && s.fired >= s.MaxRuns }

// catchUpMS is how late a run may begin.
func (s *schedule) catchUpMS() int64 {
	if s.CatchUpMS == 0 {
		return DefaultCatchUpMS
	}
	return int64(min(max(s.CatchUpMS, MinCatchUpMS), MaxCatchUpMS))
}

// advance moves it to its first time after another.
func (s *schedule) advance(clock *workflow.Schedule, afterMS int64) {
	s.nextMS = clock.Next(max(afterMS, s.StartMS-1))
	if s.EndMS != 0 && s.nextMS >= s.EndMS {
		s.nextMS = 0
	}
}

// fail takes note of a time at which no run could begin.
func (s *schedule) fail(nowMS int64, why string) {
	s.failed++
	s.failure, s.failedMS = why, nowMS
}

// began takes note of a run.
func (s *schedule) began(f firing) {
	if len(s.recent) == MaxRecentFirings {
		s.recent = s.recent[1:]
	}
	s.recent = append(s.recent, f)
	if f.asked {
		s.asked++
	} else {
		s.fired++
	}
}

// clockName is what a calendar is read from.
type clockName struct{ spec, timezone string }

// clockOf is a schedule's calendar. To read one takes a time zone out of an archive, so
// they are kept.
func (m *Machine) clockOf(s *command.Schedule) (*workflow.Schedule, error) {
	name := clockName{s.Spec, s.Timezone}
	if clock := m.clocks[name]; clock != nil {
		return clock, nil
	}
	clock, err := workflow.ParseSchedule(s.Spec, s.Timezone)
	if err != nil {
		return nil, fmt.Errorf("read the calendar: %w", err)
	}
	if len(m.clocks) >= maxClocks {
		clear(m.clocks)
	}
	m.clocks[name] = &clock
	return &clock, nil
}
