package play

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
)

// jobOf names a job of a step.
type jobOf struct{ step, iteration, item uint32 }

// What a run of a script is called, and when it begins: 2026-01-01T00:00:00Z.
const (
	runID   = "run-1"
	tenant  = "test"
	beginMS = 1_767_225_600_000
)

type itemResult struct {
	output command.Payload
	code   string
}

// kept is what a partition keeps beside a run. It lends it to the engine.
type kept struct {
	nowMS   int64
	event   []byte
	outputs map[uint32]command.Payload
	items   map[uint32][]byte
	results map[uint32]itemResult
	memos   map[string]command.Payload
	held    command.Payload
	entries map[uint32]engine.Entry
	unknown map[jobOf]uint32
	pending *engine.Happening
	dead    map[jobOf]*job
	undead  map[uint32]*job
}

func newKept(event []byte) *kept {
	return &kept{
		nowMS: beginMS, event: event, outputs: make(map[uint32]command.Payload), items: make(map[uint32][]byte),
		results: make(map[uint32]itemResult), memos: make(map[string]command.Payload), entries: make(map[uint32]engine.Entry),
		unknown: make(map[jobOf]uint32), dead: make(map[jobOf]*job), undead: make(map[uint32]*job),
	}
}

// NowMS implements engine.Facts, as do the other methods.
func (k *kept) NowMS() int64   { return k.nowMS }
func (k *kept) Event() []byte  { return k.event }
func (k *kept) RunID() string  { return runID }
func (k *kept) Tenant() string { return tenant }

func (k *kept) Output(step uint32) (command.Payload, bool) {
	output, found := k.outputs[step]
	return output, found
}

func (k *kept) Item(item uint32) []byte { return k.items[item] }

func (k *kept) ItemOutput(item uint32) (command.Payload, string, bool) {
	r, found := k.results[item]
	return r.output, r.code, found
}

func (k *kept) Memo(key string) (command.Payload, bool) {
	memo, found := k.memos[key]
	return memo, found
}

func (k *kept) Held() command.Payload { return k.held }

func (k *kept) Entry(number uint32) (engine.Entry, bool) {
	entry, found := k.entries[number]
	return entry, found
}

func (k *kept) Unknown(step, iteration, item uint32) uint32 {
	return k.unknown[jobOf{step, iteration, item}]
}

func (k *kept) Dead(step, iteration, item uint32) bool {
	return k.dead[jobOf{step, iteration, item}] != nil
}

func (k *kept) DeadUndo(entry uint32) bool { return k.undead[entry] != nil }

func (k *kept) Pending() (engine.Happening, bool) {
	if k.pending == nil {
		return engine.Happening{}, false
	}
	return *k.pending, true
}

// keep does what a decision says of what is kept.
func (k *kept) keep(d *engine.Decision) {
	switch d.Kind { //nolint:exhaustive // The others keep nothing.
	case engine.KeepOutput:
		k.outputs[d.Step] = d.Data
	case engine.KeepItems:
		clear(k.items)
		clear(k.results)
		for i, item := range d.List {
			k.items[uint32(i)+1] = item
		}
	case engine.KeepItem:
		k.results[d.Item] = itemResult{d.Data, d.Code}
	case engine.ForgetItem:
		delete(k.results, d.Item)
	case engine.KeepMemo:
		k.memos[d.Key] = d.Data
	case engine.KeepHeld:
		k.held = d.Data
	case engine.Register:
		k.register(d)
	case engine.Forget:
		clear(k.entries)
		clear(k.unknown)
	}
}

// register keeps a compensation's entry. One that was registered with the grant of its job
// gives way.
func (k *kept) register(d *engine.Decision) {
	of := jobOf{d.Step, d.Iteration, d.Item}
	if before := k.unknown[of]; before != 0 {
		delete(k.entries, before)
		delete(k.unknown, of)
	}
	k.entries[d.Entry] = engine.Entry{Step: d.Step, Iteration: d.Iteration, Item: d.Item, Unknown: d.Unknown, Input: d.Data}
	if d.Unknown {
		k.unknown[of] = d.Entry
	}
}

// eventOf is the variable event of a test.
func eventOf(t *Test, channel string) []byte {
	event := map[string]any{
		"id": "event-1", "channel": channel, "key": t.Key, "client_id": t.Client, "idempotency_key": "",
		"correlation_id": runID, "time": int64(beginMS), "data": t.Input,
	}
	if len(t.Headers) > 0 {
		event["headers"] = t.Headers
	}
	text, err := json.Marshal(event)
	if err != nil {
		return []byte("{}")
	}
	return text
}

// payloadOf is a value as workers and clients send it; nothing for none.
func payloadOf(v Value) command.Payload {
	if len(v) == 0 {
		return command.Payload{}
	}
	return command.Payload{Codec: command.CodecJSON, Bytes: v}
}
