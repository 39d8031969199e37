package client

import (
	"maps"
	"slices"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// Event is something to publish or to emit. Only Channel is required.
type Event struct {
	Channel string
	// Data is a Payload, a json.RawMessage, []byte for bytes, or any value that
	// encodes as JSON; nil is null.
	Data any
	// Key chooses the partition, and keeps the order of the events that share
	// it. Default: the client's id.
	Key string
	// IdempotencyKey makes publishing safe to repeat, beyond the life of this
	// process too. Default: one made up for this call.
	IdempotencyKey string
	// CorrelationID puts the event into a lineage that exists, CausationID names
	// the event that caused it.
	CorrelationID string
	CausationID   string
	// ClientSeq, from 1, proves that nothing was lost on the way; 0 is none.
	ClientSeq uint64
	// Priority, up to MaxPriority, has a tenant's urgent events given to workers
	// before its others: each step doubles their share. 0 is the default and lowest.
	Priority    uint8
	Headers     map[string]string
	ContentType string
	// Delay, or At, is when the event may be worked on; TTL how long it is worth it.
	Delay time.Duration
	At    time.Time
	TTL   time.Duration
	// OnEnd is the name under which the client is notified when all has ended that
	// the event led to; only of one that is published, by a client with an id. The
	// data is an End.
	OnEnd string
	// ClientID is whose event it is. An emitted one's defaults to the client of the
	// job's event, a published one's to the Client's own id: for another it needs a
	// token that may be any client.
	ClientID string
}

// MaxPriority is the most urgent priority of an event.
const MaxPriority = wire.MaxPriority

// Receipt says where an event was stored.
type Receipt struct {
	EventID       string `json:"event_id"`
	CorrelationID string `json:"correlation_id"`
	Offset        uint64 `json:"offset"`
	// Duplicate means that the idempotency key was used before: the rest is the
	// first event's.
	Duplicate bool `json:"duplicate,omitempty"`
}

// fields are the event as the protocol has it. It is checked here, because a
// message that is not of the protocol would close the connection for all.
func (e *Event) fields() (wire.EventFields, error) {
	if !wire.ValidName(e.Channel) {
		return wire.EventFields{}, refuse(wire.ReasonBadRequest, "channel %q must be 1 to 255 of letters, digits, dot, _ and -", e.Channel)
	}
	if e.Delay < 0 || e.TTL < 0 {
		return wire.EventFields{}, refuse(wire.ReasonBadRequest, "delay and ttl must not be negative")
	}
	if e.Priority > MaxPriority {
		return wire.EventFields{}, refuse(wire.ReasonBadRequest, "priority is %d, the highest is %d", e.Priority, MaxPriority)
	}
	payload, err := payloadOf(e.Data)
	if err != nil {
		return wire.EventFields{}, err
	}
	f := wire.EventFields{
		Channel: alias(e.Channel), IdempotencyKey: alias(e.IdempotencyKey), CorrelationID: alias(e.CorrelationID),
		CausationID: alias(e.CausationID), Key: alias(e.Key), ClientSeq: e.ClientSeq, Priority: e.Priority,
		DelayMs: milliseconds(e.Delay), TTLMs: milliseconds(e.TTL), OnEnd: alias(e.OnEnd),
		ContentType: alias(e.ContentType), Payload: payload,
	}
	if !e.At.IsZero() {
		f.DeliverAt = max(e.At.UnixMilli(), 1)
	}
	if len(e.Headers) > 0 {
		for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
			f.Headers = append(f.Headers, wire.Header{Name: alias(name), Value: alias(e.Headers[name])})
		}
	}
	return f, nil
}

// milliseconds rounds up: a delay of less than one is not none.
func milliseconds(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}
