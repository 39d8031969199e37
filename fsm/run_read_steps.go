package fsm

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// MaxRunSteps is how many jobs of its steps a look at a run shows: the last ones.
const MaxRunSteps = 1000

// RunStep is a job of a run's step, or a run that a step called.
type RunStep struct {
	Step string `json:"step"`
	// Iteration counts how often the run came to the step before; Item is the number of a
	// map's item, from 1.
	Iteration uint32 `json:"iteration,omitempty"`
	Item      uint32 `json:"item,omitempty"`
	EventID   string `json:"event_id"`
	Channel   string `json:"channel,omitempty"`
	// RunID is that of a run that was called: it is the event's. One of another partition
	// stands here, without its times, while it goes on.
	RunID string `json:"run_id,omitempty"`
	// State is that of the job, as in GroupState; or the called run's.
	State    string `json:"state"`
	Attempts uint32 `json:"attempts,omitempty"`
	Worker   string `json:"worker,omitempty"`
	// Time is when it was stored, StartedAt when it was leased first, EndedAt when it came
	// to its end.
	Time      int64 `json:"time"`
	StartedAt int64 `json:"started_at,omitempty"`
	EndedAt   int64 `json:"ended_at,omitempty"`
	// Error is the last failure of an attempt, as long as it has not succeeded.
	Error *RunError       `json:"error,omitempty"`
	Usage json.RawMessage `json:"usage,omitempty"`
}

// RunCompensation is something that is undone if the run fails.
type RunCompensation struct {
	Step      string `json:"step"`
	Iteration uint32 `json:"iteration,omitempty"`
	Item      uint32 `json:"item,omitempty"`
	// State is registered, or that of its job once it is carried out.
	State   string `json:"state"`
	EventID string `json:"event_id,omitempty"`
	// Unknown means that it is not known whether the step has done anything.
	Unknown bool `json:"unknown,omitempty"`
}

// history adds what a run's steps did, and what undoes it.
func (r *runReader) history(info *RunInfo, id command.EventID, row *runRow) error {
	jobs, err := r.jobsOf(info, id, row)
	if err != nil {
		return err
	}
	v, err := r.version(row)
	if err != nil {
		return err
	}
	for _, e := range jobs {
		step, err := r.stepOf(e, v)
		if err != nil {
			return err
		}
		info.Steps = append(info.Steps, *step)
	}
	info.Steps = append(info.Steps, childrenElsewhere(row, v, r.counters.partition)...)
	return r.compensations(info, id, v)
}

// childrenElsewhere are the runs that it has called and that go on in other partitions:
// no more is known of them here, and nothing of those that have ended.
func childrenElsewhere(row *runRow, v *runVersion, partition uint32) (steps []RunStep) {
	for i := range row.jobs {
		j := &row.jobs[i]
		if j.child && !j.event.IsZero() && uint32(j.event.Partition) != partition {
			steps = append(steps, RunStep{
				Step: v.step(j.step), Iteration: j.iteration, Item: j.item, EventID: j.event.String(), RunID: j.event.String(),
				State: engine.Running.String(),
			})
		}
	}
	return steps
}

// jobsOf are the events of a run's steps, in the order in which they were stored. They
// are found along its lineage: what lives of it is looked at first.
func (r *runReader) jobsOf(info *RunInfo, id command.EventID, row *runRow) (jobs []*event, err error) {
	r.correl, r.seen = row.correlation, make(map[uint64]bool)
	var open []command.EventID
	for i := range row.jobs {
		open = append(open, row.jobs[i].event)
	}
	roots, err := r.roots()
	if err != nil {
		return nil, err
	}
	open = append(append(open, roots...), id)
	for len(open) > 0 && len(r.seen) < MaxLineageEvents {
		e, emitted, err := r.follow(open[0])
		if err != nil {
			return nil, err
		}
		open = append(open[1:], emitted...)
		if e != nil && e.Task.Run == id && !e.Task.Compensates {
			e.strip()
			jobs = append(jobs, e)
		}
	}
	slices.SortFunc(jobs, func(a, b *event) int { return cmp.Compare(a.id.Position, b.id.Position) })
	info.StepsTruncated = len(open) > 0 || r.out.Truncated || len(jobs) > MaxRunSteps
	return jobs[max(0, len(jobs)-MaxRunSteps):], nil
}

