package fsm

import (
	"github.com/batonmq/baton/fsm/command"
)

// maxTimersPerEntry bounds how many timers one entry fires: what is left fires
// in the next, which the leader proposes at once.
const maxTimersPerEntry = 512

// setTimer writes a timer; fence 0 makes a delayed job ready, another fences a
// canceled lease or ends that of a parked job.
func (m *Machine) setTimer(dueMS int64, key jobKey, fence uint64) {
	m.set(keyTimer(m.scratch.key[:0], dueMS, key), command.AppendUint(append(m.scratch.value[:0], rowVersion), fence))
	m.nextDueMS = min(m.nextDueMS, dueMS)
}

// timerDue reads the time in a timer's key.
func timerDue(key []byte) int64 {
	return int64(u64At(key, 1)) //nolint:gosec // keyTimer wrote the bits of an int64.
}

type dueTimer struct {
	dueMS int64
	key   jobKey
	fence uint64
}

// fireTimers fires what the entry's time has reached. nextDueMS never lies
// behind the first timer's row; it may be early where a timer was removed, and a
// look at the rows then sets it right.
func (m *Machine) fireTimers() {
	if m.counters.timeMS < m.nextDueMS {
		return
	}
	var due []dueTimer
	prefix := []byte{kindTimer}
	m.nextDueMS = maxTime
	must(m.tx.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		at := timerDue(key)
		if at > m.counters.timeMS || len(due) == maxTimersPerEntry {
			m.nextDueMS = at
			return false, nil
		}
		r := openRow(value)
		due = append(due, dueTimer{dueMS: at, key: readJobKey(key), fence: r.Uint()})
		closeRow(&r)
		return true, nil
	}))
	for _, t := range due {
		m.remove(keyTimer(m.scratch.key[:0], t.dueMS, t.key))
		switch t.fence {
		case 0:
			m.wake(t.key)
		case fenceStart:
			m.notStarted(t.key)
		default:
			m.fenceCanceled(t.key, t.fence)
		}
	}
	m.fireRunTimers()
}

// wake makes a delayed job ready, and ends what a job of a limit waits for.
func (m *Machine) wake(key jobKey) {
	if j := m.active[key]; j != nil {
		m.wakeCalled(j)
		return
	}
	j := m.readParked(key)
	if j != nil && j.state == jobLimited {
		m.lapseInLine(j)
		return
	}
	if j == nil || j.state != jobDelayed {
		return
	}
	m.remove(keyJob(m.scratch.key[:0], kindParked, key))
	m.requeue(j)
}

// fenceCanceled ends the lease of a worker that did not stop in time, or of a job
// that was parked for too long.
func (m *Machine) fenceCanceled(key jobKey, fence uint64) {
	j := m.active[key]
	if j == nil {
		m.parkedTooLong(key, fence)
		return
	}
	if j.state != jobLeased || j.fence != fence {
		return
	}
	if !j.canceling || j.dueMS > m.counters.timeMS {
		m.tookTooLong(j)
		return
	}
	m.end(j, &attemptRow{how: endFenced, message: j.reason})
	m.bury(j, jobCanceled, j.reason)
}
