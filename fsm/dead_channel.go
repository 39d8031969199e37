package fsm

import (
	"encoding/json"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// MaxDeadDataBytes is how large an event's data may be for a dead letter channel to be
// told it; of larger data it is told the size, and who needs it looks the event up.
const MaxDeadDataBytes = 256 << 10

// deadNews is the data of the event by which a dead letter channel is told of a dead job.
type deadNews struct {
	EventID string `json:"event_id"`
	Channel string `json:"channel"`
	Group   string `json:"group"`
	// Reason and Code are a DeadLetter's, Message that of the last failure.
	Reason   string `json:"reason"`
	Code     string `json:"code,omitempty"`
	Message  string `json:"message,omitempty"`
	Attempts uint32 `json:"attempts"`
	Key      string `json:"key"`
	ClientID string `json:"client_id,omitempty"`
	// RunID is the run whose step's job it is.
	RunID string `json:"run_id,omitempty"`
	// Bytes is how large the data is that workers got, and that stands last.
	Bytes int `json:"bytes"`

	EventData //nolint:embeddedstructfieldcheck // In JSON the data stands last.
}

// tellDead stores an event about a dead job in the dead letter channel of its channel,
// where it has one. The letter itself stays where it is, to be redriven or discarded.
func (m *Machine) tellDead(j *job) {
	to := m.settingsOf(j).DeadTo
	if to == "" || j.key.group != m.names.find(nameGroup, DefaultGroup) || m.drains(to, j.event) {
		return
	}
	e := &event{storedMS: m.counters.timeMS, whole: true, parent: j.event.id}
	e.Channel, e.Tenant, e.Key, e.ClientID = to, j.event.Tenant, j.event.Key, j.event.ClientID
	e.CorrelationID, e.Traceparent = j.event.correlationID(), j.event.Traceparent
	e.Payload = command.Payload{Codec: command.CodecJSON, Bytes: m.deadNewsOf(j)}
	if _, sent := m.sendAway(j.cursor.queue.tenant, e); !sent {
		m.store(e)
		m.indexLineage(e)
	}
}

// drains tells whether an event stands in a dead letter channel itself, or is of a run
// that an event of it has begun: what fails there is not told there, or it would never end.
func (m *Machine) drains(channel string, e *event) bool {
	if e.Channel == channel {
		return true
	}
	if e.Task.Run.IsZero() {
		return false
	}
	r := m.runOf(e.Task.Run)
	if r == nil {
		return false
	}
	start := m.startOf(r)
	return start != nil && start.Channel == channel
}

func (m *Machine) deadNewsOf(j *job) []byte {
	e := j.event
	news := deadNews{
		EventID: e.id.String(), Channel: e.Channel, Group: DefaultGroup, Attempts: j.attempt, Key: e.Key, ClientID: e.ClientID,
	}
	news.Reason, news.Code = deadReason(j.reason)
	if j.failure != nil {
		news.Message = j.failure.message
	}
	if !e.Task.Run.IsZero() {
		news.RunID = e.Task.Run.String()
	}
	given := m.givenOf(j)
	if news.Bytes = len(given.Bytes); news.Bytes <= MaxDeadDataBytes {
		news.EventData = dataOf(given)
	}
	text, err := json.Marshal(&news)
	invariants.Check(err == nil, "what is told of a dead job is JSON: %v", err)
	return text
}

// givenOf is the data that the workers of a job get.
func (m *Machine) givenOf(j *job) command.Payload {
	if j.edited {
		if value, found := m.get(keyJob(m.scratch.key[:0], kindRevision, j.key)); found {
			row := readRevision(value)
			return row.payload
		}
	}
	return m.dataOf(j)
}
