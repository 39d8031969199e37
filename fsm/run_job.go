package fsm

import (
	"cmp"
	"math"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
)

// What the life of a job means for the run that it is of.

// codeOf is the error's code, and message, that a run is told of a dead job.
func (j *job) codeOf() (code, message string) {
	reason, code := deadReason(j.reason)
	if j.failure != nil {
		return cmp.Or(j.failure.code, code, reason), j.failure.message
	}
	return cmp.Or(code, reason), ""
}

// jobCompleted tells a run of a job that has succeeded. What comes of that stands in the
// attempt's history.
func (m *Machine) jobCompleted(j *job, c *command.Complete, spawned uint32, row *attemptRow) {
	t := m.runTask(j.cursor, j.event)
	if t == nil {
		return
	}
	h := &happening{run: t.Run, cause: j.event, history: row, job: j.event.id, Happening: engine.Happening{
		Kind: engine.Done, Step: t.Step, Iteration: t.Iteration, Item: t.Item, Entry: t.Entry,
		Output: c.Result, Usage: c.Usage, Spawned: spawned,
	}}
	if t.Compensates {
		h.Kind = engine.Undone
	}
	m.settleRun(h)
}

// jobBuried tells a run of a job that has come to another end.
func (m *Machine) jobBuried(c *cursor, e *event, state jobState, code, message string) {
	t := m.runTask(c, e)
	if t == nil {
		return
	}
	h := &happening{run: t.Run, cause: e, job: e.id, Happening: engine.Happening{
		Kind: engine.Died, Step: t.Step, Iteration: t.Iteration, Item: t.Item, Entry: t.Entry, Code: code, Message: message,
	}}
	switch {
	case t.Compensates:
		h.Kind = engine.UndoDied
	case state == jobCanceled:
		h.Kind = engine.Stopped
	}
	if h.Kind == engine.Died {
		m.keepDead(t, e.id)
	}
	m.happens(h)
}

// jobGranted registers a compensation that is due before it is known what came of the
// step.
func (m *Machine) jobGranted(j *job) {
	t := m.runTask(j.cursor, j.event)
	if t == nil || t.Compensates {
		return
	}
	program := m.stepOf(t)
	if program == nil {
		return
	}
	if c := program.Steps[t.Step].Compensation; c != nil && c.OnStarted && j.attempt == 1 {
		m.happens(&happening{run: t.Run, Happening: engine.Happening{
			Kind: engine.Granted, Step: t.Step, Iteration: t.Iteration, Item: t.Item, Input: m.dataOf(j),
		}})
	}
	if limit := program.Steps[t.Step].Policy.StartToClose; limit > 0 {
		m.setTimer(m.counters.timeMS+limit, j.key, j.fence)
	}
}

// stopClock takes away the timer of how long an attempt may take: it has ended, or stands
// parked, where nobody works on it.
func (m *Machine) stopClock(j *job) {
	t := m.runTask(j.cursor, j.event)
	if t == nil || t.Compensates || j.state == jobParked {
		return
	}
	program := m.stepOf(t)
	if program == nil {
		return
	}
	if limit := program.Steps[t.Step].Policy.StartToClose; limit > 0 {
		m.remove(keyTimer(m.scratch.key[:0], j.grantedMS+limit, j.key))
	}
}

// dataOf is the data of a job's event.
func (m *Machine) dataOf(j *job) command.Payload {
	if j.event.whole {
		return j.event.Payload
	}
	if stored := m.readStored(j.key.queue, j.key.position); stored != nil {
		stored.own()
		return stored.Payload
	}
	return command.Payload{}
}

// reviveRefused is why a dead job of a run cannot be put back in line, empty where it can.
func (m *Machine) reviveRefused(e *event) string {
	if e.Task.Run.IsZero() {
		return ""
	}
	r := m.runOf(e.Task.Run)
	if r == nil {
		return (*runRow)(nil).reviveRefused(&e.Task)
	}
	return r.reviveRefused(&e.Task)
}

// reviveRefused is why a dead job of a run cannot be put back in line, empty where it can;
// nil is a run that is not known.
func (r *runRow) reviveRefused(t *command.Task) string {
	switch {
	case r == nil:
		return "its run is not known any more"
	case r.State.Ended():
		return "its run has ended: redrive the run " + t.Run.String()
	case t.Compensates:
		return "it compensates: resolve the incident of run " + t.Run.String()
	case r.State != engine.Stuck || r.Incident.Kind != engine.StepFailed || r.Step != t.Step:
		return "its run " + t.Run.String() + " does not wait for it any more"
	default:
		return ""
	}
}

