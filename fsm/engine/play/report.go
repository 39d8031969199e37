package play

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
)

// Report is what came of a test.
type Report struct {
	Name string `json:"name"`
	// Failures are what was not as expected, empty for a test that is passed.
	Failures []string `json:"failures,omitempty"`
	// Trace is the run, a line for each thing that happened, or was decided.
	Trace []string `json:"trace,omitempty"`

	State       string   `json:"state"`
	Error       string   `json:"error,omitempty"`
	Result      Value    `json:"result,omitempty"`
	Steps       []string `json:"steps"`
	Compensated []string `json:"compensated,omitempty"`
	Emits       []Told   `json:"emits,omitempty"`
	Told        []Told   `json:"notifications,omitempty"`
	TookMS      int64    `json:"took_ms"`
}

// Passed tells whether all was as expected.
func (r *Report) Passed() bool { return len(r.Failures) == 0 }

func (p *player) report() *Report {
	r := &Report{
		Name: p.test.Name, Trace: p.trace, State: p.run.State.String(), Result: jsonOf(p.end), Steps: p.steps,
		Compensated: p.undone, Emits: p.emits, Told: p.told, TookMS: p.nowMS - beginMS,
	}
	if p.run.Error != nil {
		r.Error = p.run.Error.Code
	}
	if p.stranded(); len(p.mistakes) == 0 {
		p.compare(r)
	}
	r.Failures = p.mistakes
	return r
}

// stranded says what a run waits for that the script does not bring.
func (p *player) stranded() {
	if len(p.mistakes) > 0 || p.run.State.Ended() || p.run.State == engine.Stuck || p.test.Expect.State == p.run.State.String() {
		return
	}
	s := &p.program.Steps[p.run.Step]
	if s.Kind != workflow.Wait {
		p.wrong("the run is %s at %s, and nothing happens any more", p.run.State, s.Name)
		return
	}
	var names []string
	for i := range s.Wait.Parts {
		if s.Wait.Parts[i].Message != "" {
			names = append(names, s.Wait.Parts[i].Message)
		}
	}
	p.wrong("the run waits at %s for message %s, and the script sends none", s.Name, strings.Join(names, " or "))
}

// compare holds what came of the test against what it expects.
func (p *player) compare(r *Report) {
	e := &p.test.Expect
	p.same("state", cmp.Or(e.State, engine.Succeeded.String()), r.State+because(p.run))
	if e.Result != nil {
		p.sameJSON("result", e.Result, r.Result)
	}
	if e.Error != "" {
		p.same("error", e.Error, r.Error)
	}
	if e.Incident != "" {
		kind := ""
		if p.run.Incident != nil {
			kind = p.run.Incident.Kind.String()
		}
		p.same("incident", e.Incident, kind)
	}
	if e.Steps != nil {
		p.same("steps", strings.Join(e.Steps, ", "), strings.Join(r.Steps, ", "))
	}
	if e.Compensated != nil {
		p.same("compensated", strings.Join(e.Compensated, ", "), strings.Join(r.Compensated, ", "))
	}
	if e.Took != 0 {
		p.same("took", length(int64(e.Took)), length(r.TookMS))
	}
	for _, step := range sortedKeys(e.Attempts) {
		p.same("attempts of "+step, fmt.Sprint(e.Attempts[step]), fmt.Sprint(p.attempts[step]))
	}
	p.sameTold("notifications", e.Notifications, r.Told)
	p.sameTold("emits", e.Emits, r.Emits)
	p.compareValues(e)
}

// because is why a run did not end well.
func because(r *engine.Run) string {
	switch {
	case r.Incident != nil:
		return ": " + r.Incident.Message
	case r.Error != nil && r.State != engine.Succeeded:
		return ": " + strings.TrimSuffix(r.Error.Code+": "+r.Error.Message, ": ")
	default:
		return ""
	}
}

func (p *player) compareValues(e *Expect) {
	for _, step := range sortedKeys(e.Inputs) {
		at, found := p.program.Find(step)
		if !found {
			p.wrong("inputs: the workflow has no step %s", step)
			continue
		}
		p.sameJSON("input of "+step, e.Inputs[step], p.lastInput(at))
	}
	for _, name := range sortedKeys(e.Vars) {
		at := slices.IndexFunc(p.run.Vars, func(v engine.Var) bool { return v.Name == name })
		if at < 0 {
			p.wrong("vars: %s was not set", name)
			continue
		}
		p.sameJSON("variable "+name, e.Vars[name], p.run.Vars[at].Value)
	}
}

// lastInput is what a step's last visit gave to its job.
func (p *player) lastInput(step uint32) Value {
	var last jobOf
	found := false
	for of := range p.inputs {
		if of.step == step && (!found || of.iteration > last.iteration || of.iteration == last.iteration && of.item > last.item) {
			last, found = of, true
		}
	}
	return jsonOf(p.inputs[last])
}

// same compares a text: what stands behind a colon in what there is explains it.
func (p *player) same(what, want, have string) {
	if word, _, _ := strings.Cut(have, ": "); want != have && want != word {
		p.mistakes = append(p.mistakes, fmt.Sprintf("%s:\n- %s\n+ %s", what, want, have))
	}
}

func (p *player) sameJSON(what string, want, have Value) {
	if !equalJSON(want, have) {
		p.mistakes = append(p.mistakes, fmt.Sprintf("%s:\n- %s\n+ %s", what, want, cmp.Or(string(have), "nothing")))
	}
}

// sameTold compares notifications, or events: of each what was said of it.
func (p *player) sameTold(what string, want, have []Told) {
	if want == nil {
		return
	}
	same := len(want) == len(have)
	for i := 0; same && i < len(want); i++ {
		w, h := &want[i], &have[i]
		same = w.Name == h.Name && w.Channel == h.Channel && (w.Client == "" || w.Client == h.Client) &&
			(w.Key == "" || w.Key == h.Key) && (w.Data == nil || equalJSON(w.Data, h.Data))
	}
	if same {
		return
	}
	lines := []string{what + ":"}
	for i := range want {
		lines = append(lines, "- "+want[i].String())
	}
	for i := range have {
		lines = append(lines, "+ "+have[i].String())
	}
	p.mistakes = append(p.mistakes, strings.Join(lines, "\n"))
}

// String is the notification, or event, in a line.
func (t *Told) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func equalJSON(a, b Value) bool {
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return string(a) == string(b)
	}
	return reflect.DeepEqual(x, y)
}

// jsonOf is a payload as JSON: what is none is a text.
func jsonOf(p command.Payload) Value {
	if p.Codec == command.CodecJSON || len(p.Bytes) == 0 {
		return p.Bytes
	}
	text, err := json.Marshal(string(p.Bytes))
	if err != nil {
		return nil
	}
	return text
}

func sortedKeys[V any](of map[string]V) []string { return slices.Sorted(maps.Keys(of)) }
