package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// RunStart is a run of a workflow that is to begin.
type RunStart struct {
	Workflow string
	// Alias is an alias, or a version in full; empty for prod.
	Alias string
	// Data is the run's input, as an Event's; nil is JSON's null.
	Data any
	// ClientID is whose run it is. Key is its partition key: the ClientID where it is
	// empty, then the idempotency key.
	ClientID, Key string
	// IdempotencyKey makes a start that is tried again find the first run.
	IdempotencyKey string
	CorrelationID  string
	Headers        map[string]string
	// OnEnd is the name under which the client is notified when the run, and all that
	// came of it, has ended.
	OnEnd    string
	Priority int
}

// StartedRun is a run that has begun.
type StartedRun struct {
	RunID         string `json:"run_id"`
	CorrelationID string `json:"correlation_id"`
	// Duplicate means that the idempotency key had started it before.
	Duplicate bool `json:"duplicate"`
}

// Run is a run of a workflow. Times are Unix milliseconds, 0 for none. What stands behind
// Items is only in what Run returns.
type Run struct {
	RunID    string `json:"run_id"`
	Workflow string `json:"workflow"`
	Version  string `json:"version"`
	// State is queued, running, paused, canceling, compensating, incident, succeeded,
	// failed, canceled, compensated or partially_compensated.
	State         string       `json:"state"`
	Step          string       `json:"step"`
	ClientID      string       `json:"client_id"`
	Key           string       `json:"key"`
	CorrelationID string       `json:"correlation_id"`
	StartedAt     int64        `json:"started_at"`
	EndedAt       int64        `json:"ended_at"`
	TimeoutAt     int64        `json:"timeout_at"`
	Usage         RunUsage     `json:"usage"`
	Error         *RunError    `json:"error"`
	Incident      *RunIncident `json:"incident"`
	// From is the run that it was forked from.
	From  string    `json:"from"`
	Items *RunItems `json:"items"`

	// ParentRun is the run that called it.
	ParentRun      string                     `json:"parent_run"`
	IdempotencyKey string                     `json:"idempotency_key"`
	StepTimeoutAt  int64                      `json:"step_timeout_at"`
	Waits          []RunWait                  `json:"waits"`
	Vars           map[string]json.RawMessage `json:"vars"`
	// Steps are the last jobs of its steps, and the runs that they called.
	Steps          []RunStep         `json:"steps"`
	StepsTruncated bool              `json:"steps_truncated"`
	Compensations  []RunCompensation `json:"compensations"`
	Input          json.RawMessage   `json:"input"`
	InputBase64    []byte            `json:"input_base64"`
	Result         json.RawMessage   `json:"result"`
	ResultBase64   []byte            `json:"result_base64"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// Ended tells whether nothing happens to the run any more.
func (r *Run) Ended() bool { return r.EndedAt != 0 }

// RunUsage is what a run used.
type RunUsage struct {
	Steps  int64   `json:"steps"`
	Tokens int64   `json:"tokens"`
	Cost   float64 `json:"cost"`
}

// RunError is why a run, or a step's job, failed last.
type RunError struct {
	Step    string `json:"step"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// RunIncident is why a run is stuck.
type RunIncident struct {
	// Kind is step_failed, expression, compensation_failed, waiter_conflict or
	// endless_circle.
	Kind    string `json:"kind"`
	Step    string `json:"step"`
	Item    int    `json:"item"`
	Message string `json:"message"`
}

// RunItems counts a map's items.
type RunItems struct {
	Total     int `json:"total"`
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
}

// RunWait is a message, or a time, that a run waits for.
type RunWait struct {
	Message string `json:"message"`
	Key     string `json:"key"`
	DueAt   int64  `json:"due_at"`
}

// RunStep is a job of a run's step; or a run that it called, which has a RunID.
type RunStep struct {
	Step      string          `json:"step"`
	Iteration int             `json:"iteration"`
	Item      int             `json:"item"`
	EventID   string          `json:"event_id"`
	Channel   string          `json:"channel"`
	RunID     string          `json:"run_id"`
	State     string          `json:"state"`
	Attempts  int             `json:"attempts"`
	Worker    string          `json:"worker"`
	Time      int64           `json:"time"`
	StartedAt int64           `json:"started_at"`
	EndedAt   int64           `json:"ended_at"`
	Error     *RunError       `json:"error"`
	Usage     json.RawMessage `json:"usage"`
}

// RunCompensation is something that is undone if the run fails.
type RunCompensation struct {
	Step      string `json:"step"`
	Iteration int    `json:"iteration"`
	Item      int    `json:"item"`
	// State is registered, or that of its job once it is carried out.
	State   string `json:"state"`
	EventID string `json:"event_id"`
	Unknown bool   `json:"unknown"`
}

// RunFilter says which runs are meant. Empty fields mean any.
type RunFilter struct {
	Workflow string
	// Version may be the beginning of one.
	Version                  string
	State                    string
	ClientID                 string
	CorrelationID, ErrorCode string
	// Since and Until bound when it was started.
	Since, Until time.Time
	// Cursor is that of the page before; Limit is how many are wanted, 0 for as many as
	// the node likes.
	Cursor string
	Limit  int
}

// Runs is a page of runs, the newest first.
type Runs struct {
	Runs []Run `json:"runs"`
	// Cursor is where the next page begins, empty when there is none. A page may be empty
	// and lead on nevertheless.
	Cursor string          `json:"cursor"`
	Raw    json.RawMessage `json:"-"`
}

// RunAction is what may be asked of a run.
type RunAction string

// What may be asked of a run. Retry, skip and fail resolve an incident.
const (
	RunCancel  RunAction = "cancel"
	RunPause   RunAction = "pause"
	RunResume  RunAction = "resume"
	RunRetry   RunAction = "retry"
	RunSkip    RunAction = "skip"
	RunFail    RunAction = "fail"
	RunRedrive RunAction = "redrive"
	RunFork    RunAction = "fork"
)

// RunRequest is what may be said of it; each action has its own, and refuses others'.
type RunRequest struct {
	// Reason, and of cancel and fail Code, say why.
	Reason, Code string
	// NoCompensation cancels without compensating.
	NoCompensation bool
	// Step is where a redrive or fork begins, Version the version or alias of a fork.
	Step, Version string
	// Data, where HasData says that there is some, is the input of what is tried again,
	// or the output of what is skipped.
	Data    any
	HasData bool
}

// Message is a message for the run that waits for its name and key.
type Message struct {
	Name, Key string
	// Data is as an Event's.
	Data any
	// ID makes it arrive once.
	ID string
	// TTL is for how long it is kept for a run that does not wait for it yet; a day where
	// it is 0.
	TTL time.Duration
}

// longestRunWait is for how long one request waits for a run's end: less than httpTimeout.
// retryRunWait is the pause behind an answer that may be another one later.
const (
	longestRunWait = 10 * time.Second
	retryRunWait   = 500 * time.Millisecond
)

// StartRun begins a run of a workflow.
func (h *HTTP) StartRun(ctx context.Context, start RunStart) (*StartedRun, error) {
	body := map[string]any{"workflow": start.Workflow}
	key := start.IdempotencyKey
	if key == "" {
		key = "~" + rand.Text() // So that asking another node starts no second one.
	}
	for name, value := range map[string]string{
		"alias": start.Alias, "client_id": start.ClientID, "key": start.Key, "idempotency_key": key,
		"correlation_id": start.CorrelationID, "on_end": start.OnEnd, "tenant": h.tenant,
	} {
		if value != "" {
			body[name] = value
		}
	}
	if len(start.Headers) > 0 {
		body["headers"] = start.Headers
	}
	if start.Priority != 0 {
		body["priority"] = start.Priority
	}
	started := &StartedRun{}
	return started, h.post(ctx, "/v1/runs", body, start.Data, started)
}

// post sends a body with data in it.
func (h *HTTP) post(ctx context.Context, path string, body map[string]any, data, into any) error {
	payload, err := payloadOf(data)
	if err != nil {
		return err
	}
	if payload.Kind == wire.PayloadBytes {
		body["data_base64"] = payload.Bytes
	} else {
		body["data"] = json.RawMessage(payload.Bytes)
	}
	return h.postBody(ctx, path, body, into)
}

func (h *HTTP) postBody(ctx context.Context, path string, body map[string]any, into any) error {
	encoded, err := encode(body)
	if err != nil {
		return err
	}
	return h.change(ctx, http.MethodPost, path, encoded, into)
}

// Run returns a run with what its steps did, or ErrNotFound.
func (h *HTTP) Run(ctx context.Context, runID string) (*Run, error) { return h.run(ctx, runID, 0) }

// AwaitRun returns a run when it has ended, or the context's error.
func (h *HTTP) AwaitRun(ctx context.Context, runID string) (*Run, error) {
	for {
		run, err := h.run(ctx, runID, longestRunWait)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err == nil && run.Ended():
			return run, nil
		case err == nil:
			continue
		}
		refused, ok := errors.AsType[*Error](err)
		if !ok || !refused.Retryable {
			return nil, err
		}
		select { // Its partition changes leaders, say.
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(max(retryRunWait, refused.RetryAfter)):
		}
	}
}

