package engine

import (
	"maps"

	"github.com/batonmq/baton/fsm/command"
)

// jobOf names a job by its step, iteration and item; timerOf a timer.
type jobOf struct{ step, iteration, item uint32 }

type timerOf struct {
	kind TimerKind
	due  int64
	part uint32
}

type result struct {
	output command.Payload
	code   string
}

// kept is what an owner keeps beside a run, as the decisions say.
type kept struct {
	nowMS   int64
	outputs map[uint32]command.Payload
	items   map[uint32][]byte
	results map[uint32]result
	memos   map[string]command.Payload
	held    command.Payload
	entries map[uint32]Entry
	unknown map[jobOf]uint32
	pending *Happening
	dead    map[jobOf]bool
	undead  map[uint32]bool
}

func newKept() *kept {
	return &kept{
		nowMS: 1000, outputs: make(map[uint32]command.Payload), items: make(map[uint32][]byte), results: make(map[uint32]result),
		memos: make(map[string]command.Payload), entries: make(map[uint32]Entry), unknown: make(map[jobOf]uint32),
		dead: make(map[jobOf]bool), undead: make(map[uint32]bool),
	}
}

func (k *kept) NowMS() int64   { return k.nowMS }
func (k *kept) Event() []byte  { return []byte(`{"data":{}}`) }
func (k *kept) RunID() string  { return "run" }
func (k *kept) Tenant() string { return "t" }

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

func (k *kept) Entry(number uint32) (Entry, bool) {
	entry, found := k.entries[number]
	return entry, found
}

func (k *kept) Unknown(step, iteration, item uint32) uint32 {
	return k.unknown[jobOf{step, iteration, item}]
}

func (k *kept) Pending() (Happening, bool) {
	if k.pending == nil {
		return Happening{}, false
	}
	return *k.pending, true
}

func (k *kept) Dead(step, iteration, item uint32) bool { return k.dead[jobOf{step, iteration, item}] }

func (k *kept) DeadUndo(entry uint32) bool { return k.undead[entry] }

// keep does what a decision says of what is kept.
func (k *kept) keep(d *Decision) {
	of := jobOf{d.Step, d.Iteration, d.Item}
	switch d.Kind { //nolint:exhaustive // The others keep nothing.
	case KeepOutput:
		k.outputs[d.Step] = d.Data
	case KeepItems:
		clear(k.items)
		clear(k.results)
		for i, item := range d.List {
			k.items[uint32(i)+1] = item
		}
	case KeepItem:
		k.results[d.Item] = result{d.Data, d.Code}
	case ForgetItem:
		delete(k.results, d.Item)
	case KeepMemo:
		k.memos[d.Key] = d.Data
	case KeepHeld:
		k.held = d.Data
	case Register:
		if before := k.unknown[of]; before != 0 {
			delete(k.entries, before)
			delete(k.unknown, of)
		}
		k.entries[d.Entry] = Entry{Step: d.Step, Iteration: d.Iteration, Item: d.Item, Unknown: d.Unknown, Input: d.Data}
		if d.Unknown {
			k.unknown[of] = d.Entry
		}
	case Forget:
		clear(k.entries)
		clear(k.unknown)
	case End:
		clear(k.items)
		clear(k.results)
		k.held, k.pending = command.Payload{}, nil
	}
}

// clone is what is kept, for another go of the same.
func (k *kept) clone() *kept {
	c := *k
	c.outputs, c.items, c.results, c.memos = maps.Clone(k.outputs), maps.Clone(k.items), maps.Clone(k.results), maps.Clone(k.memos)
	c.entries, c.unknown, c.dead, c.undead = maps.Clone(k.entries), maps.Clone(k.unknown), maps.Clone(k.dead), maps.Clone(k.undead)
	return &c
}
