package fsm

import (
	"cmp"
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

const unknownSchedule = "no such schedule"

// putSchedule keeps a schedule. One that was there keeps its counts and its runs, and, where
// its times are the same ones, its next time: to put the same twice changes nothing.
func (m *Machine) putSchedule(c *command.PutSchedule) command.Result {
	if refusal, refused := m.refuseSchedule(c); refused {
		return refusal
	}
	clock, err := m.clockOf(&c.Schedule)
	if err != nil {
		return refuse(command.BadRequest, err.Error())
	}
	now := m.counters.timeMS
	tenant := m.intern(nameTenant, c.Tenant, &m.counters.nextTenant)
	s := m.scheduleAt(tenant, c.ID)
	replaced := s != nil
	if s == nil {
		if m.schedulesOf(tenant) >= MaxSchedules {
			return refuse(command.TenantLimit, fmt.Sprintf("the tenant has %d schedules in the partition, as many as it may", MaxSchedules))
		}
		s = &schedule{tenant: tenant, id: c.ID, scheduleRow: scheduleRow{createdMS: now}}
	}
	before := s.Schedule
	s.Schedule, s.changedMS = c.Schedule, now
	s.Overlap = cmp.Or(s.Overlap, command.OverlapSkip)
	if c.Pause {
		s.pause(c.Note)
	}
	switch {
	case s.paused:
	case s.nextMS == 0 || before.Spec != s.Spec || before.Timezone != s.Timezone || before.StartMS != s.StartMS:
		s.advance(clock, now)
	case s.EndMS != 0 && s.nextMS >= s.EndMS:
		s.nextMS = 0
	}
	says := command.AppendSchedule(append(m.scratch.value[:0], rowVersion), &s.Schedule)
	m.set(keySchedule(m.scratch.key[:0], scheduleSays, tenant, c.ID), says)
	m.saveSchedule(s)
	return command.Result{Duplicate: replaced}
}

// refuseSchedule refuses what no schedule can be made of.
func (m *Machine) refuseSchedule(c *command.PutSchedule) (command.Result, bool) {
	if !m.owns(c.Slot) {
		return refuse(command.NoLeader, "the slot is not in this partition; ask again with a newer map"), true
	}
	if wrong := cmp.Or(wrongScheduleNames(c), wrongSchedule(&c.Schedule)); wrong != "" {
		return refuse(command.BadRequest, wrong), true
	}
	return command.Result{}, false
}

func wrongScheduleNames(c *command.PutSchedule) string {
	switch {
	case c.Tenant == "" || c.ID == "" || c.Schedule.Workflow == "":
		return "the schedule lacks a tenant, id or workflow"
	case len(c.ID) > MaxNameBytes:
		return tooLong("schedule", c.ID)
	case len(c.Note) > MaxNameBytes:
		return fmt.Sprintf("the note has %d bytes, %d are allowed", len(c.Note), MaxNameBytes)
	default:
		return longName(&command.Event{Channel: command.RunChannelPrefix + c.Schedule.Workflow, Tenant: c.Tenant, ClientID: c.Schedule.ClientID})
	}
}

// wrongSchedule says what is wrong with a schedule but for its calendar, empty when nothing
// is.
func wrongSchedule(s *command.Schedule) string {
	switch {
	case s.Overlap > command.OverlapAllow:
		return fmt.Sprintf("the overlap policy %d is not known", s.Overlap)
	case s.Key != "" && s.Overlap != command.OverlapAllow:
		return "runs with a key of their own may be in another partition, where the schedule cannot see whether they go on: " +
			"leave out key, or set overlap to allow"
	case s.JitterMS > MaxJitterMS:
		return "the jitter is longer than a day"
	case s.CatchUpMS != 0 && (s.CatchUpMS < MinCatchUpMS || s.CatchUpMS > MaxCatchUpMS):
		return "the catch-up window is from ten seconds to a year"
	case s.StartMS < 0 || s.EndMS < 0 || s.StartMS > maxTime || s.EndMS > maxTime:
		return "a time is before 1970, or beyond all others"
	case s.EndMS != 0 && s.EndMS <= s.StartMS:
		return "the schedule ends before it starts"
	default:
		return ""
	}
}

func (m *Machine) schedulesOf(tenant uint32) (count int) {
	prefix := keySchedule(nil, scheduleIs, tenant, "")
	must(m.tx.Scan(prefix, after(prefix), func([]byte, []byte) (bool, error) {
		count++
		return count < MaxSchedules, nil
	}))
	return count
}

// deleteSchedule takes a schedule away; its runs go on.
func (m *Machine) deleteSchedule(c *command.DeleteSchedule) command.Result {
	s, refusal := m.scheduleFor(c.Route, c.Tenant, c.ID)
	if s == nil {
		return refusal
	}
	m.stopSchedule(s)
	m.remove(keySchedule(m.scratch.key[:0], scheduleSays, s.tenant, s.id))
	m.remove(keySchedule(m.scratch.key[:0], scheduleIs, s.tenant, s.id))
	return command.Result{}
}

// scheduleFor is the schedule that a command is about, or the refusal where it is not here.
func (m *Machine) scheduleFor(route command.Route, tenant, id string) (*schedule, command.Result) {
	if !m.owns(route.Slot) {
		return nil, refuse(command.NoLeader, "the slot is not in this partition; ask again with a newer map")
	}
	if of := m.names.find(nameTenant, tenant); of != 0 && id != "" && len(id) <= MaxNameBytes {
		if s := m.scheduleAt(of, id); s != nil {
			return s, command.Result{}
		}
	}
	return nil, refuse(command.NotFound, unknownSchedule)
}

// controlSchedule does what somebody asks of a schedule.
func (m *Machine) controlSchedule(c *command.ControlSchedule) command.Result {
	s, refusal := m.scheduleFor(c.Route, c.Tenant, c.ID)
	if s == nil {
		return refusal
	}
	switch c.Action {
	case command.SchedulePause:
		if len(c.Note) > MaxNameBytes {
			return refuse(command.BadRequest, "the note is too long")
		}
		s.pause(c.Note)
	case command.ScheduleResume:
		if refusal, refused := m.resumeSchedule(s); refused {
			return refusal
		}
	case command.ScheduleTrigger:
		return m.triggerSchedule(s, c)
	default:
		return refuse(command.BadRequest, fmt.Sprintf("action %d is not known", c.Action))
	}
	s.changedMS = m.counters.timeMS
	m.saveSchedule(s)
	return command.Result{}
}

// pause stops a schedule. What goes by until it goes on is not missed: nobody wanted it.
func (s *schedule) pause(note string) {
	s.paused, s.note, s.nextMS = true, note, 0
	s.drop()
}

// drop gives up the time that waits for the end of a run.
func (s *schedule) drop() {
	if s.waitsMS != 0 {
		s.skipped++
		s.waitsMS, s.waitsAsked = 0, false
	}
}

func (m *Machine) resumeSchedule(s *schedule) (command.Result, bool) {
	if !s.paused {
		return command.Result{}, false
	}
	clock, err := m.clockOf(&s.Schedule)
	if err != nil {
		return refuse(command.BadRequest, err.Error()), true
	}
	s.paused, s.note = false, ""
	s.advance(clock, m.counters.timeMS)
	return command.Result{}, false
}

// triggerSchedule begins a run now, beside the schedule's times, also where it is paused or
// has ended. The result's event is the run, where it has begun here.
func (m *Machine) triggerSchedule(s *schedule, c *command.ControlSchedule) command.Result {
	if c.Overlap > command.OverlapAllow || s.Key != "" && c.Overlap != 0 && c.Overlap != command.OverlapAllow {
		return refuse(command.BadRequest, "the schedule's runs cannot overlap so")
	}
	mark := dedupeMark{keyless: c.Once == ""}
	if c.Once != "" {
		mark.of = digestOf("schedule", s.id, c.Once)
		var before dedupeRow
		if m.lookUp(s.tenant, &mark, &before) {
			return command.Result{Event: before.event, Duplicate: true}
		}
	}
	overlap := cmp.Or(c.Overlap, s.Overlap)
	if overlap == command.OverlapSkip || overlap == command.OverlapBuffer && s.waitsMS != 0 {
		if run, goesOn := m.goesOn(s); goesOn {
			return refuse(command.Sequence, "run "+run.String()+" of the schedule goes on, and overlap is "+overlap.String())
		}
	}
	id, failure := m.fireAt(s, firing{nominalMS: m.counters.timeMS, asked: true}, overlap)
	if failure.Reason != command.Done {
		return failure
	}
	m.saveSchedule(s)
	m.remember(&mark, &event{id: id, storedMS: m.counters.timeMS, Event: command.Event{Tenant: c.Tenant}})
	return command.Result{Event: id}
}
