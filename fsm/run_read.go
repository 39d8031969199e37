package fsm

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/fsm/engine"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// RunInfo is a run as users see it. What stands behind Items is only in a look at one.
type RunInfo struct {
	RunID    string `json:"run_id"`
	Workflow string `json:"workflow"`
	Version  string `json:"version"`
	// State is engine.State's word; or queued, where no worker has taken its first job
	// yet, and paused.
	State string `json:"state"`
	// Step is where it stands, or stood when it ended.
	Step          string `json:"step,omitempty"`
	ClientID      string `json:"client_id,omitempty"`
	Key           string `json:"key"`
	CorrelationID string `json:"correlation_id"`
	// StartedAt and EndedAt are Unix times in milliseconds, as all times are; TimeoutAt is
	// when it fails that goes on until then.
	StartedAt int64 `json:"started_at"`
	EndedAt   int64 `json:"ended_at,omitempty"`
	TimeoutAt int64 `json:"timeout_at,omitempty"`
	// Usage has steps, tokens and cost.
	Usage    json.RawMessage `json:"usage"`
	Error    *RunError       `json:"error,omitempty"`
	Incident *RunIncident    `json:"incident,omitempty"`
	// From is the run that it was forked from.
	From string `json:"from,omitempty"`
	// Items are those of the map, or the dynamic step, where it stands.
	Items *RunItems `json:"items,omitempty"`

	// ParentRun is the run that called it.
	ParentRun      string `json:"parent_run,omitempty"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
	// StepTimeoutAt is when the present step's time is over.
	StepTimeoutAt int64 `json:"step_timeout_at,omitempty"`
	// Waits are what the present step waits for.
	Waits []RunWait       `json:"waits,omitempty"`
	Vars  json.RawMessage `json:"vars,omitempty"`
	// Steps are the jobs and child runs of its steps, in the order in which they were
	// stored: the last MaxRunSteps. Compensations are in the order of their steps' ends.
	Steps          []RunStep         `json:"steps,omitempty"`
	StepsTruncated bool              `json:"steps_truncated,omitempty"`
	Compensations  []RunCompensation `json:"compensations,omitempty"`
	// Input is the data that it began with, as long as that is kept; Result what came of
	// it. Each is JSON, or bytes.
	Input        json.RawMessage `json:"input,omitempty"`
	InputBase64  []byte          `json:"input_base64,omitempty"`
	Result       json.RawMessage `json:"result,omitempty"`
	ResultBase64 []byte          `json:"result_base64,omitempty"`
}

// RunError is why a run, or a step's job, failed last.
type RunError struct {
	Step    string `json:"step,omitempty"`
	Code    string `json:"code"`
	Message string `json:"message,omitempty"`
}

// RunIncident is why a run is stuck.
type RunIncident struct {
	// Kind is engine.IncidentKind's word.
	Kind    string `json:"kind"`
	Step    string `json:"step,omitempty"`
	Item    uint32 `json:"item,omitempty"`
	Message string `json:"message,omitempty"`
}

// RunItems counts a map's items.
type RunItems struct {
	Total     uint32 `json:"total"`
	Succeeded uint32 `json:"succeeded"`
	Failed    uint32 `json:"failed"`
}

// RunWait is a message, or a time, that a run waits for.
type RunWait struct {
	Message string `json:"message,omitempty"`
	Key     string `json:"key,omitempty"`
	DueAt   int64  `json:"due_at,omitempty"`
}

// RunLook is a look at one run of a tenant.
type RunLook struct {
	Tenant string
	Run    command.EventID
	// Brief leaves out its steps and compensations.
	Brief bool
}

// ReadRun reads a run; nil where the tenant has none of that id.
func ReadRun(view *storage.View, look *RunLook) (info *RunInfo, err error) {
	defer invariants.Recover(&err)
	r, err := newRunReader(view, look.Tenant)
	if err != nil || r.of == 0 {
		return nil, err
	}
	row, err := r.row(look.Run)
	if err != nil || row == nil {
		return nil, err
	}
	info, err = r.describeRun(look.Run, row)
	if err != nil {
		return nil, err
	}
	if err := r.detail(info, look.Run, row); err != nil {
		return nil, err
	}
	if !look.Brief {
		if err := r.history(info, look.Run, row); err != nil {
			return nil, err
		}
	}
	return info, r.names.err
}

// RunEnded tells whether a run has ended; ended is true of what is no run, too: nobody
// waits for it.
func RunEnded(view *storage.View, look *RunLook) (ended bool, err error) {
	defer invariants.Recover(&err)
	r, err := newRunReader(view, look.Tenant)
	if err != nil || r.of == 0 {
		return true, err
	}
	row, err := r.row(look.Run)
	return row == nil || row.State.Ended(), err
}

// runReader reads the runs of a tenant from a pinned view.
type runReader struct {
	*lineageReader

	// of is the tenant and group the group default, 0 where there is none.
	of, group uint32
	versions  map[uint32]*runVersion
}

// runVersion is what a reader needs of a definition.
type runVersion struct {
	name, version string
	steps         []string
}

func newRunReader(view *storage.View, tenant string) (*runReader, error) {
	l, err := newLetterReader(view)
	if err != nil {
		return nil, err
	}
	r := &runReader{lineageReader: l, versions: make(map[uint32]*runVersion)}
	l.tenant = tenant
	if r.of, err = lookUpTenant(view, tenant); err != nil {
		return nil, err
	}
	r.group, err = lookUpName(view, nameGroup, DefaultGroup)
	return r, err
}

// row is a run's, nil where the tenant has no such run here.
func (r *runReader) row(id command.EventID) (*runRow, error) {
	if id.Epoch != r.counters.epoch || uint32(id.Partition) != r.counters.partition {
		return nil, nil //nolint:nilnil // Nothing found is no error here.
	}
	value, found, err := r.view.Get(keyRun(nil, r.of, id.Position))
	if err != nil || !found {
		return nil, err
	}
	row := &runRow{}
	if row.read(value); row.queue != id.Queue {
		return nil, nil //nolint:nilnil // As above.
	}
	return row, nil
}

// describeRun is what its row tells of a run.
func (r *runReader) describeRun(id command.EventID, row *runRow) (*RunInfo, error) {
	v, err := r.version(row)
	if err != nil {
		return nil, err
	}
	state, err := r.stateOf(id, row)
	info := &RunInfo{
		RunID: id.String(), Workflow: v.name, Version: v.version, State: state, Step: v.step(row.Step),
		ClientID: row.client, Key: row.key, CorrelationID: row.correlation, StartedAt: row.StartedMS, EndedAt: row.EndedMS,
		Usage: row.Usage.JSON(), From: row.from.String(),
	}
	if !row.State.Ended() {
		info.TimeoutAt = row.DueMS
	}
	if e := row.Error; e != nil {
		info.Error = &RunError{Step: v.step(e.Step), Code: e.Code, Message: e.Message}
	}
	if i := row.Incident; i != nil && row.State == engine.Stuck {
		info.Incident = &RunIncident{Kind: i.Kind.String(), Step: v.step(i.Step), Item: i.Item, Message: i.Message}
	}
	if items := row.Items; items.Total > 0 {
		info.Items = &RunItems{Total: items.Total, Succeeded: items.Succeeded, Failed: items.Failed}
	}
	return info, err
}

// version is the definition that a run is pinned to: of one that has ended it may be
// gone, but for its name.
func (r *runReader) version(row *runRow) (*runVersion, error) {
	if v := r.versions[row.definition]; v != nil {
		return v, nil
	}
	value, found, err := r.view.Get(keyDefinition(nil, definitionHead, row.definition))
	if err != nil {
		return nil, err
	}
	if !found {
		return &runVersion{name: row.name, version: row.version}, nil
	}
	var head definitionRow
	head.read(value)
	v := &runVersion{name: head.name, version: head.version}
	value, found, err = r.view.Get(keyDefinition(nil, definitionText, row.definition))
	if err != nil {
		return nil, err
	}
	if found {
		v.steps = stepNames(openRest(value))
	}
	r.versions[row.definition] = v
	return v, nil
}

// stepNames are the names of a definition's steps, by their numbers: they are numbered in
// the order of their names. Nothing is compiled, a reader has no use for that.
func stepNames(canonical []byte) []string {
	var text struct {
		Steps map[string]json.RawMessage `json:"steps"`
	}
	invariants.Check(json.Unmarshal(canonical, &text) == nil, "a definition's text is not JSON")
	names := make([]string, 0, len(text.Steps))
	for name := range text.Steps {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// step is a step's name, or its number where its definition is gone.
func (v *runVersion) step(number uint32) string {
	if int(number) < len(v.steps) {
		return v.steps[number]
	}
	return strconv.FormatUint(uint64(number), 10)
}

// The words for a run that is engine.Running, but does not go on.
const (
	runQueued   = "queued"
	runIsPaused = "paused"
)

func (r *runReader) stateOf(id command.EventID, row *runRow) (string, error) {
	switch {
	case row.Paused && row.State == engine.Running:
		return runIsPaused, nil
	case row.State != engine.Running || row.Live == 0 || len(row.Visits) != 1 || row.Visits[0].Count != 1:
	case row.Items.Succeeded+row.Items.Failed > 0:
	default:
		taken, err := r.anyTaken(id, row)
		if err != nil || !taken {
			return runQueued, err
		}
	}
	return row.State.String(), nil
}

// lookedItems is how many of a first step's jobs are looked at for one that was leased.
const lookedItems = 64

// anyTaken tells whether a worker ever had one of a run's jobs. A child run counts as
// taken: somebody else tells how far that is.
func (r *runReader) anyTaken(id command.EventID, row *runRow) (bool, error) {
	for i := range row.jobs {
		if row.jobs[i].child {
			return true, nil
		}
		if taken, err := r.taken(row.jobs[i].event); taken || err != nil {
			return taken, err
		}
	}
	looked, found := 0, false
	prefix := keyRunPart(nil, id.Position, runLive)
	err := r.view.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
		var err error
		job := id
		job.Queue, job.Position = u32At(key, len(prefix)), u64At(key, len(prefix)+4)
		found, err = r.taken(job)
		looked++
		return !found && looked < lookedItems, err
	})
	return found, err
}

// taken tells whether a job was ever leased.
func (r *runReader) taken(id command.EventID) (bool, error) {
	for _, kind := range []byte{kindActive, kindParked} {
		value, found, err := r.view.Get(keyJob(nil, kind, jobKey{r.group, id.Queue, id.Position}))
		if err != nil {
			return false, err
		}
		if found {
			var j jobRow
			j.read(value)
			return j.attempt > 0, nil
		}
	}
	taken := false
	prefix := keyPlace(nil, kindAttempt, id.Queue, id.Position)
	err := r.view.Scan(prefix, after(prefix), func([]byte, []byte) (bool, error) {
		taken = true
		return false, nil
	})
	return taken, err
}

// detail adds what stands beside a run's row.
func (r *runReader) detail(info *RunInfo, id command.EventID, row *runRow) error {
	if !row.State.Ended() {
		info.StepTimeoutAt = row.StepDueMS
		for _, due := range row.WaitDueMS {
			if due != 0 {
				info.Waits = append(info.Waits, RunWait{DueAt: due})
			}
		}
	}
	info.Vars = varsOf(row.Vars)
	prefix := keyRunPart(nil, id.Position, runAwaits)
	err := r.view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		wait := openRow(value)
		info.Waits = append(info.Waits, RunWait{Message: wait.String(), Key: wait.String()})
		closeRow(&wait)
		return true, nil
	})
	if err != nil {
		return err
	}
	value, found, err := r.view.Get(keyRunPart(nil, id.Position, runEnd))
	if err != nil {
		return err
	}
	if found {
		info.Result, info.ResultBase64 = runData(readPayload(value))
	}
	return r.begin(info, id)
}

// begin adds what the run began with.
func (r *runReader) begin(info *RunInfo, id command.EventID) error {
	e, err := r.eventAt(id)
	if err != nil || e == nil {
		return err
	}
	info.Input, info.InputBase64 = runData(e.Payload)
	info.IdempotencyKey = e.IdempotencyKey
	if strings.HasPrefix(info.IdempotencyKey, "~") {
		info.IdempotencyKey = "" // It was made for it, by who brought it.
	}
	info.ParentRun = e.Task.Run.String()
	return nil
}

// eventAt is an event of the tenant here, nil where it is not kept.
func (r *runReader) eventAt(id command.EventID) (*event, error) {
	if uint32(id.Partition) != r.counters.partition || id.Epoch != r.counters.epoch {
		return nil, nil //nolint:nilnil // Nothing found is no error here.
	}
	q, err := r.queue(id.Queue)
	if err != nil || q == nil || q.tenant != r.of {
		return nil, err
	}
	value, err := readKept(r.view, id)
	if err != nil || value == nil {
		return nil, err
	}
	e := readEvent(append([]byte(nil), value...), id, r.names.text(nameChannel, q.channel), r.tenant)
	return e, r.names.err
}

// runData is a payload as JSON or bytes; neither for none.
func runData(p command.Payload) (data json.RawMessage, raw []byte) {
	if p.Codec == command.CodecNone {
		return nil, nil
	}
	shown := dataOf(p)
	return shown.Data, shown.DataBase64
}

// varsOf is a run's variables as one object.
func varsOf(vars []engine.Var) json.RawMessage {
	if len(vars) == 0 {
		return nil
	}
	b := []byte{'{'}
	for i := range vars {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := json.Marshal(vars[i].Name)
		invariants.Check(err == nil, "a name is JSON: %v", err)
		b = append(append(append(b, name...), ':'), vars[i].Value...)
	}
	return valid(append(b, '}'))
}
