package fsm

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/internal/invariants"
)

// runFacts lends the rows beside a run to the engine.
type runFacts struct {
	machine *Machine
	run     *run
	// pendingRead tells that the happening which an incident keeps was asked for, and so is
	// not needed any more.
	pendingRead bool
}

// NowMS implements engine.Facts.
func (f *runFacts) NowMS() int64 { return f.machine.counters.timeMS }

// RunID implements engine.Facts.
func (f *runFacts) RunID() string { return f.run.id.String() }

// Tenant implements engine.Facts.
func (f *runFacts) Tenant() string { return f.machine.names.text(nameTenant, f.run.tenant) }

// startNews is the variable event.
type startNews struct {
	ID             string          `json:"id"`
	Channel        string          `json:"channel"`
	Key            string          `json:"key"`
	ClientID       string          `json:"client_id"`
	IdempotencyKey string          `json:"idempotency_key"`
	CorrelationID  string          `json:"correlation_id"`
	Time           int64           `json:"time"`
	Headers        json.RawMessage `json:"headers,omitempty"`
	Data           any             `json:"data"`
}

// Event implements engine.Facts.
func (f *runFacts) Event() []byte {
	e := f.machine.startOf(f.run)
	if e == nil {
		return []byte("{}")
	}
	news := startNews{
		ID: e.id.String(), Channel: e.Channel, Key: e.Key, ClientID: e.ClientID, IdempotencyKey: e.IdempotencyKey,
		CorrelationID: e.correlationID(), Time: e.storedMS, Headers: e.Headers,
	}
	switch e.Payload.Codec {
	case command.CodecJSON:
		news.Data = json.RawMessage(e.Payload.Bytes)
	case command.CodecBytes:
		news.Data = e.Payload.Bytes
	case command.CodecNone:
	}
	text, err := json.Marshal(&news)
	invariants.Check(err == nil, "an event is JSON: %v", err)
	return text
}

// startOf is the event that a run began with, with its data.
func (m *Machine) startOf(r *run) *event {
	if r.start == nil || !r.start.whole {
		r.start = m.readStored(r.id.Queue, r.id.Position)
		if r.start != nil {
			r.start.own()
			m.fresh = append(m.fresh, r.start)
		}
	}
	return r.start
}

// Output implements engine.Facts.
func (f *runFacts) Output(step uint32) (command.Payload, bool) {
	return f.payload(appendU32(f.key(runOutput), step))
}

// Item implements engine.Facts.
func (f *runFacts) Item(item uint32) []byte {
	value, found := f.machine.get(appendU32(f.key(runItem), item))
	if !found {
		return nil
	}
	return append([]byte(nil), openRest(value)...)
}

// ItemOutput implements engine.Facts.
func (f *runFacts) ItemOutput(item uint32) (output command.Payload, code string, found bool) {
	value, found := f.machine.get(appendU32(f.key(runResult), item))
	if !found {
		return output, "", false
	}
	r := openRow(append([]byte(nil), value...))
	output, code = r.Payload(), r.String()
	closeRow(&r)
	return output, code, true
}

// Memo implements engine.Facts.
func (f *runFacts) Memo(key string) (command.Payload, bool) {
	value, found := f.machine.get(keyMemo(f.machine.scratch.key[:0], f.run.tenant, f.memoOf(key)))
	if !found {
		return command.Payload{}, false
	}
	r := openRow(append([]byte(nil), value...))
	expiresMS, output := r.Int(), r.Payload()
	closeRow(&r)
	return output, expiresMS > f.NowMS()
}

// Entry implements engine.Facts.
func (f *runFacts) Entry(number uint32) (engine.Entry, bool) {
	value, found := f.machine.get(appendU32(f.key(runEntry), number))
	if !found {
		return engine.Entry{}, false
	}
	return readEntry(value).Entry, true
}

// Unknown implements engine.Facts.
func (f *runFacts) Unknown(step, iteration, item uint32) uint32 {
	value, found := f.machine.get(keyUnknown(f.machine.scratch.key[:0], f.run.id.Position, step, iteration, item))
	if !found {
		return 0
	}
	r := openRow(value)
	number := r.Uint32()
	closeRow(&r)
	return number
}

// Dead implements engine.Facts.
func (f *runFacts) Dead(step, iteration, item uint32) bool {
	return f.machine.deadJob(f.run, &engine.Decision{Step: step, Iteration: iteration, Item: item}) != nil
}

// DeadUndo implements engine.Facts.
func (f *runFacts) DeadUndo(entry uint32) bool {
	return f.machine.deadJob(f.run, &engine.Decision{Entry: entry}) != nil
}

// Pending implements engine.Facts.
func (f *runFacts) Pending() (engine.Happening, bool) {
	value, found := f.machine.get(f.key(runPending))
	if !found {
		return engine.Happening{}, false
	}
	f.pendingRead = true
	return readHappening(value), true
}

// Held implements engine.Facts.
func (f *runFacts) Held() command.Payload {
	held, _ := f.payload(f.key(runHeld))
	return held
}

func (f *runFacts) payload(key []byte) (command.Payload, bool) {
	value, found := f.machine.get(key)
	if !found {
		return command.Payload{}, false
	}
	return readPayload(value), true
}

func (f *runFacts) key(what byte) []byte {
	return keyRunPart(f.machine.scratch.key[:0], f.run.id.Position, what)
}

// memoOf is where a memo's result stands: workflows of a tenant do not share them.
func (f *runFacts) memoOf(key string) digest { return digestOf("memo", f.run.def.name, key) }