func (h *HTTP) run(ctx context.Context, runID string, wait time.Duration) (*Run, error) {
	path := h.path("/v1/runs/", runID)
	if wait > 0 {
		path = query(path, url.Values{"wait": {wait.String()}})
	}
	run := &Run{}
	raw, err := h.get(ctx, path, run)
	run.Raw = raw
	return run, err
}

// Runs returns a page of runs.
func (h *HTTP) Runs(ctx context.Context, want RunFilter) (*Runs, error) {
	values := url.Values{}
	for name, value := range map[string]string{
		"workflow": want.Workflow, "version": want.Version, "state": want.State, "client_id": want.ClientID,
		"correlation_id": want.CorrelationID, "error_code": want.ErrorCode, "cursor": want.Cursor, "tenant": h.tenant,
		"since": millisOf(want.Since), "until": millisOf(want.Until),
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if want.Limit > 0 {
		values.Set("limit", strconv.Itoa(want.Limit))
	}
	page := &Runs{}
	raw, err := h.get(ctx, query("/v1/runs", values), page)
	page.Raw = raw
	return page, err
}

func millisOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// ControlRun asks something of a run, and returns its id; of a fork the new run's.
func (h *HTTP) ControlRun(ctx context.Context, runID string, action RunAction, request RunRequest) (id string, err error) {
	body := map[string]any{}
	for name, value := range map[string]string{
		"reason": request.Reason, "code": request.Code, "step": request.Step, "version": request.Version,
	} {
		if value != "" {
			body[name] = value
		}
	}
	if request.NoCompensation {
		body["no_compensation"] = true
	}
	var answer struct {
		RunID string `json:"run_id"`
	}
	path := h.path("/v1/runs/", runID, "/", string(action))
	if request.HasData {
		err = h.post(ctx, path, body, request.Data, &answer)
	} else {
		err = h.postBody(ctx, path, body, &answer)
	}
	return answer.RunID, err
}

// CancelRun cancels a run, and has it compensate what its workflow says.
func (h *HTTP) CancelRun(ctx context.Context, runID, reason string) error {
	_, err := h.ControlRun(ctx, runID, RunCancel, RunRequest{Reason: reason})
	return err
}

// SendMessage brings a message to the run that waits for it, or keeps it for one that
// will. duplicate means that its ID was sent before.
func (h *HTTP) SendMessage(ctx context.Context, message Message) (duplicate bool, err error) {
	if message.TTL < 0 {
		return false, fmt.Errorf("client: a message's TTL is %s: it must not be negative", message.TTL)
	}
	body := map[string]any{"name": message.Name}
	for name, value := range map[string]string{"key": message.Key, "id": message.ID, "tenant": h.tenant} {
		if value != "" {
			body[name] = value
		}
	}
	if message.TTL > 0 {
		body["ttl_ms"] = max(1, message.TTL.Milliseconds())
	}
	var answer struct {
		Duplicate bool `json:"duplicate"`
	}
	err = h.post(ctx, "/v1/messages", body, message.Data, &answer)
	return answer.Duplicate, err
}
