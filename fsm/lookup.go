package fsm

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// MaxShownAttempts is how many attempts a look-up of one event or dead letter
// shows: the last ones.
const MaxShownAttempts = 100

// EventInfo is what a look-up tells of an event wherever it stands.
type EventInfo struct {
	EventID        string          `json:"event_id"`
	Tenant         string          `json:"tenant"`
	Channel        string          `json:"channel"`
	Offset         uint64          `json:"offset"`
	Key            string          `json:"key"`
	ClientID       string          `json:"client_id,omitempty"`
	IdempotencyKey string          `json:"idempotency_key,omitempty"`
	CorrelationID  string          `json:"correlation_id"`
	CausationID    string          `json:"causation_id"`
	ContentType    string          `json:"content_type,omitempty"`
	Headers        json.RawMessage `json:"headers,omitempty"`
	Priority       uint32          `json:"priority,omitempty"`
	// Time is when it was stored.
	Time int64 `json:"time"`
	// DeliverAt is when it may be worked on, where it was held back.
	DeliverAt int64 `json:"deliver_at,omitempty"`
	// EndsAt is when its time to live is over, where it has one.
	EndsAt int64 `json:"ends_at,omitempty"`
	Bytes  int   `json:"bytes"`
}

// EventData is a payload in JSON: one of the two is set, or neither where it was
// not asked for.
type EventData struct {
	Data       json.RawMessage `json:"data,omitempty"`
	DataBase64 []byte          `json:"data_base64,omitempty"`
}

// EventAttempt is one grant of an event and how it ended.
type EventAttempt struct {
	Group   string `json:"group"`
	Attempt uint32 `json:"attempt"`
	// Outcome is completed, failed, expired, released, canceled or throttled;
	// redriven and discarded are what became of a dead letter after the attempt.
	Outcome  string `json:"outcome"`
	Worker   string `json:"worker,omitempty"`
	Node     string `json:"node,omitempty"`
	LeasedAt int64  `json:"leased_at,omitempty"`
	// ParkedAt is when its worker put it into other hands, where it did.
	ParkedAt int64  `json:"parked_at,omitempty"`
	EndedAt  int64  `json:"ended_at"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	// Note is what a discard said.
	Note    string          `json:"note,omitempty"`
	Detail  json.RawMessage `json:"detail,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Usage   json.RawMessage `json:"usage,omitempty"`
	Emitted []string        `json:"emitted,omitempty"`
}

// GroupState is where an event stands in one group.
type GroupState struct {
	Group string `json:"group"`
	// State is waiting, delayed, leased, parked, completed, dead, canceled, lapsed or
	// discarded.
	State    string `json:"state"`
	Attempt  uint32 `json:"attempt,omitempty"`
	Failures uint32 `json:"failures,omitempty"`
	// Losses counts the leases that were lost on it.
	Losses   uint32 `json:"losses,omitempty"`
	Worker   string `json:"worker,omitempty"`
	Node     string `json:"node,omitempty"`
	LeasedAt int64  `json:"leased_at,omitempty"`
	// ParkedAt is when a parked one was parked. DueAt is when it is lost, or a delayed
	// event becomes ready, EndedAt when a dead or canceled
	// one came to its end, and Reason why.
	ParkedAt int64  `json:"parked_at,omitempty"`
	DueAt    int64  `json:"due_at,omitempty"`
	EndedAt  int64  `json:"ended_at,omitempty"`
	Reason   string `json:"reason,omitempty"`
	// Edited is the data that workers of this group get since a redrive brought
	// it.
	Edited *EventData `json:"edited,omitempty"`
}

// EventView is all that a partition knows of one event.
type EventView struct {
	EventInfo

	// State is that of the group with most to do, as in a lineage: see firstOf.
	State string `json:"state"`
	// Groups are those that work on it: not the group default of a fan-out.
	Groups   []GroupState   `json:"groups"`
	Attempts []EventAttempt `json:"attempts"`
	// AttemptsTruncated means that there were more than MaxShownAttempts.
	AttemptsTruncated bool `json:"attempts_truncated,omitempty"`

	EventData //nolint:embeddedstructfieldcheck // In JSON the data stands last.
}

// ReadEvent reads one event of a tenant; nil when there is none.
func ReadEvent(view *storage.View, tenant string, id command.EventID) (seen *EventView, err error) {
	defer invariants.Recover(&err)
	l, e, err := lookUpEvent(view, tenant, id)
	if err != nil || e == nil {
		return nil, err
	}
	seen = &EventView{EventInfo: infoOf(e), EventData: dataOf(e.Payload), Groups: []GroupState{}}
	if seen.Attempts, seen.AttemptsTruncated, err = l.shownAttempts(e, 0); err != nil {
		return nil, err
	}
	if seen.State, err = l.state(e); err != nil {
		return nil, err
	}
	for _, group := range l.groupsOf(e) {
		at, err := l.groupState(e, group)
		if err != nil {
			return nil, err
		}
		if at.State != "" {
			seen.Groups = append(seen.Groups, at)
		}
	}
	return seen, l.names.err
}

