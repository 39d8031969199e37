package client

import (
	"context"
	"encoding/json"
)

// Trace is the lineage of a correlation id: every event under it, and what
// happened to each.
type Trace struct {
	CorrelationID string       `json:"correlation_id"`
	Tenant        string       `json:"tenant"`
	Events        []TraceEvent `json:"events"`
	// Marks are the transitions of all events, by time.
	Marks []TraceMark `json:"marks"`
	// Truncated means that there is more than was asked for.
	Truncated bool `json:"truncated"`
	// Open counts what has not ended, each event in each group that has it. Ended
	// means that nothing is open in any partition.
	Open  uint64 `json:"open"`
	Ended bool   `json:"ended"`
	// Raw is the answer as it came.
	Raw json.RawMessage `json:"-"`
}

// TraceEvent is an event of a lineage.
type TraceEvent struct {
	EventID string `json:"event_id"`
	Channel string `json:"channel"`
	// State is waiting, leased, delayed, completed, dead, canceled, lapsed or
	// discarded.
	State          string `json:"state"`
	Offset         uint64 `json:"offset"`
	Key            string `json:"key"`
	ClientID       string `json:"client_id"`
	IdempotencyKey string `json:"idempotency_key"`
	CausationID    string `json:"causation_id"`
	Time           int64  `json:"time"` // Unix milliseconds
	Bytes          int    `json:"bytes"`
	// Groups are the states in each group that has the event; nil where the
	// channel has the group default only. State sums them up: the group that
	// has most to do decides.
	Groups map[string]string `json:"groups"`
}

// TraceMark is a transition of an event: which fields are set follows from Mark.
type TraceMark struct {
	Time int64 `json:"time"` // Unix milliseconds
	// Mark is published, leased, completed, failed, expired, released,
	// throttled, canceled, dead, lapsed, redriven, discarded, emitted, notified,
	// relayed, delivered or acknowledged.
	Mark       string          `json:"mark"`
	EventID    string          `json:"event_id"`
	Channel    string          `json:"channel"`
	Group      string          `json:"group"`
	Worker     string          `json:"worker"`
	Node       string          `json:"node"`
	Attempt    int             `json:"attempt"`
	DurationMS *int64          `json:"duration_ms"`
	Emitted    string          `json:"emitted"`
	ClientID   string          `json:"client_id"`
	DeviceID   string          `json:"device_id"`
	Name       string          `json:"name"`
	Seq        uint64          `json:"seq"`
	Code       string          `json:"code"`
	Message    string          `json:"message"`
	Detail     json.RawMessage `json:"detail"`
	Usage      json.RawMessage `json:"usage"`
	// Partition is where something relayed went, nil for every other mark.
	Partition *uint32 `json:"partition"`
}

// Trace returns the lineage of a correlation id, or ErrNotFound.
func (h *HTTP) Trace(ctx context.Context, correlationID string) (*Trace, error) {
	t := &Trace{}
	raw, err := h.get(ctx, h.path("/v1/traces/", correlationID), t)
	if err != nil {
		return nil, err
	}
	t.Raw = raw
	return t, nil
}

// Trace returns the lineage of a correlation id, or ErrNotFound.
func (c *Client) Trace(ctx context.Context, correlationID string) (*Trace, error) {
	return c.http.Trace(ctx, correlationID)
}
