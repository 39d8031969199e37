package play

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
)

// maxEvents is how much may happen in one test: a script that leads nowhere ends.
const maxEvents = 100_000

// player runs one test.
type player struct {
	*kept

	program *engine.Program
	script  *Script
	test    *Test
	run     *engine.Run
	// agenda is what happens yet, by its time; live are the jobs that have not ended.
	agenda []entry
	live   []*job
	number int
	// taken counts the outcomes that were used, by step and item.
	taken    map[string]int
	inputs   map[jobOf]command.Payload
	resolved int
	canceled bool
	end      command.Payload
	steps    []string
	undone   []string
	attempts map[string]int
	told     []Told
	emits    []Told
	mistakes []string
	trace    []string
}

// entry is something that happens at a time; a timer's, or a job's, which may end before.
type entry struct {
	atMS   int64
	number int
	job    *job
	timer  timer
	do     func()
}

type timer struct {
	kind  engine.TimerKind
	dueMS int64
	part  uint32
}

// Play runs all tests of a script. An error says that the script cannot be read, or speaks
// of steps that the definition does not have.
func Play(def *workflow.Definition, script []byte) ([]*Report, error) {
	s, err := ParseScript(script, def)
	if err != nil {
		return nil, err
	}
	program := engine.NewProgram(def)
	reports := make([]*Report, len(s.Tests))
	for i := range s.Tests {
		reports[i] = Run(program, s, &s.Tests[i])
	}
	return reports, nil
}

// Run runs one test of a script.
func Run(program *engine.Program, s *Script, t *Test) *Report {
	channel := t.Channel
	if channel == "" && len(program.On) > 0 {
		channel = program.On[0]
	}
	p := &player{
		kept: newKept(eventOf(t, channel)), program: program, script: s, test: t, run: &engine.Run{State: engine.Running},
		taken: make(map[string]int), inputs: make(map[jobOf]command.Payload), attempts: make(map[string]int),
	}
	p.happen(&engine.Happening{Kind: engine.Began, Output: payloadOf(t.Input)})
	for count := 0; len(p.agenda) > 0 || p.resolve(); count++ {
		if count == maxEvents {
			p.wrong("the run goes on after %d events", maxEvents)
			break
		}
		p.next()
	}
	return p.report()
}

func (p *player) wrong(format string, args ...any) {
	p.mistakes = append(p.mistakes, fmt.Sprintf(format, args...))
}

// next has the next thing happen.
func (p *player) next() {
	if len(p.agenda) == 0 {
		return
	}
	at := 0
	for i := range p.agenda {
		if c := cmp.Compare(p.agenda[i].atMS, p.agenda[at].atMS); c < 0 || c == 0 && p.agenda[i].number < p.agenda[at].number {
			at = i
		}
	}
	e := p.agenda[at]
	if p.run.State.Ended() && e.job == nil {
		p.agenda = slices.Delete(p.agenda, at, at+1)
		return // A message that comes too late.
	}
	p.agenda = slices.Delete(p.agenda, at, at+1)
	p.nowMS = max(p.nowMS, e.atMS)
	e.do()
}

// later puts something on the agenda, of a job or of nobody.
func (p *player) later(delayMS int64, of *job, do func()) {
	p.number++
	p.agenda = append(p.agenda, entry{atMS: p.nowMS + delayMS, number: p.number, job: of, do: do})
}

// start begins a job.
func (p *player) start(j *job) {
	j.storedMS = p.nowMS
	p.live = append(p.live, j)
	p.later(0, j, func() { p.begin(j) })
}

// forget takes a job that has ended off the agenda.
func (p *player) forget(j *job) {
	p.live = slices.DeleteFunc(p.live, func(of *job) bool { return of == j })
	p.agenda = slices.DeleteFunc(p.agenda, func(e entry) bool { return e.job == j })
}

// happen tells the run what has happened, and does what it decides.
func (p *player) happen(h *engine.Happening) {
	p.traceHappening(h)
	next, decisions, pending := engine.Advance(p.program, p.run, h, p.kept)
	p.run = next
	if pending != nil {
		p.pending = pending
	}
	p.traceRun()
	for i := range decisions {
		p.carryOut(&decisions[i])
	}
	p.maybeCancel()
}

// maybeCancel cancels the run when it has come where the test says.
func (p *player) maybeCancel() {
	c := p.test.Cancel
	if c == nil || p.canceled || p.run.State.Ended() || p.program.Steps[p.run.Step].Name != c.At {
		return
	}
	p.canceled = true
	p.happen(&engine.Happening{Kind: engine.Cancel, Message: c.Reason, NoUndo: c.NoUndo})
}

// resolve has the operator do what the test says next of an incident, and tells whether
// there was something to do.
func (p *player) resolve() bool {
	if p.run.State != engine.Stuck || p.resolved >= len(p.test.Incidents) {
		return false
	}
	r := p.test.Incidents[p.resolved]
	p.resolved++
	h := &engine.Happening{Kind: engine.Retry, Output: payloadOf(r.Output)}
	switch {
	case r.Skip:
		h.Kind = engine.Skip
	case r.Fail != "":
		h.Kind, h.Code = engine.GiveUp, r.Fail
	}
	p.happen(h)
	return true
}

