package client

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// Job is an event that is leased to this worker. What the handler emits and
// notifies takes effect when it returns nil, all together.
type Job struct {
	EventID        string
	Channel        string
	Group          string
	Key            string
	IdempotencyKey string
	CorrelationID  string
	CausationID    string
	// ClientID is whose event it is; empty where it is no client's.
	ClientID string
	Tenant   string
	// RunID and Step are the run and the step whose job it is; empty where it is none's.
	RunID, Step string
	// Attempt counts from 1. Fence grows with every grant of this event: give it
	// to a store that must refuse the writes of a worker that lost its lease.
	Attempt int
	Fence   uint64
	// Lease is how long a lease is.
	Lease   time.Duration
	Headers map[string]string
	// ContentType is what was said of Data when it was published, or edited by a
	// redrive; often nothing.
	ContentType string
	// LastCheckpoint is what an earlier attempt saved, nil for nothing.
	LastCheckpoint json.RawMessage
	Data           Payload

	worker *worker
	token  string // of the lease
	once   onceResults

	mu       sync.Mutex // guards the rest
	streams  map[string]*TokenStream
	emits    []wire.Emit
	notifies []wire.NotifyItem
	result   wire.Raw
	usage    wire.Raw
	bad      error // what could not be encoded
}

// EventOption changes an emitted event.
type EventOption func(*Event)

// WithKey sets the partition key; otherwise it is the job's.
func WithKey(key string) EventOption { return func(e *Event) { e.Key = key } }

// WithHeader adds a header.
func WithHeader(name, value string) EventOption {
	return func(e *Event) {
		if e.Headers == nil {
			e.Headers = make(map[string]string)
		}
		e.Headers[name] = value
	}
}

// WithDelay keeps the event back for a while.
func WithDelay(delay time.Duration) EventOption { return func(e *Event) { e.Delay = delay } }

// WithPriority makes it more urgent than others of its tenant.
func WithPriority(priority uint8) EventOption { return func(e *Event) { e.Priority = priority } }

// WithIdempotencyKey sets the idempotency key.
func WithIdempotencyKey(key string) EventOption { return func(e *Event) { e.IdempotencyKey = key } }

// WithClientID makes it another client's event.
func WithClientID(id string) EventOption { return func(e *Event) { e.ClientID = id } }

// Emit sends an event on when the job completes. Client, key and correlation id
// are the job's unless an option says otherwise. Data is as in Event.Data; what
// cannot be encoded fails the job for good when its handler returns.
func (j *Job) Emit(channel string, data any, options ...EventOption) {
	event := Event{Channel: channel, Data: data}
	for _, option := range options {
		option(&event)
	}
	j.EmitEvent(event)
}

// EmitEvent is Emit with every field at hand.
func (j *Job) EmitEvent(event Event) {
	fields, err := event.fields()
	if err == nil && event.OnEnd != "" {
		err = refuse(wire.ReasonBadRequest, "OnEnd is for what clients publish: a job cannot emit it")
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(err)
	j.emits = append(j.emits, wire.Emit{EventFields: fields, ClientID: alias(event.ClientID)})
	if len(j.emits) > wire.MaxEmits {
		j.note(refuse(wire.ReasonBadRequest, "a job emits at most %d events", wire.MaxEmits))
	}
}

// Notify sends a notification to the client whose event this is, when the job
// completes.
func (j *Job) Notify(name string, data any) { j.NotifyClient("", name, data) }

// NotifyClient is Notify for any client.
func (j *Job) NotifyClient(clientID, name string, data any) {
	payload, err := payloadOf(data)
	if name == "" || len(name) > wire.MaxNameBytes {
		err = refuse(wire.ReasonBadRequest, "a notification's name must have 1 to %d bytes", wire.MaxNameBytes)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(err)
	j.notifies = append(j.notifies, wire.NotifyItem{ClientID: alias(clientID), Name: alias(name), Payload: payload})
	if len(j.notifies) > wire.MaxNotifies {
		j.note(refuse(wire.ReasonBadRequest, "a job sends at most %d notifications", wire.MaxNotifies))
	}
}

// Result is kept with the completed job.
func (j *Job) Result(value any) { j.keep(&j.result, value) }

// Usage is kept in the lineage: tokens, say, or money.
func (j *Job) Usage(value any) { j.keep(&j.usage, value) }

// Checkpoint saves progress for the next attempt, should there be one. It is
// sent at once, and replicated within seconds.
func (j *Job) Checkpoint(value any) {
	raw, err := rawOf(value)
	if err != nil {
		j.mu.Lock()
		j.note(err)
		j.mu.Unlock()
		return
	}
	j.once.saving.Lock()
	defer j.once.saving.Unlock()
	if whole, err := j.once.move(json.RawMessage(raw)); err == nil {
		j.worker.checkpoint(j.token, wire.Raw(whole))
	}
}

func (j *Job) keep(field *wire.Raw, value any) {
	raw, err := rawOf(value)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.note(err)
	*field = raw
}

func (j *Job) note(err error) {
	if j.bad == nil {
		j.bad = err
	}
}

// outcome is what the handler asked for, and what was wrong with it.
func (j *Job) outcome() (wire.Complete, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return wire.Complete{
		Lease: alias(j.token), Result: j.result, Usage: j.usage, Emit: j.emits, Notify: j.notifies,
	}, j.bad
}

// jobOf copies a job out of the decoder.
func jobOf(m *wire.Job) *Job {
	j := &Job{
		EventID: string(m.EventID), Channel: string(m.Channel), Group: string(m.Group), Key: string(m.Key),
		IdempotencyKey: string(m.IdempotencyKey), CorrelationID: string(m.CorrelationID), CausationID: string(m.CausationID),
		ClientID: string(m.ClientID), Tenant: string(m.Tenant), Attempt: int(m.Attempt), Fence: m.Fence, //nolint:gosec // below 2^53
		Lease: time.Duration(m.LeaseMs) * time.Millisecond, Data: payloadFrom(&m.Payload), token: string(m.Lease),
		ContentType: string(m.ContentType), RunID: string(m.Run), Step: string(m.Step),
	}
	if m.Checkpoint != nil {
		j.LastCheckpoint = j.once.open(append(json.RawMessage(nil), m.Checkpoint...))
	}
	if len(m.Headers) > 0 {
		j.Headers = make(map[string]string, len(m.Headers))
		for i := range m.Headers {
			j.Headers[string(m.Headers[i].Name)] = string(m.Headers[i].Value)
		}
	}
	return j
}
