package fsm

import (
	"encoding/binary"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/internal/invariants"
)

// What the rows of kindRunTimer are of. Numbers are for ever.
const (
	timerRun      = 1
	timerStep     = 2
	timerWait     = 3
	timerItems    = 4
	timerBegin    = 5
	timerPurge    = 6
	timerMemo     = 7
	timerMessage  = 8
	timerSchedule = 9
)

func timerOf(kind engine.TimerKind) byte { return byte(kind) }

// keyRunTimer is the key of a timer of a run: due(8) what(1) tenant(4) position(8) part(4).
func keyRunTimer(dst []byte, dueMS int64, what byte, r *run, part uint32) []byte {
	return appendU32(appendU64(appendU32(keyDue(dst, dueMS, what), r.tenant), r.id.Position), part)
}

// keyDue begins the keys of timers of runs, and of what is kept for a time.
func keyDue(dst []byte, dueMS int64, what byte) []byte {
	return append(appendU64(append(dst, kindRunTimer), uint64(dueMS)), what) //nolint:gosec // Due times are not negative.
}

// runTimer is a timer of a run: what it is of, and of which step.
type runTimer struct {
	what                  byte
	step, iteration, part uint32
}

// setRunTimer writes a timer of a run.
func (m *Machine) setRunTimer(r *run, dueMS int64, t runTimer) {
	value := command.AppendUint(command.AppendUint(append(m.scratch.value[:0], rowVersion), uint64(t.step)), uint64(t.iteration))
	m.set(keyRunTimer(m.scratch.key[:0], dueMS, t.what, r, t.part), value)
	m.nextDueMS = min(m.nextDueMS, dueMS)
}

func (m *Machine) clearRunTimer(r *run, dueMS int64, what byte, part uint32) {
	m.remove(keyRunTimer(m.scratch.key[:0], dueMS, what, r, part))
}

// setKeptTimer writes the timer of what is kept for a time: of is its key without its
// kind.
func (m *Machine) setKeptTimer(dueMS int64, what byte, of []byte) {
	m.set(append(keyDue(m.scratch.key[:0], dueMS, what), of...), append(m.scratch.value[:0], rowVersion))
	m.nextDueMS = min(m.nextDueMS, dueMS)
}

func (m *Machine) clearKeptTimer(dueMS int64, what byte, of []byte) {
	m.remove(append(keyDue(m.scratch.key[:0], dueMS, what), of...))
}

type dueRunTimer struct {
	key, value []byte
}

// fireRunTimers fires the timers of runs that the entry's time has reached.
func (m *Machine) fireRunTimers() {
	var due []dueRunTimer
	prefix := []byte{kindRunTimer}
	must(m.tx.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		at := timerDue(key)
		if at > m.counters.timeMS || len(due) == maxTimersPerEntry {
			m.nextDueMS = min(m.nextDueMS, at)
			return false, nil
		}
		due = append(due, dueRunTimer{append([]byte(nil), key...), append([]byte(nil), value...)})
		return true, nil
	}))
	for i := range due {
		m.remove(append(m.scratch.key[:0], due[i].key...))
		m.fireRunTimer(&due[i])
	}
	m.settleRuns()
}

func (m *Machine) fireRunTimer(t *dueRunTimer) {
	invariants.Check(len(t.key) > 10, "a timer's key has %d bytes", len(t.key))
	what, of := t.key[9], t.key[10:]
	switch what {
	case timerMemo:
		m.forgetMemo(of)
		return
	case timerMessage:
		m.forgetMessage(of)
		return
	case timerSchedule:
		m.fireSchedule(timerDue(t.key), of)
		return
	}
	tenant, position, part := binary.BigEndian.Uint32(of), binary.BigEndian.Uint64(of[4:]), binary.BigEndian.Uint32(of[12:])
	if what == timerPurge {
		m.purgeRun(tenant, position)
		return
	}
	row := openRow(t.value)
	step, iteration := row.Uint32(), row.Uint32()
	closeRow(&row)
	r := m.runAt(tenant, position)
	if r == nil {
		return
	}
	h := &happening{run: r.id, Happening: engine.Happening{Step: step, Iteration: iteration, Part: part}}
	switch what {
	case timerRun:
		h.Kind = engine.RunDue
	case timerStep:
		h.Kind = engine.StepDue
	case timerWait:
		h.Kind = engine.WaitDue
	case timerItems:
		h.Kind = engine.ItemsDue
	default:
		h.Kind, h.cause = engine.Began, m.startOf(r)
		if h.cause != nil {
			h.Output = h.cause.Payload
		}
	}
	m.happens(h)
}

// runAt is the run of a tenant at a position.
func (m *Machine) runAt(tenant uint32, position uint64) *run {
	if r := m.runs[position]; r != nil {
		return m.runOf(r.id)
	}
	value, found := m.get(keyRun(m.scratch.key[:0], tenant, position))
	if !found {
		return nil
	}
	var row runRow
	row.read(value)
	return m.runOf(m.eventID(row.queue, position))
}

func (m *Machine) forgetMemo(of []byte) {
	key := append([]byte{kindMemo}, of...)
	value, found := m.get(key)
	if !found {
		return
	}
	r := openRow(value)
	if expiresMS := r.Int(); expiresMS <= m.counters.timeMS {
		m.remove(key)
	}
}
