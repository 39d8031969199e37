package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// defaultSchedules is how many schedules a page has where none is said.
const defaultSchedules = 100

//nolint:gochecknoglobals // A list that is not changed.
var scheduleFilters = []string{"tenant", "workflow", "cursor", "limit"}

// schedulePut is what a schedule says. Times are Unix milliseconds.
type schedulePut struct {
	Workflow string `json:"workflow"`
	Alias    string `json:"alias"`
	Spec     string `json:"spec"`
	Timezone string `json:"timezone"`
	// Overlap is skip, buffer, cancel or allow; empty for skip.
	Overlap    string          `json:"overlap"`
	CatchUpMs  uint64          `json:"catch_up_ms"`
	JitterMs   uint64          `json:"jitter_ms"`
	StartAt    int64           `json:"start_at"`
	EndAt      int64           `json:"end_at"`
	MaxRuns    uint64          `json:"max_runs"`
	ClientID   string          `json:"client_id"`
	Key        string          `json:"key"`
	Data       json.RawMessage `json:"data"`
	DataBase64 *[]byte         `json:"data_base64"`
	// Paused pauses it, with a note; without it a paused one stays paused.
	Paused bool   `json:"paused"`
	Note   string `json:"note"`
}

// scheduleRequest is what may be said of what is asked of a schedule: the note of a pause,
// and the overlap policy of a trigger.
type scheduleRequest struct {
	Note    string `json:"note"`
	Overlap string `json:"overlap"`
}

// scheduleAnswer answers a delete or a trigger. RunID is empty of a run that waits for the
// end of another, or that began in another partition.
type scheduleAnswer struct {
	ScheduleID string `json:"schedule_id"`
	RunID      string `json:"run_id,omitempty"`
	Duplicate  bool   `json:"duplicate,omitempty"`
}

// listSchedules answers a page of schedules, by their ids.
func (g *Gateway) listSchedules(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains(scheduleFilters, name) {
			g.refuseHTTP(w, refusal{wire.ReasonBadRequest, fmt.Sprintf("the parameters are %s: not %s", english(scheduleFilters), clip(name, 64))})
			return
		}
	}
	want := &cluster.ScheduleQuery{Tenant: tenantOf(r), Workflow: query.Get("workflow"), After: query.Get("cursor"), Limit: defaultSchedules}
	if text := query.Get("limit"); text != "" {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 {
			g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "limit must be a number from 1"})
			return
		}
		want.Limit = min(limit, cluster.MaxListedSchedules)
	}
	page, err := g.broker.Schedules(r.Context(), want)
	g.answerLook(w, page, err)
}

// showSchedule answers one schedule.
func (g *Gateway) showSchedule(w http.ResponseWriter, r *http.Request) {
	found, err := g.broker.Schedule(r.Context(), tenantOf(r), r.PathValue("schedule_id"))
	if errors.Is(err, cluster.ErrNoSchedule) {
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, err.Error()})
		return
	}
	g.answerLook(w, found, err)
}

