package fsm

import (
	"cmp"

	"github.com/batonmq/baton/fsm/command"
)

// For how long a job is parked.
const (
	// DefaultParkMS is for how long a job is parked whose worker does not say; then
	// it is lost, as with an expired lease.
	DefaultParkMS = 7 * 24 * 3600 * 1000
	// MaxParkMS is for how long at most.
	MaxParkMS = 365 * 24 * 3600 * 1000
)

// endParked is the word of a lease that its worker put into other hands.
const endParked = "parked"

// parkLease takes a job from its worker, who is free for others then. The lease
// stays in force, but no clock runs for it. In memory nothing is kept of it.
func (m *Machine) parkLease(c *command.Park) command.Result {
	if m.foreign(c.Lease.Event, c.Tenant) {
		return lostLease()
	}
	j, answer := m.inForce(c.Lease, 0)
	switch {
	case j == nil:
		return answer
	case j.state == jobParked:
		return command.Result{Duplicate: true}
	case j.canceling:
		return refuse(command.BadRequest, "the event is canceled: complete, fail or release its job instead of parking it")
	}
	if m.out.effects {
		m.out.Ended = append(m.out.Ended, Ended{Lease: j.leaseID(m), Holder: j.holder, Reason: endParked})
	}
	m.stopClock(j)
	m.leave(j, j.grantedMS, endReleased)
	m.gaveBack(j.cursor)
	now := m.counters.timeMS
	j.state, j.parkedMS = jobParked, now
	j.dueMS = now + int64(min(cmp.Or(c.TimeoutMS, DefaultParkMS), MaxParkMS))
	m.park(j)
	m.setTimer(j.dueMS, j.key, j.fence)
	return command.Result{}
}

// inForce is leased for what may end a job that is parked, too.
func (m *Machine) inForce(id command.LeaseID, how ending) (*job, command.Result) {
	j, answer := m.leased(id, how)
	if j != nil || answer.Reason == command.Done || !m.isHere(id.Event) {
		return j, answer
	}
	key := jobKey{id.Group, id.Event.Queue, id.Event.Position}
	if parked := m.readParked(key); parked != nil && parked.state == jobParked && parked.fence == id.Fence {
		return parked, command.Result{}
	}
	return nil, answer
}

// unpark takes a job out of its place: it goes where its end says.
func (m *Machine) unpark(j *job) {
	m.remove(keyJob(m.scratch.key[:0], kindParked, j.key))
	m.remove(keyTimer(m.scratch.key[:0], j.dueMS, j.key))
	j.parkedMS = 0
}

// parkedTooLong ends the lease of a job that nobody ended in time.
func (m *Machine) parkedTooLong(key jobKey, fence uint64) {
	if j := m.readParked(key); j != nil && j.state == jobParked && j.fence == fence {
		m.lose(j, "nobody ended it in the time for which it was parked")
	}
}

// isParked tells whether a job waits for its end from outside.
func (m *Machine) isParked(key jobKey) bool {
	value, found := m.get(keyJob(m.scratch.key[:0], kindParked, key))
	if !found {
		return false
	}
	var j jobRow
	j.read(value)
	return j.state == jobParked
}
