package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/fsm/workflow"
)

// What the rows beside a run say of it.
const (
	// runOutput is a step's output -> payload, runItem a map's item -> JSON, runResult
	// what came of one -> payload, code.
	runOutput = 'o'
	runItem   = 'i'
	runResult = 'r'
	// runLive is a job of an item that has not ended -> item.
	runLive = 'j'
	// runEntry is a compensation's entry, runUnknown leads from a job to the one that was
	// registered when it was granted.
	runEntry   = 'k'
	runUnknown = 'u'
	// runDead is the job of an item, 0 for the step's only one, that has died -> event.
	runDead = 'd'
	// runHeld is the input of a step that a paused run holds, runPending what happened
	// when an incident came of it, runEnd the result.
	runHeld    = 'h'
	runPending = 'p'
	runEnd     = 'z'
)

// maxRunList bounds the lists in a run's row: a damaged one makes no memory of a few bytes.
const maxRunList = 65_536

const (
	runPaused  = 1
	runHolds   = 2
	runSettled = 4
)

func (r *runRow) append(dst []byte) []byte {
	flags := byte(0)
	for _, flag := range []struct {
		set bool
		bit byte
	}{{r.Paused, runPaused}, {r.Holds, runHolds}, {r.Items.Settled, runSettled}} {
		if flag.set {
			flags |= flag.bit
		}
	}
	dst = append(dst, rowVersion, byte(r.State), flags)
	for _, v := range []uint32{
		r.definition, r.queue, r.Step, r.Held, r.Live, r.Depth,
		r.Items.Total, r.Items.Started, r.Items.Succeeded, r.Items.Failed,
		r.Entries, r.Undid, r.Left, r.Floor, r.Next,
	} {
		dst = command.AppendUint(dst, uint64(v))
	}
	for _, v := range []uint64{r.Usage.Steps, r.Usage.Tokens, r.Usage.MicroCost, r.Arrived} {
		dst = command.AppendUint(dst, v)
	}
	for _, v := range []int64{r.StartedMS, r.EndedMS, r.StepDueMS, r.DueMS} {
		dst = command.AppendInt(dst, v)
	}
	for _, text := range []string{r.key, r.client, r.correlation, r.name, r.version, r.Memo} {
		dst = command.AppendString(dst, text)
	}
	dst = command.AppendEventID(append(dst, byte(r.Goal)), r.from)
	dst = command.AppendInt(command.AppendBool(command.AppendUint(dst, uint64(r.kept)), r.called), r.size)
	return r.appendLists(dst)
}

func (r *runRow) appendLists(dst []byte) []byte {
	dst = command.AppendUint(dst, uint64(len(r.Visits)))
	for _, v := range r.Visits {
		dst = command.AppendUint(command.AppendUint(dst, uint64(v.Step)), uint64(v.Count))
	}
	dst = command.AppendUint(dst, uint64(len(r.Loops)))
	for _, l := range r.Loops {
		dst = command.AppendUint(command.AppendUint(command.AppendUint(dst, uint64(l.Step)), uint64(l.Edge)), uint64(l.Count))
	}
	dst = command.AppendUint(dst, uint64(len(r.Vars)))
	for _, v := range r.Vars {
		dst = command.AppendString(command.AppendString(dst, v.Name), v.Value)
	}
	dst = command.AppendUint(dst, uint64(len(r.WaitDueMS)))
	for _, due := range r.WaitDueMS {
		dst = command.AppendInt(dst, due)
	}
	dst = command.AppendUint(dst, uint64(len(r.Undoing)))
	for _, entry := range r.Undoing {
		dst = command.AppendUint(dst, uint64(entry))
	}
	dst = command.AppendUint(dst, uint64(len(r.UndoDead)))
	for _, entry := range r.UndoDead {
		dst = command.AppendUint(dst, uint64(entry))
	}
	dst = command.AppendUint(dst, uint64(len(r.jobs)))
	for i := range r.jobs {
		dst = r.jobs[i].append(dst)
	}
	dst = appendRunError(dst, r.Error)
	return appendIncident(dst, r.Incident)
}

func (j *runJob) append(dst []byte) []byte {
	dst = command.AppendEventID(dst, j.event)
	for _, v := range []uint32{j.step, j.iteration, j.item, j.entry} {
		dst = command.AppendUint(dst, uint64(v))
	}
	return command.AppendBool(command.AppendBool(dst, j.child), j.stop)
}

func appendRunError(dst []byte, e *engine.Error) []byte {
	dst = command.AppendBool(dst, e != nil)
	if e == nil {
		return dst
	}
	dst = command.AppendUint(dst, uint64(e.Step))
	return command.AppendString(command.AppendString(dst, e.Code), e.Message)
}

func appendIncident(dst []byte, i *engine.Incident) []byte {
	dst = command.AppendBool(dst, i != nil)
	if i == nil {
		return dst
	}
	dst = append(dst, byte(i.Kind), byte(i.Was))
	dst = command.AppendUint(command.AppendUint(dst, uint64(i.Step)), uint64(i.Item))
	return command.AppendBool(command.AppendString(dst, i.Message), i.Pending)
}

