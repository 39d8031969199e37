package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/transport/wire"
)

// publishBatch publishes several events at once. Each is answered for itself, in the
// order of the request; those beyond a rate are refused each with its own time.
func (g *Gateway) publishBatch(w http.ResponseWriter, r *http.Request, items []batchItem) {
	if len(items) > g.limits.MaxBatchEvents {
		g.refuseHTTP(w, refusal{wire.ReasonTooLarge, fmt.Sprintf("a request publishes %d events at most", g.limits.MaxBatchEvents)})
		return
	}
	start := time.Now()
	fast := 0 // events of the request that came too fast
	waiters := make([]*httpWaiter, len(items))
	for i := range items {
		waiters[i] = &httpWaiter{answer: make(chan httpAnswer, 1)}
		problem := items[i].refused
		if problem == nil {
			problem = g.submitEvent(items[i].body, whoOf(r), waiters[i], fast)
			if problem != nil && problem.Reason == wire.ReasonRateLimited {
				fast++
			}
		}
		if problem != nil {
			waiters[i].answer <- httpAnswer{refused: *problem}
		}
	}
	out := []byte{'['}
	for i, waiter := range waiters {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, g.batchAnswer(r.Context(), waiter)...)
	}
	g.meter.stored.Observe(time.Since(start).Seconds())
	writeJSON(w, append(out, ']'))
}

// batchItem is one event of a batch, or why it is none.
type batchItem struct {
	body    []byte
	refused *wire.Error
}

// batchError is the answer to an event that was refused, where others have event_id.
type batchError struct {
	Error struct {
		Code         int         `json:"code"`
		Reason       wire.Reason `json:"reason"`
		Message      string      `json:"message"`
		Retryable    bool        `json:"retryable"`
		RetryAfterMs int64       `json:"retry_after_ms,omitempty"`
	} `json:"error"`
}

func (g *Gateway) batchAnswer(ctx context.Context, waiter *httpWaiter) []byte {
	var refused wire.Error
	select {
	case answer := <-waiter.answer:
		if answer.refused.Reason == "" {
			return answer.body
		}
		refused = answer.refused
	case <-ctx.Done():
		refused = refusal{wire.ReasonOutcomeUnknown, noAnswerInTime}.wireError()
	}
	g.meter.refuse(refused.Reason)
	var body batchError
	body.Error.Code, body.Error.Reason, body.Error.Message = refused.Code, refused.Reason, string(refused.Message)
	body.Error.Retryable, body.Error.RetryAfterMs = refused.Retryable, refused.RetryAfterMs
	encoded, err := json.Marshal(body)
	invariants.Check(err == nil, "an answer of strings and numbers is JSON: %v", err)
	return encoded
}

// splitBatch takes the events of a JSON array apart, or those of lines.
func splitBatch(body []byte, lines bool) ([]json.RawMessage, refusal) { //nolint:revive // Two forms of one thing.
	var items []json.RawMessage
	if !lines {
		if err := json.Unmarshal(body, &items); err != nil {
			return nil, refusal{wire.ReasonBadRequest, "the body is no JSON array: " + err.Error()}
		}
		return items, refusal{}
	}
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			items = append(items, line)
		}
	}
	return items, refusal{}
}
