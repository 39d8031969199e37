package fsm

import (
	"cmp"
	"encoding/json"

	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Bounds of one page of schedules.
const (
	// MaxListedSchedules is how many a page has at most.
	MaxListedSchedules = 1000
	// schedulesLooked is how many rows one page looks at.
	schedulesLooked = MaxSchedules
)

// ScheduleInfo is a schedule as users see it. Times are Unix milliseconds.
type ScheduleInfo struct {
	ID       string `json:"schedule_id"`
	Workflow string `json:"workflow"`
	Alias    string `json:"alias,omitempty"`
	Spec     string `json:"spec"`
	Timezone string `json:"timezone"`
	// Overlap is skip, buffer, cancel or allow.
	Overlap   string `json:"overlap"`
	CatchUpMS int64  `json:"catch_up_ms"`
	JitterMS  uint64 `json:"jitter_ms,omitempty"`
	StartAt   int64  `json:"start_at,omitempty"`
	EndAt     int64  `json:"end_at,omitempty"`
	MaxRuns   uint64 `json:"max_runs,omitempty"`
	ClientID  string `json:"client_id,omitempty"`
	Key       string `json:"key,omitempty"`
	// State is active, paused, or ended where no time comes any more; Note says why it is
	// paused.
	State string `json:"state"`
	Note  string `json:"note,omitempty"`
	// NextAt is the time that comes next, DueAt when its run begins: after its jitter.
	// WaitingAt is the time whose run waits for the end of another.
	NextAt    int64 `json:"next_at,omitempty"`
	DueAt     int64 `json:"due_at,omitempty"`
	WaitingAt int64 `json:"waiting_at,omitempty"`
	// Fired and Triggered count the runs that it began, at its times and when somebody
	// asked; Skipped the times at which another run went on; Missed those that were over
	// for longer than its catch-up window; Failed those at which none could begin.
	Fired     uint64 `json:"fired"`
	Triggered uint64 `json:"triggered"`
	Skipped   uint64 `json:"skipped"`
	Missed    uint64 `json:"missed"`
	Failed    uint64 `json:"failed"`
	// Failure says why none could the last time, FailedAt when that was.
	Failure   string `json:"failure,omitempty"`
	FailedAt  int64  `json:"failed_at,omitempty"`
	CreatedAt int64  `json:"created_at"`
	ChangedAt int64  `json:"changed_at"`
	// Recent are its last MaxRecentFirings runs, the newest first. They, and the data, are
	// only in a look at one schedule.
	Recent     []ScheduleRun   `json:"recent,omitempty"`
	Data       json.RawMessage `json:"data,omitempty"`
	DataBase64 []byte          `json:"data_base64,omitempty"`
}

// ScheduleRun is a run that a schedule began.
type ScheduleRun struct {
	// RunID is empty where it began in another partition, by a key of its own.
	RunID string `json:"run_id,omitempty"`
	// NominalAt is the time that the calendar says, StartedAt when it began.
	NominalAt int64 `json:"nominal_at"`
	StartedAt int64 `json:"started_at"`
	Triggered bool  `json:"triggered,omitempty"`
}

// The states of schedules.
const (
	scheduleActive = "active"
	schedulePaused = "paused"
	scheduleEnded  = "ended"
)

// ScheduleQuery says which schedules of a tenant to read: those whose ids come after
// another, of one workflow or all.
type ScheduleQuery struct {
	Tenant, Workflow, After string
	Limit                   int
}

// SchedulePage is some schedules of one partition, by their ids.
type SchedulePage struct {
	Schedules []ScheduleInfo `json:"schedules"`
	// Next is the last id that was looked at; More means that there may be others behind.
	Next string `json:"next"`
	More bool   `json:"more"`
}

// ReadSchedule reads a schedule; nil where the tenant has none of that id.
func ReadSchedule(view *storage.View, tenant, id string) (info *ScheduleInfo, err error) {
	defer invariants.Recover(&err)
	of, err := lookUpTenant(view, tenant)
	if err != nil || of == 0 {
		return nil, err
	}
	value, found, err := view.Get(keySchedule(nil, scheduleSays, of, id))
	if err != nil || !found {
		return nil, err
	}
	s := &schedule{tenant: of, id: id, Schedule: readSchedule(value)}
	if info, err = s.describe(view); err != nil {
		return nil, err
	}
	info.Data, info.DataBase64 = runData(s.Input)
	for i := len(s.recent) - 1; i >= 0; i-- {
		f := &s.recent[i]
		run := ScheduleRun{NominalAt: f.nominalMS, StartedAt: f.firedMS, Triggered: f.asked}
		if !f.run.IsZero() {
			run.RunID = f.run.String()
		}
		info.Recent = append(info.Recent, run)
	}
	return info, nil
}

// ReadSchedules reads a page of a tenant's schedules.
func ReadSchedules(view *storage.View, query *ScheduleQuery) (page *SchedulePage, err error) {
	defer invariants.Recover(&err)
	page = &SchedulePage{Schedules: []ScheduleInfo{}, Next: query.After}
	of, err := lookUpTenant(view, query.Tenant)
	if err != nil || of == 0 {
		return page, err
	}
	limit, looked := query.Limit, 0
	if limit <= 0 || limit > MaxListedSchedules {
		limit = MaxListedSchedules
	}
	prefix := keySchedule(nil, scheduleSays, of, "")
	from := prefix
	if query.After != "" {
		from = append(keySchedule(nil, scheduleSays, of, query.After), 0) // Behind it.
	}
	err = view.Scan(from, after(prefix), func(key, value []byte) (bool, error) {
		if looked == schedulesLooked || len(page.Schedules) == limit {
			page.More = true
			return false, nil
		}
		looked++
		page.Next = string(key[len(prefix):])
		s := &schedule{tenant: of, id: page.Next, Schedule: readSchedule(value)}
		if query.Workflow != "" && s.Workflow != query.Workflow {
			return true, nil
		}
		info, failed := s.describe(view)
		if failed == nil {
			page.Schedules = append(page.Schedules, *info)
		}
		return failed == nil, failed
	})
	return page, err
}

// describe is what its rows tell of a schedule.
func (s *schedule) describe(view *storage.View) (*ScheduleInfo, error) {
	value, found, err := view.Get(keySchedule(nil, scheduleIs, s.tenant, s.id))
	if err != nil {
		return nil, err
	}
	if found {
		s.read(value)
	}
	return &ScheduleInfo{
		ID: s.id, Workflow: s.Workflow, Alias: s.Alias, Spec: s.Spec, Timezone: cmp.Or(s.Timezone, "UTC"),
		Overlap: s.Overlap.String(), CatchUpMS: s.catchUpMS(), JitterMS: s.JitterMS, StartAt: s.StartMS, EndAt: s.EndMS,
		MaxRuns: s.MaxRuns, ClientID: s.ClientID, Key: s.Key, State: s.stateText(), Note: s.note,
		NextAt: s.nextMS, DueAt: s.dueMS, WaitingAt: s.waitsMS,
		Fired: s.fired, Triggered: s.asked, Skipped: s.skipped, Missed: s.missed, Failed: s.failed,
		Failure: s.failure, FailedAt: s.failedMS, CreatedAt: s.createdMS, ChangedAt: s.changedMS,
	}, nil
}

func (s *schedule) stateText() string {
	switch {
	case s.paused:
		return schedulePaused
	case s.nextMS == 0:
		return scheduleEnded
	default:
		return scheduleActive
	}
}
