package play

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/batonmq/baton/fsm/workflow"
)

// MaxScriptBytes bounds a script.
const MaxScriptBytes = 1 << 20

// Script is a file of tests.
type Script struct {
	// Outcomes and Compensations hold for tests that say nothing of a step.
	Outcomes      map[string]Outcomes `yaml:"outcomes"`
	Compensations map[string]Outcomes `yaml:"compensations"`
	Tests         []Test              `yaml:"tests"`
}

// Test is one run, and what is expected of it.
type Test struct {
	Name string `yaml:"name"`
	// Input is the data of the event that the run begins with.
	Input   Value             `yaml:"input"`
	Client  string            `yaml:"client"`
	Key     string            `yaml:"key"`
	Channel string            `yaml:"channel"`
	Headers map[string]string `yaml:"headers"`
	// Outcomes are what comes of each step, Compensations of what undoes it.
	Outcomes      map[string]Outcomes `yaml:"outcomes"`
	Compensations map[string]Outcomes `yaml:"compensations"`
	// Incidents are what an operator does at each, in order.
	Incidents []Resolution `yaml:"incidents"`
	Cancel    *Stop        `yaml:"cancel"`
	Expect    Expect       `yaml:"expect"`
}

// Outcome is what comes of an attempt, or what a wait gets.
type Outcome struct {
	// Result is a worker's, with Usage and Emit.
	Result Value    `yaml:"result"`
	Usage  Value    `yaml:"usage"`
	Emit   []string `yaml:"emit"`
	// Fail is an error's code; Final means that it is not worth another attempt.
	Fail string `yaml:"fail"`
	// Text is the error's message.
	Text  string `yaml:"text"`
	Final bool   `yaml:"final"`
	// Lost means that the worker's lease is lost, Silent that nobody ever takes the job.
	Lost   bool `yaml:"lost"`
	Silent bool `yaml:"silent"`
	// Message is the name of a message that comes, with Data.
	Message string `yaml:"message"`
	Data    Value  `yaml:"data"`
	// Timer means that nothing comes, and a wait's timer fires.
	Timer bool `yaml:"timer"`
	// After is how long it takes, Times how often it comes in a row.
	After Length `yaml:"after"`
	Times int    `yaml:"times"`
}

// Resolution is what an operator does with an incident.
type Resolution struct {
	Retry bool   `yaml:"retry"`
	Skip  bool   `yaml:"skip"`
	Fail  string `yaml:"fail"`
	// Output is what a retry is given in the place of its input, or a skipped step's output.
	Output Value `yaml:"output"`
}

// Stop cancels a run when it has come to a step.
type Stop struct {
	At     string `yaml:"at"`
	Reason string `yaml:"reason"`
	NoUndo bool   `yaml:"no_undo"`
}

// Expect is what is expected of a run. What is not said is not looked at, but the state:
// that is succeeded.
type Expect struct {
	State         string           `yaml:"state"`
	Result        Value            `yaml:"result"`
	Error         string           `yaml:"error"`
	Incident      string           `yaml:"incident"`
	Steps         []string         `yaml:"steps"`
	Compensated   []string         `yaml:"compensated"`
	Attempts      map[string]int   `yaml:"attempts"`
	Notifications []Told           `yaml:"notifications"`
	Emits         []Told           `yaml:"emits"`
	Inputs        map[string]Value `yaml:"inputs"`
	Vars          map[string]Value `yaml:"vars"`
	Took          Length           `yaml:"took"`
}

// Told is a notification, by its name, or an event, by its channel.
type Told struct {
	Name    string `yaml:"name" json:"name,omitempty"`
	Channel string `yaml:"channel" json:"channel,omitempty"`
	Client  string `yaml:"client" json:"client,omitempty"`
	Key     string `yaml:"key" json:"key,omitempty"`
	Data    Value  `yaml:"data" json:"data,omitempty"`
}