// lookUpEvent finds a tenant's event, and makes a reader that knows its groups.
func lookUpEvent(view *storage.View, tenant string, id command.EventID) (*lineageReader, *event, error) {
	e, err := readEventOf(view, id)
	if err != nil || e == nil || e.Tenant != tenant {
		return nil, nil, err
	}
	l, err := newLetterReader(view)
	if err != nil {
		return nil, nil, err
	}
	_, err = l.queue(id.Queue)
	return l, e, err
}

func (l *lineageReader) groupState(e *event, group uint32) (GroupState, error) {
	state, j, err := l.stateIn(e, group)
	at := GroupState{Group: l.names.text(nameGroup, group), State: state}
	if err != nil || j == nil {
		return at, err
	}
	at.Attempt, at.Failures, at.Losses, at.Reason = j.attempt, j.failures, j.losses, j.reason
	at.Worker, at.Node = j.holder.Worker, j.holder.Node
	switch j.state {
	case jobLeased:
		at.LeasedAt = j.grantedMS
	case jobParked:
		at.LeasedAt, at.ParkedAt, at.DueAt = j.grantedMS, j.parkedMS, j.dueMS
	case jobDelayed:
		at.DueAt = j.dueMS
	case jobDead, jobCanceled, jobRunFailed:
		at.EndedAt = j.dueMS
	case jobLapsed:
		at.EndedAt = l.lapsedMS(e, group)
	case jobReady, jobBlocked, jobLimited, jobCalled, jobRuns, jobHeld:
	}
	if j.edited {
		revised, err := l.revision(jobKey{group, e.id.Queue, e.id.Position}, e)
		if err != nil {
			return at, err
		}
		data := dataOf(revised.Payload)
		at.Edited = &data
	}
	return at, nil
}

// revision is an event as the workers of an edited job get it.
func (l *lineageReader) revision(key jobKey, e *event) (*event, error) {
	value, found, err := l.view.Get(keyJob(nil, kindRevision, key))
	if err != nil || !found {
		return e, err
	}
	row := readRevision(value)
	return row.over(e), nil
}

// shownAttempts are the last attempts at an event, in one group or, for 0, all.
func (l *lineageReader) shownAttempts(e *event, group uint32) (shown []EventAttempt, truncated bool, err error) {
	shown = []EventAttempt{}
	prefix := keyPlace(nil, kindAttempt, e.id.Queue, e.id.Position)
	err = l.view.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		row := readAttempt(append([]byte(nil), value...))
		l.noteLast(&row)
		if group != 0 && row.group != group {
			return true, nil
		}
		if len(shown) == MaxShownAttempts {
			shown, truncated = append(shown[:0], shown[1:]...), true
		}
		shown = append(shown, l.shown(&row))
		return true, nil
	})
	return shown, truncated, err
}

func (l *lineageReader) shown(row *attemptRow) EventAttempt {
	a := EventAttempt{
		Group: l.names.text(nameGroup, row.group), Attempt: row.attempt, Outcome: row.how.word(),
		Worker: row.worker, Node: row.node, LeasedAt: row.grantedMS, ParkedAt: row.parkedMS, EndedAt: row.endedMS,
		Code: row.code, Message: row.message, Detail: valid(row.detail), Result: valid(row.result.Bytes), Usage: valid(row.usage),
	}
	if row.how == endRedriven || row.how == endDiscarded {
		a.LeasedAt = 0 // It is when the letter died: see keepEnd.
	}
	if row.how == endDiscarded {
		a.Code, a.Note = "", row.code
	}
	for _, id := range row.emitted {
		a.Emitted = append(a.Emitted, id.String())
	}
	return a
}

func infoOf(e *event) EventInfo {
	info := EventInfo{
		EventID: e.id.String(), Tenant: e.Tenant, Channel: e.Channel, Offset: e.id.Position, Key: e.Key, ClientID: e.ClientID,
		IdempotencyKey: e.IdempotencyKey, CorrelationID: e.correlationID(), CausationID: e.causationID(),
		ContentType: e.ContentType, Headers: valid(e.Headers), Priority: e.Priority, Time: e.storedMS, DeliverAt: e.deliverMS, Bytes: len(e.Payload.Bytes),
	}
	if e.TTLMS != 0 {
		info.EndsAt = e.endMS()
	}
	return info
}

// dataOf is a payload as clients see it; without one it is null.
func dataOf(p command.Payload) EventData {
	if p.Codec == command.CodecBytes {
		return EventData{DataBase64: p.Bytes}
	}
	if value := valid(p.Bytes); value != nil {
		return EventData{Data: value}
	}
	return EventData{Data: json.RawMessage("null")}
}
