package play

import (
	"cmp"
	"math"
	"slices"

	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
)

// How jobs are tried where neither their step nor anybody else says so: as in a channel
// that has no settings.
const (
	defaultAttempts     = 5
	defaultBackoffMS    = 1000
	defaultMaxBackoffMS = 120_000
	defaultFactor       = 200
	// undoForMS is for how long a compensation is tried that does not say how often.
	undoForMS = 72 * 3600 * 1000
)

// job is a job of a step, a child run, or a compensation.
type job struct {
	jobOf

	// entry is that of a compensation, 0 for others; child means that it is a run.
	entry  uint32
	child  bool
	policy workflow.Policy
	// granted, failures and losses count its attempts.
	granted, failures, losses int
	storedMS                  int64
}

// final tells whether a failure with a code is not worth another attempt.
func (j *job) final(code string, nowMS int64) bool {
	p := &j.policy
	return j.child || len(p.RetryOn) > 0 && !slices.Contains(p.RetryOn, code) || slices.Contains(p.GiveUpOn, code) ||
		j.tillMS() > 0 && nowMS >= j.tillMS() || j.failures >= j.attempts()
}

// tillMS is when a compensation is given up however often it was tried, 0 for never.
func (j *job) tillMS() int64 {
	if j.entry != 0 && j.policy.MaxAttempts == 0 {
		return j.storedMS + undoForMS
	}
	return 0
}

func (j *job) attempts() int {
	if j.tillMS() > 0 {
		return math.MaxInt
	}
	return cmp.Or(j.policy.MaxAttempts, defaultAttempts)
}

// backoffMS is the delay before a failed job's next attempt, without jitter.
func (j *job) backoffMS() int64 {
	p := &j.policy
	delay, factor := cmp.Or(p.BackoffMS, defaultBackoffMS), int64(cmp.Or(p.Factor, defaultFactor))
	longest := max(delay, cmp.Or(p.MaxBackoffMS, defaultMaxBackoffMS))
	for range j.failures - 1 {
		if delay = delay * factor / 100; delay >= longest {
			return longest
		}
	}
	return min(delay, longest)
}

// happening is what a run is told of a job's end.
func (j *job) happening(kind engine.HappeningKind) *engine.Happening {
	return &engine.Happening{Kind: kind, Step: j.step, Iteration: j.iteration, Item: j.item, Entry: j.entry}
}

// The codes of what jobs fail of by themselves.
const (
	codeLost            = "leases_lost"
	codeStartToClose    = "start_to_close_timeout"
	codeScheduleToStart = "schedule_to_start_timeout"
)

// begin lets a worker take a job, as the script says.
func (p *player) begin(j *job) {
	o, found := p.outcomeOf(j)
	if !found {
		p.wrong("the script has no outcome for step %s", p.program.Steps[j.step].Name)
		return
	}
	if o.Silent {
		if limit := j.policy.ScheduleToStart; limit > 0 && j.granted == 0 {
			p.later(limit, j, func() { p.fails(j, &Outcome{Fail: codeScheduleToStart, Final: true}) })
		}
		return
	}
	j.granted++
	if j.entry == 0 {
		p.attempts[p.program.Steps[j.step].Name]++
	}
	if c := p.program.Steps[j.step].Compensation; c != nil && c.OnStarted && j.granted == 1 && j.entry == 0 && !j.child {
		granted := j.happening(engine.Granted)
		granted.Input = p.inputs[j.jobOf]
		p.happen(granted)
	}
	if limit := j.policy.StartToClose; limit > 0 && int64(o.After) > limit && !j.child {
		p.later(limit, j, func() { p.fails(j, &Outcome{Fail: codeStartToClose}) })
		return
	}
	p.later(int64(o.After), j, func() { p.attempted(j, o) })
}

// attempted ends an attempt.
func (p *player) attempted(j *job, o *Outcome) {
	switch {
	case o.Fail != "":
		p.fails(j, o)
	case o.Lost:
		j.losses++
		p.tell("lost", j, "")
		if limit := j.policy.LeaseLosses; limit != 0 && j.losses >= limit {
			p.dies(j, codeLost, "")
			return
		}
		p.begin(j)
	default:
		p.succeeds(j, o)
	}
}

func (p *player) fails(j *job, o *Outcome) {
	j.failures++
	if o.Final || j.final(o.Fail, p.nowMS) {
		p.dies(j, o.Fail, o.Text)
		return
	}
	p.tell("failed", j, o.Fail)
	p.later(j.backoffMS(), j, func() { p.begin(j) })
}

func (p *player) dies(j *job, code, message string) {
	p.forget(j)
	h := j.happening(engine.Died)
	h.Code, h.Message = code, message
	switch {
	case j.entry != 0:
		h.Kind = engine.UndoDied
		p.undead[j.entry] = j
	case !j.child:
		p.dead[j.jobOf] = j
	}
	p.happen(h)
}

func (p *player) succeeds(j *job, o *Outcome) {
	p.forget(j)
	h := j.happening(engine.Done)
	h.Output, h.Usage = payloadOf(o.Result), o.Usage
	if j.entry != 0 {
		h.Kind = engine.Undone
		p.happen(h)
		return
	}
	p.happen(p.spawn(h, o))
}

// spawn makes what a dynamic step's job emits jobs of the step; other jobs' emits are
// events.
func (p *player) spawn(h *engine.Happening, o *Outcome) *engine.Happening {
	dynamic := p.program.Steps[h.Step].Dynamic
	for _, channel := range o.Emit {
		switch {
		case dynamic == nil || !p.run.Present(h):
			p.emits = append(p.emits, Told{Channel: channel, Client: p.test.Client, Key: p.test.Key})
		case !slices.Contains(dynamic.Allow, channel):
			p.wrong("step %s does not allow channel %s", p.program.Steps[h.Step].Name, channel)
		case int(p.run.Items.Total+h.Spawned) >= dynamic.MaxEvents:
			p.wrong("step %s emits more than %d events", p.program.Steps[h.Step].Name, dynamic.MaxEvents)
		default:
			h.Spawned++
			p.start(&job{jobOf: jobOf{h.Step, h.Iteration, p.run.Items.Total + h.Spawned}, policy: p.program.Steps[h.Step].Policy})
		}
	}
	return h
}
