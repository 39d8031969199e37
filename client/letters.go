package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/batonmq/baton/transport/wire"
)

// EventInfo is what a look-up tells of an event wherever it stands. Times are
// Unix milliseconds.
type EventInfo struct {
	EventID        string            `json:"event_id"`
	Tenant         string            `json:"tenant"`
	Channel        string            `json:"channel"`
	Offset         uint64            `json:"offset"`
	Key            string            `json:"key"`
	ClientID       string            `json:"client_id"`
	IdempotencyKey string            `json:"idempotency_key"`
	CorrelationID  string            `json:"correlation_id"`
	CausationID    string            `json:"causation_id"`
	ContentType    string            `json:"content_type"`
	Headers        map[string]string `json:"headers"`
	Priority       uint8             `json:"priority"`
	// Time is when it was stored, DeliverAt when it may be worked on.
	Time      int64 `json:"time"`
	DeliverAt int64 `json:"deliver_at"`
	// EndsAt is when its time to live is over, 0 for never.
	EndsAt int64 `json:"ends_at"`
	Bytes  int   `json:"bytes"`
	// Data or DataBase64 is what it carries; neither in a list.
	Data       json.RawMessage `json:"data"`
	DataBase64 []byte          `json:"data_base64"`
}

// EventAttempt is one grant of an event and how it ended.
type EventAttempt struct {
	Group   string `json:"group"`
	Attempt int    `json:"attempt"`
	// Outcome is completed, failed, expired, released, canceled or throttled;
	// redriven and discarded are what became of a dead letter after the attempt.
	Outcome  string `json:"outcome"`
	Worker   string `json:"worker"`
	Node     string `json:"node"`
	LeasedAt int64  `json:"leased_at"`
	ParkedAt int64  `json:"parked_at"`
	EndedAt  int64  `json:"ended_at"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	// Note is what a discard said.
	Note    string          `json:"note"`
	Detail  json.RawMessage `json:"detail"`
	Result  json.RawMessage `json:"result"`
	Usage   json.RawMessage `json:"usage"`
	Emitted []string        `json:"emitted"`
}

// DeadLetter is an event that failed for good in a group.
type DeadLetter struct {
	EventInfo

	Group string `json:"group"`
	// Reason is permanent, retries_exhausted or leases_lost, Code the last failure's.
	Reason string `json:"reason"`
	Code   string `json:"code"`
	DeadAt int64  `json:"dead_at"`
	// RunID, Workflow, Step and Item say of which job of a run it is, where it is of one.
	RunID    string `json:"run_id"`
	Workflow string `json:"workflow"`
	Step     string `json:"step"`
	Item     int    `json:"item"`
	// Redrivable tells whether it can be put back in line, Edited that its data
	// is that of its last redrive.
	Redrivable        bool           `json:"redrivable"`
	Edited            bool           `json:"edited"`
	Attempts          []EventAttempt `json:"attempts"`
	AttemptsTruncated bool           `json:"attempts_truncated"`
}

// Letters says which dead letters are meant. Empty fields mean any.
type Letters struct {
	Channel, Group string
	// Reason is a letter's reason, or the code of its last failure.
	Reason string
	// Cursor is that of the page before; Limit is how many are wanted, 0 for as
	// many as the node likes.
	Cursor string
	Limit  int
	// Rate is how many RedriveAll and DiscardAll do in a second, 0 for as fast as it goes.
	Rate int
	// DryRun has them change nothing, and say what they would do.
	DryRun bool
	// Note is kept with what DiscardAll discards, to say why.
	Note string
}

// DeadLetters is a page of dead letters.
type DeadLetters struct {
	DeadLetters []DeadLetter `json:"dead_letters"`
	// Cursor is where the next page begins, empty when there is none. A page may
	// be empty and lead on nevertheless.
	Cursor string `json:"cursor"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// Swept is what a redrive or discard by filter did.
type Swept struct {
	Redriven  int `json:"redriven"`
	Discarded int `json:"discarded"`
	// Refused are those that cannot be redriven: their time to live is over, or their
	// lineage is canceled and has not ended yet.
	Refused int `json:"refused,omitempty"`
	// Skipped are the first to which it was not done: those that were refused, and those
	// that are no dead letters any more.
	Skipped []SkippedLetter `json:"skipped,omitempty"`
	// EventIDs are the first to which a dry run would have done it.
	EventIDs []string `json:"event_ids,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
	// Cursor is where to go on; empty when it is through.
	Cursor string `json:"cursor"`
}

// SkippedLetter is a dead letter that was neither redriven nor discarded.
type SkippedLetter struct {
	EventID string `json:"event_id"`
	Group   string `json:"group"`
	Why     string `json:"why"`
}

// Edit is what a redrive may change.
type Edit struct {
	// Group is the group in which the event is dead; empty for each of them.
	Group string
	// Edited means that workers get Data, as an Event's, and ContentType where it
	// is not empty.
	Edited      bool
	Data        any
	ContentType string
}

// EventView is all that is known of one event.
type EventView struct {
	EventInfo

	State             string          `json:"state"`
	Groups            []EventGroup    `json:"groups"`
	Attempts          []EventAttempt  `json:"attempts"`
	AttemptsTruncated bool            `json:"attempts_truncated"`
	Raw               json.RawMessage `json:"-"`
}

// EventGroup is where an event stands in one group.
type EventGroup struct {
	Group    string `json:"group"`
	State    string `json:"state"`
	Attempt  int    `json:"attempt"`
	Failures int    `json:"failures"`
	Losses   int    `json:"losses"`
	Worker   string `json:"worker"`
	Node     string `json:"node"`
	LeasedAt int64  `json:"leased_at"`
	ParkedAt int64  `json:"parked_at"`
	DueAt    int64  `json:"due_at"`
	EndedAt  int64  `json:"ended_at"`
	Reason   string `json:"reason"`
}

// Event returns one event with its state in each group and its attempts, or
// ErrNotFound.
func (h *HTTP) Event(ctx context.Context, eventID string) (*EventView, error) {
	e := &EventView{}
	raw, err := h.get(ctx, h.path("/v1/events/", eventID), e)
	e.Raw = raw
	return e, err
}

// Why tells why an event waits.
type Why struct {
	EventID string          `json:"event_id"`
	Channel string          `json:"channel"`
	Time    int64           `json:"time"`
	Groups  []WhyGroup      `json:"groups"`
	Raw     json.RawMessage `json:"-"`
}

// WhyGroup is why it waits in one group. Reason is a stable word; which fields are set
// follows from it.
type WhyGroup struct {
	Group  string `json:"group"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	// Ahead is how many events of the tenant come first, at most 1000.
	Ahead    int    `json:"ahead"`
	BusyWith string `json:"busy_with"`
	// Limit and LimitKey name the limit of which InFlight of MaxInFlight are in flight.
	Limit       string `json:"limit"`
	LimitKey    string `json:"limit_key"`
	InFlight    int    `json:"in_flight"`
	MaxInFlight int    `json:"max_in_flight"`
	// Until and Since are Unix milliseconds.
	Until   int64  `json:"until"`
	Since   int64  `json:"since"`
	Worker  string `json:"worker"`
	Node    string `json:"node"`
	Attempt int    `json:"attempt"`
	Ended   string `json:"ended"`
	// Workers may be given the event, Credit is how much they have free; nil where it
	// does not wait for that.
	Workers *int    `json:"workers"`
	Credit  *uint64 `json:"credit"`
}

// Why tells why an event waits, or ErrNotFound.
func (h *HTTP) Why(ctx context.Context, eventID string) (*Why, error) {
	why := &Why{}
	raw, err := h.get(ctx, h.path("/v1/events/", eventID, "/why"), why)
	why.Raw = raw
	return why, err
}

// DeadLetters returns a page of dead letters: those stored first come first.
func (h *HTTP) DeadLetters(ctx context.Context, want Letters) (*DeadLetters, error) {
	page := &DeadLetters{}
	raw, err := h.get(ctx, "/v1/deadletters"+h.query(want), page)
	page.Raw = raw
	return page, err
}

// DeadLetter returns the dead letters of one event, one for each group in which
// it is dead, with their data; ErrNotFound when it is none.
func (h *HTTP) DeadLetter(ctx context.Context, eventID string) (*DeadLetters, error) {
	page := &DeadLetters{}
	raw, err := h.get(ctx, h.path("/v1/deadletters/", eventID), page)
	page.Raw = raw
	return page, err
}

// Redrive puts a dead letter back in line, with other data where the edit says
// so; ErrNotFound when it is none, or none any more.
func (h *HTTP) Redrive(ctx context.Context, eventID string, edit Edit) error {
	body := map[string]any{}
	if edit.Group != "" {
		body["group"] = edit.Group
	}
	if edit.Edited {
		payload, err := payloadOf(edit.Data)
		if err != nil {
			return err
		}
		if payload.Kind == wire.PayloadBytes {
			body["data_base64"] = payload.Bytes
		} else {
			body["data"] = json.RawMessage(payload.Bytes)
		}
		if edit.ContentType != "" {
			body["content_type"] = edit.ContentType
		}
	}
	encoded, err := encode(body)
	if err != nil {
		return err
	}
	return h.change(ctx, http.MethodPost, h.path("/v1/deadletters/", eventID, "/redrive"), encoded, &struct{}{})
}

// Discard gives a dead letter up for good, in one group or, where that is empty,
// in each; the note, which may be empty, is kept with it. ErrNotFound when it is none, or
// none any more.
func (h *HTTP) Discard(ctx context.Context, eventID, group, note string) error {
	path := "/v1/deadletters/" + url.PathEscape(eventID) + h.query(Letters{Group: group, Note: note})
	return h.change(ctx, http.MethodDelete, path, nil, &struct{}{})
}

// RedriveAll puts all dead letters that are meant back in line, and DiscardAll
// gives them up; Channel must not be empty for that. They end early, with a
// Cursor to go on from, after Limit or when the node's time for a request is
// over.
func (h *HTTP) RedriveAll(ctx context.Context, meant Letters) (*Swept, error) {
	swept := &Swept{}
	return swept, h.change(ctx, http.MethodPost, "/v1/deadletters/redrive"+h.query(meant), nil, swept)
}

// DiscardAll gives all dead letters that are meant up: see RedriveAll.
func (h *HTTP) DiscardAll(ctx context.Context, meant Letters) (*Swept, error) {
	swept := &Swept{}
	return swept, h.change(ctx, http.MethodDelete, "/v1/deadletters"+h.query(meant), nil, swept)
}

// change sends a request that changes something to the first node that answers.
// All tries have one idempotency key: one that took effect is not refused.
func (h *HTTP) change(ctx context.Context, method, path string, body []byte, into any) error {
	key := rand.Text()
	_, err := h.each(ctx, into, func(node string) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, method, node+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		request.Header.Set("Idempotency-Key", key)
		return h.do(request)
	})
	return err
}

// query is the query of a request about dead letters.
func (h *HTTP) query(l Letters) string {
	values := url.Values{}
	for name, value := range map[string]string{
		"tenant": h.tenant, "channel": l.Channel, "group": l.Group, "reason": l.Reason, "cursor": l.Cursor, "note": l.Note,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if l.Limit > 0 {
		values.Set("limit", strconv.Itoa(l.Limit))
	}
	if l.Rate > 0 {
		values.Set("rate", strconv.Itoa(l.Rate))
	}
	if l.DryRun {
		values.Set("dry_run", "true")
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// encode is json.Marshal without its escapes for HTML, which would change data.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return b.Bytes(), err
}