// read copies what it keeps.
func (r *runRow) read(value []byte) {
	row := openRow(value)
	r.State = engine.State(row.Byte())
	flags := row.Byte()
	r.Paused, r.Holds, r.Items.Settled = flags&runPaused != 0, flags&runHolds != 0, flags&runSettled != 0
	for _, v := range []*uint32{
		&r.definition, &r.queue, &r.Step, &r.Held, &r.Live, &r.Depth,
		&r.Items.Total, &r.Items.Started, &r.Items.Succeeded, &r.Items.Failed,
		&r.Entries, &r.Undid, &r.Left, &r.Floor, &r.Next,
	} {
		*v = row.Uint32()
	}
	for _, v := range []*uint64{&r.Usage.Steps, &r.Usage.Tokens, &r.Usage.MicroCost, &r.Arrived} {
		*v = row.Uint()
	}
	for _, v := range []*int64{&r.StartedMS, &r.EndedMS, &r.StepDueMS, &r.DueMS} {
		*v = row.Int()
	}
	for _, text := range []*string{&r.key, &r.client, &r.correlation, &r.name, &r.version, &r.Memo} {
		*text = row.String()
	}
	r.Goal, r.from = engine.State(row.Byte()), row.EventID()
	r.kept, r.called, r.size = row.Uint32(), row.Bool(), row.Int()
	r.readLists(&row)
	closeRow(&row)
}

func (r *runRow) readLists(row *command.Reader) {
	for range row.Count(workflow.MaxSteps) {
		r.Visits = append(r.Visits, engine.Visit{Step: row.Uint32(), Count: row.Uint32()})
	}
	for range row.Count(maxRunList) {
		r.Loops = append(r.Loops, engine.Loop{Step: row.Uint32(), Edge: row.Uint32(), Count: row.Uint32()})
	}
	for range row.Count(maxRunList) {
		r.Vars = append(r.Vars, engine.Var{Name: row.String(), Value: append([]byte(nil), row.Bytes()...)})
	}
	for range row.Count(maxRunList) {
		r.WaitDueMS = append(r.WaitDueMS, row.Int())
	}
	for range row.Count(maxRunList) {
		r.Undoing = append(r.Undoing, row.Uint32())
	}
	for range row.Count(maxRunList) {
		r.UndoDead = append(r.UndoDead, row.Uint32())
	}
	for range row.Count(maxRunList) {
		j := runJob{event: row.EventID()}
		j.step, j.iteration, j.item, j.entry = row.Uint32(), row.Uint32(), row.Uint32(), row.Uint32()
		j.child, j.stop = row.Bool(), row.Bool()
		r.jobs = append(r.jobs, j)
	}
	if row.Bool() {
		r.Error = &engine.Error{Step: row.Uint32(), Code: row.String(), Message: row.String()}
	}
	if row.Bool() {
		r.Incident = &engine.Incident{
			Kind: engine.IncidentKind(row.Byte()), Was: engine.State(row.Byte()), Step: row.Uint32(), Item: row.Uint32(),
			Message: row.String(), Pending: row.Bool(),
		}
	}
}

// appendHappening and readHappening are of what an incident keeps.
func appendHappening(dst []byte, h *engine.Happening) []byte {
	dst = append(dst, rowVersion, byte(h.Kind))
	for _, v := range []uint32{h.Step, h.Iteration, h.Item, h.Part, h.Entry, h.Spawned} {
		dst = command.AppendUint(dst, uint64(v))
	}
	dst = command.AppendPayload(command.AppendPayload(dst, h.Output), h.Input)
	dst = command.AppendString(command.AppendString(command.AppendString(dst, h.Usage), h.Code), h.Message)
	return command.AppendBool(command.AppendBool(dst, h.NoUndo), h.Again)
}

func readHappening(value []byte) engine.Happening {
	r := openRow(append([]byte(nil), value...))
	h := engine.Happening{Kind: engine.HappeningKind(r.Byte())}
	for _, v := range []*uint32{&h.Step, &h.Iteration, &h.Item, &h.Part, &h.Entry, &h.Spawned} {
		*v = r.Uint32()
	}
	h.Output, h.Input = r.Payload(), r.Payload()
	h.Usage, h.Code, h.Message = r.Bytes(), r.String(), r.String()
	h.NoUndo, h.Again = r.Bool(), r.Bool()
	closeRow(&r)
	return h
}

// entryRow is a compensation's entry.
type entryRow struct {
	engine.Entry

	// job is what carries it out, zero before.
	job command.EventID
}

func (e *entryRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	for _, v := range []uint32{e.Step, e.Iteration, e.Item} {
		dst = command.AppendUint(dst, uint64(v))
	}
	dst = command.AppendPayload(command.AppendBool(dst, e.Unknown), e.Input)
	return command.AppendEventID(dst, e.job)
}

func readEntry(value []byte) (e entryRow) {
	r := openRow(append([]byte(nil), value...))
	e.Step, e.Iteration, e.Item, e.Unknown = r.Uint32(), r.Uint32(), r.Uint32(), r.Bool()
	e.Input, e.job = r.Payload(), r.EventID()
	closeRow(&r)
	return e
}

func appendPayloadRow(dst []byte, p command.Payload) []byte {
	return command.AppendPayload(append(dst, rowVersion), p)
}

// readPayload reads a row of appendPayloadRow into memory of its own.
func readPayload(value []byte) command.Payload {
	r := openRow(append([]byte(nil), value...))
	p := r.Payload()
	closeRow(&r)
	return p
}