// jobRevived tells a run that a dead job of it was put back in line.
func (m *Machine) jobRevived(c *cursor, e *event) {
	t := m.runTask(c, e)
	if t == nil {
		return
	}
	m.happens(&happening{run: t.Run, Happening: engine.Happening{
		Kind: engine.Revived, Step: t.Step, Iteration: t.Iteration, Item: t.Item,
	}})
	if r := m.runOf(t.Run); r != nil {
		m.keepJob(r, runJob{event: e.id, step: t.Step, iteration: t.Iteration, item: t.Item})
		m.touchRun(r)
	}
}

// redriveJob puts a dead job of a run back in line.
func (m *Machine) redriveJob(r *run, d *engine.Decision) {
	j := m.deadJob(r, d)
	if j == nil {
		return
	}
	id, e, c := j.event.id, j.event, j.cursor
	edited := d.Data.Codec != command.CodecNone
	m.keepEnd(j, &attemptRow{how: endRedriven, code: editedCode(edited)})
	if edited {
		m.revise(j, &command.Redrive{Event: id, Edited: true, Payload: d.Data, ContentType: e.ContentType})
	}
	j.failures, j.losses, j.reason = 0, 0, ""
	m.remove(keyJob(m.scratch.key[:0], kindParked, j.key))
	m.requeue(j)
	if m.counts(c, id.Position) {
		m.opened(c.queue, e, 1).publishedBy(e.ClientID)
	}
	m.keepJob(r, runJob{event: id, step: d.Step, iteration: d.Iteration, item: d.Item, entry: d.Entry})
}

// deadJob is a job that has died and can be put back in line: a step's by its step,
// iteration and item, a compensation's by its entry; nil where there is none, as after a
// cancel.
func (m *Machine) deadJob(r *run, d *engine.Decision) *job {
	id := m.lastDead(r, d)
	if id.IsZero() {
		return nil
	}
	e := m.loadEvent(id.Queue, id.Position)
	c := m.cursorOf(id.Queue, m.names.find(nameGroup, DefaultGroup))
	if e == nil || c == nil {
		return nil
	}
	t := &e.Task
	if d.Entry == 0 && (t.Step != d.Step || t.Iteration != d.Iteration || t.Item != d.Item) {
		return nil
	}
	j := m.readParked(jobKey{c.turns.group, id.Queue, id.Position})
	if j == nil || j.state != jobDead {
		return nil
	}
	return j
}

// lastDead is the event of the last job of an item, or of a compensation: it stands beside
// the run.
func (m *Machine) lastDead(r *run, d *engine.Decision) command.EventID {
	if d.Entry != 0 {
		if value, found := m.get(appendU32(keyRunPart(m.scratch.key[:0], r.id.Position, runEntry), d.Entry)); found {
			row := readEntry(value)
			return row.job
		}
		return command.EventID{}
	}
	value, found := m.get(keyDead(m.scratch.key[:0], r.id.Position, d.Item))
	if !found {
		return command.EventID{}
	}
	row := openRow(value)
	id := row.EventID()
	closeRow(&row)
	return id
}

// keepDead takes note of a job that has died: an operator may want it tried again. One of
// a step that the run has left does not hide one of its present step.
func (m *Machine) keepDead(t *command.Task, id command.EventID) {
	r := m.runOf(t.Run)
	if r == nil || !r.At(t.Step, t.Iteration) {
		return
	}
	m.keep(r, runDead, keyDead(m.scratch.key[:0], t.Run.Position, t.Item), command.AppendEventID(append(m.scratch.value[:0], rowVersion), id))
}

// policyOf is how a job is tried: as its step says, and for what that leaves open as its
// channel does.
func (m *Machine) policyOf(j *job) jobPolicy {
	s := m.settingsOf(j)
	p := jobPolicy{
		leaseMS: s.LeaseMS, maxFailures: maxFailures(s), maxLosses: s.MaxLeaseLosses,
		firstMS: firstBackoff(s), maxMS: cmp.Or(delayMS(s.MaxBackoffMS), DefaultMaxBackoff.Milliseconds()), factor: 200,
	}
	t := m.runTask(j.cursor, j.event)
	if t == nil {
		return p
	}
	program := m.stepOf(t)
	if program == nil {
		return p
	}
	step := &program.Steps[t.Step]
	p.take(&step.Policy)
	if t.Compensates && step.Compensation != nil {
		p.take(&step.Compensation.Policy)
		if step.Compensation.Policy.MaxAttempts == 0 {
			p.maxFailures, p.untilMS = math.MaxUint32, j.event.storedMS+undoForMS
		}
		p.retryOn, p.giveUpOn = step.Compensation.Policy.RetryOn, step.Compensation.Policy.GiveUpOn
	}
	return p
}