// Value is anything, as JSON; empty where nothing was said.
type Value []byte

// UnmarshalYAML implements yaml.Unmarshaler.
func (v *Value) UnmarshalYAML(n *yaml.Node) error {
	var value any
	if err := n.Decode(&value); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*v = text
	return nil
}

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) {
	if len(v) == 0 {
		return []byte("null"), nil
	}
	return v, nil
}

// Length is a length of time in milliseconds, written as in definitions.
type Length int64

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *Length) UnmarshalYAML(n *yaml.Node) error {
	ms, err := workflow.ParseDuration(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %s is no length of time: write 500ms, 10m or 1h30m", n.Line, n.Value)
	}
	*l = Length(ms)
	return nil
}

// Outcomes are those of a step, in their order: the last one holds for all that come after
// it. Items are those of a map's items that have their own, by their index from 0.
type Outcomes struct {
	All   []Outcome
	Items map[int]Outcomes
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (o *Outcomes) UnmarshalYAML(n *yaml.Node) error {
	switch {
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			var one Outcome
			if err := strictly(item, &one); err != nil {
				return err
			}
			for range max(one.Times, 1) {
				o.All = append(o.All, one)
			}
		}
		return nil
	case n.Kind == yaml.MappingNode && len(n.Content) > 0 && (n.Content[0].Value == "items" || n.Content[0].Value == "others"):
		var some struct {
			Items  map[int]Outcomes `yaml:"items"`
			Others Outcomes         `yaml:"others"`
		}
		if err := strictly(n, &some); err != nil {
			return err
		}
		o.Items, o.All = some.Items, some.Others.All
		return nil
	default:
		return o.UnmarshalYAML(&yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{n}, Line: n.Line})
	}
}

// strictly decodes what a method of the package is given, which knows no strictness.
func strictly(n *yaml.Node, into any) error {
	text, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err = d.Decode(into)
	if wrong, ok := errors.AsType[*yaml.TypeError](err); ok && len(wrong.Errors) > 0 {
		_, what, _ := strings.Cut(wrong.Errors[0], ": ") // Its line is one of what was written anew.
		return fmt.Errorf("line %d: %s", n.Line, what)
	}
	return err
}

// ParseScript reads a script for a definition.
func ParseScript(source []byte, def *workflow.Definition) (*Script, error) {
	d := yaml.NewDecoder(bytes.NewReader(source))
	d.KnownFields(true)
	var s Script
	if err := d.Decode(&s); errors.Is(err, io.EOF) {
		return nil, errors.New("the script is empty")
	} else if err != nil {
		return nil, err
	}
	if len(s.Tests) == 0 {
		return nil, errors.New("the script has no tests")
	}
	steps := make([]string, len(def.Steps))
	for i := range def.Steps {
		steps[i] = def.Steps[i].Name
	}
	if err := s.check(steps); err != nil {
		return nil, err
	}
	return &s, nil
}

// check looks for steps that the definition does not have.
func (s *Script) check(steps []string) error {
	unknown := func(where string, of map[string]Outcomes) error {
		for _, name := range sortedKeys(of) {
			if !slices.Contains(steps, name) {
				return fmt.Errorf("%s: the workflow has no step %s", where, name)
			}
		}
		return nil
	}
	err := errors.Join(unknown("outcomes", s.Outcomes), unknown("compensations", s.Compensations))
	for i := range s.Tests {
		t := &s.Tests[i]
		if t.Name == "" {
			t.Name = fmt.Sprintf("#%d", i+1)
		}
		err = errors.Join(err, unknown(t.Name+": outcomes", t.Outcomes), unknown(t.Name+": compensations", t.Compensations))
		if t.Cancel != nil && !slices.Contains(steps, t.Cancel.At) {
			err = errors.Join(err, fmt.Errorf("%s: cancel: the workflow has no step %s", t.Name, t.Cancel.At))
		}
	}
	return err
}