// putSchedule keeps a schedule, and answers it as it stands.
func (g *Gateway) putSchedule(w http.ResponseWriter, r *http.Request) {
	raw, bad := g.readBody(w, r)
	var said schedulePut
	if !bad.any() {
		bad = readObject(raw, &said)
	}
	c := &command.PutSchedule{Tenant: tenantOf(r), ID: r.PathValue("schedule_id"), Pause: said.Paused, Note: said.Note}
	if !bad.any() {
		bad = wrongSchedule(c.ID, &said)
	}
	if !bad.any() {
		c.Schedule, bad = g.scheduleOf(&said)
	}
	if !bad.any() {
		c.Route, bad = g.scheduleRoute(c.Tenant, c.ID)
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	if _, done := g.commandSchedule(w, r, c.Slot, c.Append(nil)); done {
		g.showSchedule(w, r)
	}
}

// wrongSchedule says what is wrong with a schedule that the cluster would not look at.
func wrongSchedule(id string, said *schedulePut) refusal {
	switch {
	case !wire.ValidName(id):
		return refusal{wire.ReasonBadRequest, "a schedule's id is 1 to 255 letters, digits, dots, underscores and hyphens"}
	case said.Workflow == "" || said.Spec == "":
		return refusal{wire.ReasonBadRequest, "workflow and spec must not be empty"}
	case len(said.ClientID) > wire.MaxClientIDBytes || len(said.Key) > wire.MaxKeyBytes || len(said.Note) > wire.MaxReasonBytes:
		return refusal{wire.ReasonBadRequest, "client_id, key or note is too long"}
	case said.Note != "" && !said.Paused:
		return refusal{wire.ReasonBadRequest, "note says why it is paused: it goes with paused"}
	default:
		return refusal{}
	}
}

func (g *Gateway) scheduleOf(said *schedulePut) (command.Schedule, refusal) {
	overlap, bad := overlapOf(said.Overlap)
	if bad.any() {
		return command.Schedule{}, bad
	}
	data, bad := g.payloadOf(said.Data, said.DataBase64)
	if data.Codec == command.CodecNone {
		data = command.Payload{Codec: command.CodecJSON, Bytes: []byte("null")}
	}
	return command.Schedule{
		Workflow: said.Workflow, Alias: said.Alias, Input: data, ClientID: said.ClientID, Key: said.Key,
		Spec: said.Spec, Timezone: said.Timezone, Overlap: overlap, CatchUpMS: said.CatchUpMs, JitterMS: said.JitterMs,
		StartMS: said.StartAt, EndMS: said.EndAt, MaxRuns: said.MaxRuns,
	}, bad
}

func overlapOf(word string) (command.Overlap, refusal) {
	overlap, known := command.ParseOverlap(word)
	if !known {
		return 0, refusal{wire.ReasonBadRequest, "overlap is skip, buffer, cancel or allow"}
	}
	return overlap, refusal{}
}

// deleteSchedule takes a schedule away; its runs go on.
func (g *Gateway) deleteSchedule(w http.ResponseWriter, r *http.Request) {
	c := &command.DeleteSchedule{Tenant: tenantOf(r), ID: r.PathValue("schedule_id")}
	var bad refusal
	if c.Route, bad = g.scheduleRoute(c.Tenant, c.ID); bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	if _, done := g.commandSchedule(w, r, c.Slot, c.Append(nil)); done {
		g.answerLook(w, scheduleAnswer{ScheduleID: c.ID}, nil)
	}
}

// controlSchedule asks something of a schedule, and answers it as it stands; or the run
// that was asked for.
func (g *Gateway) controlSchedule(action command.ScheduleAction) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, bad := g.readScheduleControl(w, r, action)
		if bad.any() {
			g.refuseHTTP(w, bad)
			return
		}
		result, done := g.commandSchedule(w, r, c.Slot, c.Append(nil))
		switch {
		case !done:
		case action == command.ScheduleTrigger:
			g.answerLook(w, scheduleAnswer{ScheduleID: c.ID, RunID: result.Event.String(), Duplicate: result.Duplicate}, nil)
		default:
			g.showSchedule(w, r)
		}
	}
}

func (g *Gateway) readScheduleControl(w http.ResponseWriter, r *http.Request, action command.ScheduleAction) (*command.ControlSchedule, refusal) {
	once, bad := g.onceOf(r)
	if bad.any() {
		return nil, bad
	}
	raw, bad := g.readBody(w, r)
	if bad.any() {
		return nil, bad
	}
	var said scheduleRequest
	if bad = readObject(raw, &said); bad.any() {
		return nil, bad
	}
	switch {
	case said.Note != "" && action != command.SchedulePause:
		return nil, refusal{wire.ReasonBadRequest, "note is for pause"}
	case said.Overlap != "" && action != command.ScheduleTrigger:
		return nil, refusal{wire.ReasonBadRequest, "overlap is for trigger"}
	case len(said.Note) > wire.MaxReasonBytes:
		return nil, refusal{wire.ReasonBadRequest, "note is too long"}
	}
	c := &command.ControlSchedule{Tenant: tenantOf(r), ID: r.PathValue("schedule_id"), Action: action, Note: said.Note, Once: once}
	if c.Overlap, bad = overlapOf(said.Overlap); bad.any() {
		return nil, bad
	}
	c.Route, bad = g.scheduleRoute(c.Tenant, c.ID)
	return c, bad
}

// scheduleRoute leads to where a schedule lives.
func (g *Gateway) scheduleRoute(tenant, id string) (command.Route, refusal) {
	if g.broker.Partitions() == 0 {
		return command.Route{}, refusal{wire.ReasonNoLeader, notFormed}
	}
	return command.Route{Slot: command.SlotOf(tenant, command.ScheduleKey(id)), SlotMap: command.SlotMapVersion}, refusal{}
}

// commandSchedule has a command carried out, and answers where it is not.
func (g *Gateway) commandSchedule(w http.ResponseWriter, r *http.Request, slot uint32, encoded []byte) (result command.Result, done bool) {
	waiter := newCommandWaiter(g)
	g.begin(&g.nobody, false)
	g.broker.Submit(command.PartitionOf(slot, g.broker.Partitions()), encoded, waiter, 0)
	result, done = waiter.wait(r.Context())
	switch {
	case !done:
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, "the cluster did not answer in time; the same again is safe, a trigger with the same Idempotency-Key"})
	case result.Reason != command.Done:
		e := resultError(&result)
		g.writeProblem(w, &e, e.Code)
		done = false
	}
	return result, done
}
