package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/workflow"
)

// view is what expressions see at one place of a run.
type view struct {
	output  command.Payload
	item    []byte
	index   uint32 // from 1; 0 for none
	message command.Payload
}

// scope lends the run's variables to expressions.
func (a *advance) scope(v view) *workflow.Scope {
	return &workflow.Scope{Resolve: func(name string) ([]byte, bool, error) { return a.variable(&v, name) }}
}

func (a *advance) variable(v *view, name string) (value []byte, found bool, err error) {
	switch name {
	case "event":
		return a.facts.Event(), true, nil
	case "tenant":
		return quoted(a.facts.Tenant()), true, nil
	case "run":
		return a.runJSON(), true, nil
	case "vars":
		return a.varsJSON(), true, nil
	case "output":
		return asJSON(v.output)
	case "message":
		return asJSON(v.message)
	case "item":
		return v.item, v.item != nil, nil
	case "index":
		return strconv.AppendUint(nil, uint64(v.index)-1, 10), v.index != 0, nil
	case "error":
		return a.errorJSON(), a.run.Error != nil, nil
	}
	step, _ := strings.CutPrefix(name, "steps/")
	at, known := a.byName[step]
	if !known {
		return nil, false, fmt.Errorf("there is no %s", name)
	}
	kept, found := a.keptOutput(at)
	if !found {
		return nil, false, nil
	}
	output, given, err := asJSON(kept)
	if !given {
		output = []byte("null")
	}
	return append(append([]byte(`{"output":`), output...), '}'), true, err
}

// keptOutput is a step's output: of this happening, or kept before.
func (a *advance) keptOutput(step uint32) (command.Payload, bool) {
	for i := len(a.out) - 1; i >= 0; i-- {
		if d := &a.out[i]; d.Kind == KeepOutput && d.Step == step {
			return d.Data, true
		}
	}
	return a.facts.Output(step)
}

// asJSON is a payload as expressions see it: bytes are base64.
func asJSON(p command.Payload) (value []byte, found bool, err error) {
	switch p.Codec { //nolint:exhaustive // What is left are bytes.
	case command.CodecNone:
		return nil, false, nil
	case command.CodecJSON:
		return p.Bytes, true, nil
	default:
		return quoted(base64.StdEncoding.EncodeToString(p.Bytes)), true, nil
	}
}

// jsonOf is a payload as JSON, null for none.
func jsonOf(p command.Payload) []byte {
	value, found, _ := asJSON(p)
	if !found {
		return []byte("null")
	}
	return value
}

func quoted(text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(text) != nil {
		return []byte(`""`)
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// runJSON is the variable run.
func (a *advance) runJSON() []byte {
	r := a.run
	b := append([]byte(`{"id":`), quoted(a.facts.RunID())...)
	b = append(append(b, `,"workflow":`...), quoted(a.Name)...)
	b = append(append(b, `,"version":`...), quoted(a.Version)...)
	b = append(append(b, `,"status":`...), quoted(r.State.String())...)
	b = strconv.AppendInt(append(b, `,"started":`...), r.StartedMS, 10)
	b = append(append(b, `,"usage":`...), r.Usage.JSON()...)
	if r.Error != nil {
		b = append(append(b, `,"error":`...), a.errorJSON()...)
	}
	return append(b, '}')
}

// JSON is the usage as {"steps":…,"tokens":…,"cost":…}.
func (u *Usage) JSON() []byte {
	b := strconv.AppendUint([]byte(`{"steps":`), u.Steps, 10)
	b = strconv.AppendUint(append(b, `,"tokens":`...), u.Tokens, 10)
	b = strconv.AppendFloat(append(b, `,"cost":`...), float64(u.MicroCost)/microCost, 'f', -1, 64)
	return append(b, '}')
}

// microCost is how many parts a unit of cost has.
const microCost = 1_000_000

func (a *advance) errorJSON() []byte {
	e := a.run.Error
	if e == nil {
		return []byte("null")
	}
	b := append([]byte(`{"code":`), quoted(e.Code)...)
	b = append(append(b, `,"message":`...), quoted(e.Message)...)
	b = append(append(b, `,"step":`...), quoted(a.Steps[e.Step].Name)...)
	return append(b, '}')
}

func (a *advance) varsJSON() []byte {
	b := []byte{'{'}
	for i, v := range a.run.Vars {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, quoted(v.Name)...), ':'), v.Value...)
	}
	return append(b, '}')
}

func jsonPayload(value []byte) command.Payload {
	return command.Payload{Codec: command.CodecJSON, Bytes: value}
}

// addUsage adds what a worker said that its job used. What is no such object, or no
// such numbers, counts nothing.
func (u *Usage) add(usage []byte) {
	if len(usage) == 0 {
		return
	}
	var said struct {
		Tokens       float64 `json:"tokens"`
		InputTokens  float64 `json:"input_tokens"`
		OutputTokens float64 `json:"output_tokens"`
		Cost         float64 `json:"cost"`
	}
	if json.Unmarshal(usage, &said) != nil {
		return
	}
	if said.Tokens == 0 {
		said.Tokens = said.InputTokens + said.OutputTokens
	}
	u.Tokens += count(said.Tokens)
	u.MicroCost += count(said.Cost * microCost)
}

// count is a number that somebody said as a count: bounded, and nothing below zero.
func count(v float64) uint64 {
	if !(v > 0) {
		return 0
	}
	return uint64(min(v, 1e15) + 0.5)
}