// undoForMS is for how long a compensation is tried that does not say how often: 72 hours.
const undoForMS = 72 * 3600 * 1000

// jobPolicy is how a job is tried.
type jobPolicy struct {
	leaseMS                uint32
	maxFailures, maxLosses uint32
	firstMS, maxMS         int64
	// factor is what a delay is multiplied by, in hundredths.
	factor int64
	// fullJitter spreads all of a delay, not its upper half alone.
	fullJitter        bool
	retryOn, giveUpOn []string
	// untilMS is when it is given up however often it was tried, 0 for never.
	untilMS int64
}

func (p *jobPolicy) take(s *workflow.Policy) {
	if s.LeaseMS > 0 {
		p.leaseMS = uint32(min(s.LeaseMS, MaxLeaseMS))
	}
	if s.MaxAttempts > 0 {
		p.maxFailures = uint32(min(s.MaxAttempts, MaxAttemptsLimit))
	}
	if s.LeaseLosses > 0 {
		p.maxLosses = uint32(min(s.LeaseLosses, MaxAttemptsLimit))
	}
	if s.BackoffMS > 0 {
		p.firstMS = min(s.BackoffMS, maxDelayMS)
	}
	if s.MaxBackoffMS > 0 {
		p.maxMS = min(s.MaxBackoffMS, maxDelayMS)
	}
	if s.Factor > 0 {
		p.factor = int64(s.Factor)
	}
	p.fullJitter = s.FullJitter
	p.retryOn, p.giveUpOn = s.RetryOn, s.GiveUpOn
}

// final tells whether a code is not worth another attempt.
func (p *jobPolicy) final(code string, nowMS int64) bool {
	return len(p.retryOn) > 0 && !slices.Contains(p.retryOn, code) || slices.Contains(p.giveUpOn, code) ||
		p.untilMS > 0 && nowMS >= p.untilMS
}

// waitToStart has a job fail that nobody takes in time.
func (m *Machine) waitToStart(e *event, limitMS int64) {
	if limitMS > 0 {
		key := jobKey{m.names.find(nameGroup, DefaultGroup), e.id.Queue, e.id.Position}
		m.setTimer(m.counters.timeMS+limitMS, key, fenceStart)
	}
}

// fenceStart stands in a timer's place for a fence, for a job that was never granted.
const fenceStart = math.MaxUint64

// The codes of a step's timeouts.
const (
	codeScheduleToStart = "schedule_to_start_timeout"
	codeStartToClose    = "start_to_close_timeout"
)

// notStarted ends a job that nobody took in time.
func (m *Machine) notStarted(key jobKey) {
	c := m.cursorOf(key.queue, key.group)
	e := m.loadEvent(key.queue, key.position)
	if c == nil || e == nil {
		return
	}
	j := m.active[key]
	switch {
	case key.position >= c.frontier:
		if _, done := m.voids[key]; done {
			return
		}
		j = &job{key: key, cursor: c, event: e}
		m.voids[key] = struct{}{}
		m.set(keyJob(m.scratch.key[:0], kindVoid, key), append(m.scratch.value[:0], rowVersion))
	case j == nil:
		if j = m.readParked(key); j == nil || j.attempt != 0 || !m.outOfLine(j) {
			return
		}
	case j.state != jobReady && j.state != jobCalled || j.attempt != 0:
		return
	default:
		m.unready(c, key.position)
	}
	j.failure = &jobFailure{codeScheduleToStart, "no worker took it in time"}
	m.bury(j, jobDead, diedFinal+codeScheduleToStart)
}

// outOfLine takes a job that was set aside out of where it waits; false for one that does
// not.
func (m *Machine) outOfLine(j *job) bool {
	switch j.state { //nolint:exhaustive // The others are not in line.
	case jobBlocked:
		m.unblock(j.cursor, j.event)
	case jobLimited:
		m.leaveLine(j)
	case jobDelayed, jobHeld:
	default:
		return false
	}
	return true
}

// tookTooLong ends an attempt that has taken longer than its step allows: as a failure
// that may be tried again.
func (m *Machine) tookTooLong(j *job) {
	m.out.timedOut(m, j)
	m.end(j, &attemptRow{how: endFailed, code: codeStartToClose, message: "the attempt took longer than start_to_close"})
	m.failed(j, &command.Fail{Code: codeStartToClose, Message: "the attempt took longer than start_to_close"})
}

// timedOut tells the worker of a job that was taken from it.
func (o *Outcome) timedOut(m *Machine, j *job) {
	if o.effects {
		o.Canceling = append(o.Canceling, Canceling{Lease: j.leaseID(m), Holder: j.holder, Reason: codeStartToClose})
	}
}

// jobFailure is why a job failed last.
type jobFailure struct{ code, message string }
