package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// cancel stops an event in every group. Waiting work is never granted; a
// leased job's worker is told, and fenced when the grace is over.
func (m *Machine) cancel(c *command.Cancel) command.Result {
	e := m.loadEvent(c.Event.Queue, c.Event.Position)
	if e == nil || e.id != c.Event || e.Tenant != c.Tenant ||
		(c.ClientID != "" && e.ClientID != c.ClientID) {
		return refuse(command.NotFound, "no such event")
	}
	for _, cursor := range m.queues[c.Event.Queue].cursors {
		m.cancelIn(cursor, e, c)
	}
	return command.Result{Event: e.id}
}

// cancelIn stops an event in one group. One whose time to live is over has ended
// already, even if its turn to be set aside has not come: it is set aside now.
func (m *Machine) cancelIn(cursor *cursor, e *event, c *command.Cancel) {
	if e.Task.Compensates || m.cancelRun(cursor, e, c) {
		return
	}
	key := jobKey{cursor.turns.group, e.id.Queue, e.id.Position}
	j, state, reason := m.active[key], jobCanceled, c.Reason
	if e.lapsed(m.counters.timeMS) && (j == nil || j.state != jobLeased) && !m.isParked(key) {
		if !m.counts(cursor, e.id.Position) {
			return // Whether it was canceled before is seen when its turn comes.
		}
		state, reason = jobLapsed, ""
	}
	switch {
	case e.id.Position >= cursor.frontier:
		m.void(cursor, e, state, reason)
	case j == nil:
		m.stopParked(cursor, e, state, reason)
	case j.state == jobReady || j.state == jobCalled:
		m.unready(j.cursor, j.key.position)
		m.bury(j, state, reason)
	default:
		m.stopLeased(j, c)
	}
}

// void ends an event that no grant has reached: the frontier will skip it.
func (m *Machine) void(cursor *cursor, e *event, state jobState, reason string) {
	key := jobKey{cursor.turns.group, e.id.Queue, e.id.Position}
	if _, done := m.voids[key]; done {
		return
	}
	m.voids[key] = struct{}{}
	m.set(keyJob(m.scratch.key[:0], kindVoid, key), append(m.scratch.value[:0], rowVersion))
	m.endWaiting(cursor, e, state, reason)
}

// stopLeased asks a worker to stop, and fences it when the grace is over.
func (m *Machine) stopLeased(j *job, c *command.Cancel) {
	if j.canceling {
		return
	}
	j.canceling, j.reason = true, c.Reason
	j.dueMS = m.counters.timeMS + delayMS(c.GraceMS)
	m.saveActive(j)
	m.setTimer(j.dueMS, j.key, j.fence)
	if m.out.effects {
		m.out.Canceling = append(m.out.Canceling, Canceling{
			Lease: j.leaseID(m), Holder: j.holder, Reason: c.Reason, GraceMS: c.GraceMS,
		})
	}
}

// stopParked ends a job that was set aside.
func (m *Machine) stopParked(c *cursor, e *event, state jobState, reason string) {
	key := jobKey{c.turns.group, e.id.Queue, e.id.Position}
	value, found := m.get(keyJob(m.scratch.key[:0], kindParked, key))
	if !found {
		return
	}
	j := &job{key: key, cursor: c, event: e}
	j.read(value)
	switch j.state { //nolint:exhaustive // The others are active or have ended.
	case jobDelayed:
		m.remove(keyTimer(m.scratch.key[:0], j.dueMS, key))
	case jobBlocked:
		m.unblock(c, e)
	case jobHeld:
	case jobLimited:
		m.quitLine(j)
	case jobParked:
		m.end(j, &attemptRow{how: endFenced, message: reason})
	default:
		return
	}
	m.bury(j, state, reason)
}

// cancelRun cancels the run that an event began, if it did and the run goes on: the event
// ends with it. What a run does to undo its work is not canceled.
func (m *Machine) cancelRun(c *cursor, e *event, cancel *command.Cancel) bool {
	if c.turns.group != m.names.find(nameGroup, DefaultGroup) {
		return false
	}
	value, found := m.get(keyJob(m.scratch.key[:0], kindParked, jobKey{c.turns.group, e.id.Queue, e.id.Position}))
	if !found || stateOf(value) != jobRuns {
		return false
	}
	m.happens(&happening{run: e.id, Happening: engine.Happening{Kind: engine.Cancel, Message: cancel.Reason}})
	return true
}
