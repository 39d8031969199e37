package fsm

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"strconv"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
	"github.com/batonmq/baton/internal/invariants"
)

// The headers of the event that a schedule's run begins with.
const (
	// HeaderSchedule is the schedule's id.
	HeaderSchedule = "baton-schedule"
	// HeaderNominalTime is the time that the calendar said, in Unix milliseconds; of a run
	// that was asked for, when that was.
	HeaderNominalTime = "baton-nominal-time"
)

// fireSchedule works off the times of a schedule whose timer has come: as a rule there is
// one. After an outage they come one after another, each as if it were the only one; what
// is too much for an entry waits for the next.
func (m *Machine) fireSchedule(dueMS int64, of []byte) {
	tenant, id := binary.BigEndian.Uint32(of), string(of[4:])
	for n := range maxCatchUp {
		m.settleRuns() // A run that has ended by now does not go on.
		s := m.scheduleAt(tenant, id)
		if s == nil || n == 0 && s.dueMS != dueMS {
			return
		}
		if n == 0 {
			s.dueMS = 0 // Its timer is gone.
		}
		if !m.fireNext(s) || n == maxCatchUp-1 {
			m.saveSchedule(s)
			return
		}
		m.writeSchedule(s)
	}
}

// fireNext works off a schedule's next time, where that has come, and tells whether another
// has.
func (m *Machine) fireNext(s *schedule) (more bool) {
	clock, err := m.clockOf(&s.Schedule)
	if err != nil {
		s.fail(m.counters.timeMS, err.Error())
		s.nextMS = 0
		return false
	}
	m.passMissed(s, clock)
	if !m.isDue(s) {
		return false
	}
	m.firings++
	m.fireAt(s, firing{nominalMS: s.nextMS}, s.Overlap)
	s.advance(clock, s.nextMS)
	return m.isDue(s)
}

// isDue tells whether a schedule's next time is to be worked off in this entry.
func (m *Machine) isDue(s *schedule) bool {
	return s.nextMS != 0 && s.nextMS+s.offset() <= m.counters.timeMS && !s.over() && m.firings < maxFirings
}

// passMissed goes by the times that are over for too long.
func (m *Machine) passMissed(s *schedule, clock *workflow.Schedule) {
	oldest := m.counters.timeMS - s.offset() - s.catchUpMS()
	for counted := 0; s.nextMS != 0 && s.nextMS < oldest; counted++ {
		if counted == maxMissedCounted {
			s.advance(clock, oldest-1)
			return
		}
		s.missed++
		s.advance(clock, s.nextMS)
	}
}

// fireAt begins a run, or does what overlap says where another goes on. The run is zero
// where none has begun here; the result is the failure where none could.
func (m *Machine) fireAt(s *schedule, f firing, overlap command.Overlap) (command.EventID, command.Result) {
	if overlap == command.OverlapAllow {
		return m.beginScheduled(s, f)
	}
	if _, goesOn := m.goesOn(s); !goesOn {
		return m.beginScheduled(s, f)
	}
	switch {
	case overlap == command.OverlapCancel:
		s.drop()
		s.waitsMS, s.waitsAsked = f.nominalMS, f.asked
		m.cancelRecent(s)
	case overlap == command.OverlapBuffer && s.waitsMS == 0:
		s.waitsMS, s.waitsAsked = f.nominalMS, f.asked
	default:
		s.skipped++
	}
	return command.EventID{}, command.Result{}
}

// goesOn is one of a schedule's last runs that has not ended.
func (m *Machine) goesOn(s *schedule) (command.EventID, bool) {
	for i := range s.recent {
		if r := m.runOf(s.recent[i].run); r != nil && !r.State.Ended() {
			return r.id, true
		}
	}
	return command.EventID{}, false
}