func (p *player) carryOut(d *engine.Decision) { //nolint:cyclop // A case for each kind.
	p.keep(d)
	p.traceDecision(d)
	of := jobOf{d.Step, d.Iteration, d.Item}
	s := &p.program.Steps[d.Step]
	switch d.Kind { //nolint:exhaustive // keep does the others.
	case engine.Visited:
		p.steps = append(p.steps, s.Name)
		if s.Kind == workflow.Wait {
			p.deliver(s, d)
		}
	case engine.StartJob:
		p.inputs[of] = d.Data
		p.start(&job{jobOf: of, policy: s.Policy})
	case engine.StartChild:
		p.inputs[of] = d.Data
		if !d.Detach {
			p.start(&job{jobOf: of, child: true})
		}
	case engine.RedriveJob:
		p.redrive(d)
	case engine.StartUndo:
		p.undone = append(p.undone, s.Name)
		p.start(&job{jobOf: of, entry: d.Entry, policy: s.Compensation.Policy})
	case engine.StopJobs:
		p.stop()
	case engine.Emit:
		p.emits = append(p.emits, Told{Channel: d.Channel, Key: cmp.Or(d.Key, p.test.Key), Client: cmp.Or(d.Client, p.test.Client), Data: d.Data.Bytes})
	case engine.Notify:
		if client := cmp.Or(d.Client, p.test.Client); client != "" {
			p.told = append(p.told, Told{Name: d.Name, Client: client, Data: d.Data.Bytes})
		}
	case engine.SetTimer:
		p.setTimer(d)
	case engine.ClearTimer:
		p.clearTimer(timer{d.Timer, d.DueMS, d.Part})
	case engine.End:
		p.end = d.Data
	}
}

// stop stops all jobs of the run, but its compensations.
func (p *player) stop() {
	for _, j := range slices.Clone(p.live) {
		if j.entry == 0 {
			p.agenda = slices.DeleteFunc(p.agenda, func(e entry) bool { return e.job == j })
			p.later(0, j, func() {
				p.forget(j)
				p.happen(j.happening(engine.Stopped))
			})
		}
	}
}

func (p *player) redrive(d *engine.Decision) {
	j := p.dead[jobOf{d.Step, d.Iteration, d.Item}]
	if d.Entry != 0 {
		j = p.undead[d.Entry]
		delete(p.undead, d.Entry)
	} else {
		delete(p.dead, j.jobOf)
	}
	j.failures, j.losses = 0, 0
	p.start(j)
}

func (p *player) setTimer(d *engine.Decision) {
	t := timer{d.Timer, d.DueMS, d.Part}
	kinds := map[engine.TimerKind]engine.HappeningKind{
		engine.TimerRun: engine.RunDue, engine.TimerStep: engine.StepDue, engine.TimerWait: engine.WaitDue, engine.TimerItems: engine.ItemsDue,
	}
	h := engine.Happening{Kind: kinds[d.Timer], Step: d.Step, Iteration: d.Iteration, Part: d.Part}
	p.clearTimer(t)
	p.number++
	p.agenda = append(p.agenda, entry{atMS: d.DueMS, number: p.number, timer: t, do: func() { p.happen(&h) }})
}

func (p *player) clearTimer(t timer) {
	p.agenda = slices.DeleteFunc(p.agenda, func(e entry) bool { return e.timer == t && e.timer.kind != 0 })
}

// deliver sends the messages that the script has for a wait.
func (p *player) deliver(s *workflow.Step, d *engine.Decision) {
	wanted := 1
	if s.Wait.All {
		wanted = 0
		for i := range s.Wait.Parts {
			if s.Wait.Parts[i].Message != "" {
				wanted++
			}
		}
	}
	for range wanted {
		if o, found := p.outcome(s.Name, 0); found && !o.Timer {
			p.message(s, d, o)
		}
	}
}

// message has one come after its time, for the first part of the wait that it may be for.
func (p *player) message(s *workflow.Step, d *engine.Decision, o *Outcome) {
	part := slices.IndexFunc(s.Wait.Parts, func(of workflow.WaitPart) bool {
		return of.Message != "" && (of.Message == o.Message || o.Message == "")
	})
	if part < 0 {
		p.wrong("step %s does not wait for message %s", s.Name, o.Message)
		return
	}
	h := engine.Happening{Kind: engine.Message, Step: d.Step, Iteration: d.Iteration, Part: uint32(part), Output: payloadOf(o.Data)} //nolint:gosec // Few parts.
	p.later(int64(o.After), nil, func() { p.happen(&h) })
}

// outcomeOf is what the script says of a job's next attempt. A compensation succeeds
// where it says nothing.
func (p *player) outcomeOf(j *job) (*Outcome, bool) {
	name := p.program.Steps[j.step].Name
	if j.entry == 0 {
		return p.outcome(name, j.item)
	}
	of, found := p.test.Compensations[name]
	if !found {
		of, found = p.script.Compensations[name]
	}
	if !found {
		return &Outcome{}, true
	}
	return p.pick("undo "+name, of, j.item)
}

func (p *player) outcome(name string, item uint32) (*Outcome, bool) {
	of, found := p.test.Outcomes[name]
	if !found {
		of, found = p.script.Outcomes[name]
	}
	if !found {
		return nil, false
	}
	return p.pick(name, of, item)
}

// pick takes the next outcome of a step, or of an item of it that has its own.
func (p *player) pick(name string, of Outcomes, item uint32) (*Outcome, bool) {
	if own, found := of.Items[int(item)-1]; found && item > 0 {
		name, of = fmt.Sprint(name, "/", item), own
	}
	if len(of.All) == 0 {
		return nil, false
	}
	at := min(p.taken[name], len(of.All)-1)
	p.taken[name]++
	return &of.All[at], true
}
