package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// ScheduleSpec is what a schedule says: when runs of which workflow begin.
type ScheduleSpec struct {
	Workflow string
	// Alias is an alias, or a version in full; empty for prod.
	Alias string
	// Spec is when: five fields as for cron, @daily and the like, or a period such as
	// "every 5m". Timezone is a name of the IANA database; empty for UTC.
	Spec, Timezone string
	// Overlap says what becomes of a time when another run still goes on: skip, which is
	// what the empty one means, buffer, cancel or allow.
	Overlap string
	// CatchUp is how late a run may begin, a day where it is 0. Jitter spreads schedules of
	// the same times.
	CatchUp, Jitter time.Duration
	// Start and End bound its times: from the one until before the other.
	Start, End time.Time
	// MaxRuns is how many runs it begins, 0 for any number.
	MaxRuns int
	// ClientID is whose runs they are. Key is their partition key, which needs the overlap
	// allow; empty for the schedule's own.
	ClientID, Key string
	// Data is the runs' input, as an Event's; nil is JSON's null.
	Data any
	// Paused pauses it, with a Note; without it a paused one stays paused.
	Paused bool
	Note   string
}

// Schedule is a schedule as it stands. Times are Unix milliseconds, 0 for none.
type Schedule struct {
	ScheduleID string `json:"schedule_id"`
	Workflow   string `json:"workflow"`
	Alias      string `json:"alias"`
	Spec       string `json:"spec"`
	Timezone   string `json:"timezone"`
	Overlap    string `json:"overlap"`
	CatchUpMS  int64  `json:"catch_up_ms"`
	JitterMS   int64  `json:"jitter_ms"`
	StartAt    int64  `json:"start_at"`
	EndAt      int64  `json:"end_at"`
	MaxRuns    int    `json:"max_runs"`
	ClientID   string `json:"client_id"`
	Key        string `json:"key"`
	// State is active, paused, or ended where no time comes any more.
	State string `json:"state"`
	Note  string `json:"note"`
	// NextAt is the time that comes next, DueAt when its run begins: after the jitter.
	// WaitingAt is the time whose run waits for the end of another.
	NextAt    int64 `json:"next_at"`
	DueAt     int64 `json:"due_at"`
	WaitingAt int64 `json:"waiting_at"`
	// Fired and Triggered count its runs; Skipped the times at which another run went on,
	// Missed those that were over for too long, Failed those at which none could begin.
	Fired     int64 `json:"fired"`
	Triggered int64 `json:"triggered"`
	Skipped   int64 `json:"skipped"`
	Missed    int64 `json:"missed"`
	Failed    int64 `json:"failed"`
	// Failure says why none could the last time, FailedAt when that was.
	Failure   string `json:"failure"`
	FailedAt  int64  `json:"failed_at"`
	CreatedAt int64  `json:"created_at"`
	ChangedAt int64  `json:"changed_at"`
	// Recent are its last runs, the newest first. They, and the data, are only in what
	// Schedule returns.
	Recent     []ScheduleRun   `json:"recent"`
	Data       json.RawMessage `json:"data"`
	DataBase64 []byte          `json:"data_base64"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// ScheduleRun is a run that a schedule began. RunID is empty of one in another partition.
type ScheduleRun struct {
	RunID     string `json:"run_id"`
	NominalAt int64  `json:"nominal_at"`
	StartedAt int64  `json:"started_at"`
	Triggered bool   `json:"triggered"`
}

// Schedules is a page of schedules.
type Schedules struct {
	Schedules []Schedule `json:"schedules"`
	// Cursor is where the next page begins, empty when there is none. A page may be empty
	// and lead on nevertheless.
	Cursor string `json:"cursor"`
}

// TriggeredRun is what came of a trigger.
type TriggeredRun struct {
	ScheduleID string `json:"schedule_id"`
	// RunID is empty of a run that waits for the end of another, or that began in another
	// partition.
	RunID     string `json:"run_id"`
	Duplicate bool   `json:"duplicate"`
}

// PutSchedule keeps a schedule, in the place of the one that was there, and returns it as
// it stands.
func (h *HTTP) PutSchedule(ctx context.Context, id string, spec ScheduleSpec) (*Schedule, error) {
	if spec.CatchUp < 0 || spec.Jitter < 0 || spec.MaxRuns < 0 {
		return nil, fmt.Errorf("client: a schedule's CatchUp, Jitter and MaxRuns must not be negative")
	}
	body := map[string]any{"workflow": spec.Workflow, "spec": spec.Spec}
	for name, value := range map[string]string{
		"alias": spec.Alias, "timezone": spec.Timezone, "overlap": spec.Overlap, "client_id": spec.ClientID, "key": spec.Key, "note": spec.Note,
	} {
		if value != "" {
			body[name] = value
		}
	}
	for name, value := range map[string]int64{
		"catch_up_ms": spec.CatchUp.Milliseconds(), "jitter_ms": spec.Jitter.Milliseconds(), "max_runs": int64(spec.MaxRuns),
		"start_at": unixOf(spec.Start), "end_at": unixOf(spec.End),
	} {
		if value != 0 {
			body[name] = value
		}
	}
	if spec.Paused {
		body["paused"] = true
	}
	payload, err := payloadOf(spec.Data)
	if err != nil {
		return nil, err
	}
	if payload.Kind == wire.PayloadBytes {
		body["data_base64"] = payload.Bytes
	} else {
		body["data"] = json.RawMessage(payload.Bytes)
	}
	encoded, err := encode(body)
	if err != nil {
		return nil, err
	}
	kept := &Schedule{}
	return kept, h.change(ctx, http.MethodPut, h.path("/v1/schedules/", id), encoded, kept)
}

func unixOf(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Schedule returns a schedule, or ErrNotFound.
func (h *HTTP) Schedule(ctx context.Context, id string) (*Schedule, error) {
	found := &Schedule{}
	raw, err := h.get(ctx, h.path("/v1/schedules/", id), found)
	found.Raw = raw
	return found, err
}

// Schedules returns a page of schedules, of a workflow or, where none is named, of all;
// limit 0 is as many as the node likes.
func (h *HTTP) Schedules(ctx context.Context, workflow, cursor string, limit int) (*Schedules, error) {
	values := url.Values{}
	for name, value := range map[string]string{"workflow": workflow, "cursor": cursor, "tenant": h.tenant} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if limit > 0 {
		values.Set("limit", strconv.Itoa(limit))
	}
	page := &Schedules{}
	_, err := h.get(ctx, query("/v1/schedules", values), page)
	return page, err
}

// DeleteSchedule takes a schedule away; its runs go on.
func (h *HTTP) DeleteSchedule(ctx context.Context, id string) error {
	return h.change(ctx, http.MethodDelete, h.path("/v1/schedules/", id), nil, &TriggeredRun{})
}

// PauseSchedule has a schedule begin no more runs. What goes by until it goes on is not
// missed.
func (h *HTTP) PauseSchedule(ctx context.Context, id, note string) (*Schedule, error) {
	body := map[string]any{}
	if note != "" {
		body["note"] = note
	}
	paused := &Schedule{}
	return paused, h.postBody(ctx, h.path("/v1/schedules/", id, "/pause"), body, paused)
}

// ResumeSchedule has a paused schedule go on.
func (h *HTTP) ResumeSchedule(ctx context.Context, id string) (*Schedule, error) {
	resumed := &Schedule{}
	return resumed, h.postBody(ctx, h.path("/v1/schedules/", id, "/resume"), map[string]any{}, resumed)
}

// TriggerSchedule begins a run of a schedule now, beside its times. Overlap is another
// policy than the schedule's, empty for that.
func (h *HTTP) TriggerSchedule(ctx context.Context, id, overlap string) (*TriggeredRun, error) {
	body := map[string]any{}
	if overlap != "" {
		body["overlap"] = overlap
	}
	run := &TriggeredRun{}
	return run, h.postBody(ctx, h.path("/v1/schedules/", id, "/trigger"), body, run)
}