func (m *Machine) cancelRecent(s *schedule) {
	for i := range s.recent {
		if r := m.runOf(s.recent[i].run); r != nil && !r.State.Ended() {
			m.happens(&happening{run: r.id, Happening: engine.Happening{
				Kind: engine.Cancel, Message: "the next run of schedule " + s.id + " is due",
			}})
		}
	}
}

// beginScheduled begins a run of a schedule. A failure does not stop the schedule: it is
// counted, and the next time comes.
func (m *Machine) beginScheduled(s *schedule, f firing) (id command.EventID, failure command.Result) {
	e := m.eventOfSchedule(s, &f)
	d := m.pickDefinition(s.tenant, s.Workflow, s.Alias, m.runSeed(e))
	target, foreign := m.elsewhere(e.Tenant, e.Key)
	row := command.RelayRow{Kind: command.RelayEvent, Event: e.Event, TimeMS: m.counters.timeMS}
	var refused bool
	switch {
	case d == nil:
		failure, refused = refuse(command.NotFound, noSuchWorkflow(s.Workflow, s.Alias)), true
	case foreign:
		failure, refused = m.refuseRelay(target, &row)
	default:
		failure, refused = m.refuseMore(s.tenant, &command.Publish{Event: e.Event})
	}
	if refused {
		s.fail(m.counters.timeMS, failure.Message)
		return id, failure
	}
	f.firedMS = m.counters.timeMS
	if foreign {
		m.send(target, &row)
	} else {
		f.run = m.beginHere(s, e, d)
	}
	s.began(f)
	return f.run, command.Result{}
}

func (m *Machine) beginHere(s *schedule, e *event, d *definition) command.EventID {
	e.begins = d
	m.store(e)
	m.publishedInto(e)
	if r := m.runs[e.id.Position]; r != nil {
		m.keep(r, runSchedule, keyRunPart(m.scratch.key[:0], e.id.Position, runSchedule), append(append(m.scratch.value[:0], rowVersion), s.id...))
	}
	return e.id
}

// eventOfSchedule is the event that a run begins with. Each starts a lineage of its own.
func (m *Machine) eventOfSchedule(s *schedule, f *firing) *event {
	nominal := strconv.FormatInt(f.nominalMS, 10)
	headers, err := json.Marshal(struct {
		Schedule string `json:"baton-schedule"`
		Nominal  string `json:"baton-nominal-time"`
	}{s.id, nominal})
	invariants.Check(err == nil, "strings are JSON: %v", err)
	e := &event{storedMS: m.counters.timeMS, whole: true}
	e.Channel, e.Tenant = command.RunChannelPrefix+s.Workflow, m.names.text(nameTenant, s.tenant)
	e.ClientID, e.Key = s.ClientID, cmp.Or(s.Key, command.ScheduleKey(s.id))
	e.Headers, e.Payload = headers, s.Input
	e.IdempotencyKey = "schedule/" + s.id + "/" + nominal
	if f.asked {
		// Two may be asked for at one time.
		e.IdempotencyKey += "/" + strconv.FormatUint(m.counters.nextFence, 10)
		m.counters.nextFence++
	}
	if _, foreign := m.elsewhere(e.Tenant, e.Key); foreign {
		e.Task = command.Task{Alias: s.Alias, Detached: true} // There it is begun by its channel.
	}
	return e
}

// runSchedule is the schedule that began a run -> its id.
const runSchedule = 's'

// scheduledEnded begins the run that waits for the end of another one.
func (m *Machine) scheduledEnded(r *run) {
	value, found := m.get(keyRunPart(m.scratch.key[:0], r.id.Position, runSchedule))
	if !found {
		return
	}
	s := m.scheduleAt(r.tenant, string(openRest(value)))
	if s == nil || s.waitsMS == 0 {
		return
	}
	if _, goesOn := m.goesOn(s); goesOn {
		return
	}
	f := firing{nominalMS: s.waitsMS, asked: s.waitsAsked}
	s.waitsMS, s.waitsAsked = 0, false
	m.beginScheduled(s, f)
	m.saveSchedule(s)
}
