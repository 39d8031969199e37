package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// commandWaiter receives the answer of one command for an HTTP request.
type commandWaiter struct {
	gateway *Gateway
	answer  chan command.Result // has room for the one answer
}

func newCommandWaiter(g *Gateway) *commandWaiter {
	return &commandWaiter{gateway: g, answer: make(chan command.Result, 1)}
}

// Reply implements Replier. It keeps what it is given beyond the call.
func (l *commandWaiter) Reply(_ uint64, result *command.Result) {
	l.gateway.end(&l.gateway.nobody)
	l.answer <- command.Result{
		Reason: result.Reason, Message: result.Message, Duplicate: result.Duplicate, RetryAfterMS: result.RetryAfterMS,
		Events: slices.Clone(result.Events), Event: result.Event, CorrelationID: strings.Clone(result.CorrelationID),
	}
}

func (l *commandWaiter) wait(ctx context.Context) (command.Result, bool) {
	select {
	case result := <-l.answer:
		return result, true
	case <-ctx.Done():
		return command.Result{}, false
	}
}

// readBody reads a request's whole body.
func (g *Gateway) readBody(w http.ResponseWriter, r *http.Request) ([]byte, refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(g.limits.MaxMessageBytes)))
	if err == nil {
		return body, refusal{}
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, refusal{wire.ReasonTooLarge, "the body is longer than max_message_bytes"}
	}
	return nil, refusal{wire.ReasonBadRequest, "the body ended early"}
}