// follow is an event of the lineage with what its attempts emitted; nil for one that was
// met before, or is none of it.
func (r *runReader) follow(id command.EventID) (e *event, emitted []command.EventID, err error) {
	if r.seen[id.Position] {
		return nil, nil, nil
	}
	e, err = r.eventAt(id)
	if err != nil || e == nil || e.correlationID() != r.correl {
		return nil, nil, err
	}
	r.seen[id.Position] = true
	err = r.eachAttempt(e, func(a *attemptRow) { emitted = append(emitted, a.emitted...) })
	return e, emitted, err
}

func (r *runReader) eachAttempt(e *event, do func(*attemptRow)) error {
	prefix := keyPlace(nil, kindAttempt, e.id.Queue, e.id.Position)
	return r.view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		row := readAttempt(append([]byte(nil), value...))
		do(&row)
		return true, nil
	})
}

func (r *runReader) stepOf(e *event, v *runVersion) (*RunStep, error) {
	t := &e.Task
	step := &RunStep{
		Step: v.step(t.Step), Iteration: t.Iteration, Item: t.Item, EventID: e.id.String(), Channel: e.Channel, Time: e.storedMS,
	}
	if strings.HasPrefix(e.Channel, command.RunChannelPrefix) {
		return step, r.called(step, e)
	}
	r.last = nil
	err := r.eachAttempt(e, func(a *attemptRow) {
		r.noteLast(a)
		if a.group == r.group {
			step.take(a)
		}
	})
	if err != nil {
		return nil, err
	}
	state, j, err := r.stateIn(e, r.group)
	if err != nil {
		return nil, err
	}
	step.stands(state, j)
	return step, nil
}

// take takes note of an attempt that has ended.
func (s *RunStep) take(a *attemptRow) {
	if a.how == endRedriven || a.how == endDiscarded {
		return
	}
	s.Attempts, s.Worker, s.EndedAt = max(s.Attempts, a.attempt), a.worker, a.endedMS
	if s.StartedAt == 0 {
		s.StartedAt = a.grantedMS
	}
	s.Usage, s.Error = valid(a.usage), nil
	if a.how != endCompleted {
		s.Error = &RunError{Code: cmp.Or(a.code, a.how.word()), Message: a.message}
	}
}

// stands takes note of where the job is.
func (s *RunStep) stands(state string, j *jobRow) {
	s.State = state
	if j == nil {
		return
	}
	s.Attempts = max(s.Attempts, j.attempt)
	switch j.state { //nolint:exhaustive // The others wait.
	case jobLeased, jobParked:
		s.Worker, s.EndedAt = j.holder.Worker, 0
		if s.StartedAt == 0 {
			s.StartedAt = j.grantedMS
		}
	case jobDead, jobCanceled:
		s.EndedAt = j.dueMS
		if s.Error == nil && j.state == jobDead {
			_, code := deadReason(j.reason)
			s.Error = &RunError{Code: code}
		}
	default:
		s.EndedAt = 0
	}
}

// called takes note of a run that a step called.
func (r *runReader) called(step *RunStep, e *event) error {
	step.Channel, step.RunID, step.State = "", step.EventID, "failed"
	row, err := r.row(e.id)
	if err != nil || row == nil {
		return err
	}
	if step.State, err = r.stateOf(e.id, row); err != nil {
		return err
	}
	step.StartedAt, step.EndedAt = row.StartedMS, row.EndedMS
	if row.Error != nil {
		step.Error = &RunError{Code: row.Error.Code, Message: row.Error.Message}
	}
	return nil
}

// compensations adds what is registered.
func (r *runReader) compensations(info *RunInfo, id command.EventID, v *runVersion) error {
	var entries []entryRow
	prefix := keyRunPart(nil, id.Position, runEntry)
	err := r.view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		entries = append(entries, readEntry(value))
		return len(entries) < MaxRunSteps, nil
	})
	if err != nil {
		return err
	}
	for i := range entries {
		entry := &entries[i]
		c := RunCompensation{
			Step: v.step(entry.Step), Iteration: entry.Iteration, Item: entry.Item, State: "registered",
			EventID: entry.job.String(), Unknown: entry.Unknown,
		}
		e, err := r.eventAt(entry.job)
		if err != nil {
			return err
		}
		if e != nil {
			job, err := r.stepOf(e, v)
			if err != nil {
				return err
			}
			c.State = job.State
		}
		info.Compensations = append(info.Compensations, c)
	}
	return nil
}
