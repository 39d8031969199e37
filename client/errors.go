package client

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// What errors.Is finds in a *Error: one for each reason of the protocol.
var (
	ErrBadRequest          error = sentinel(wire.ReasonBadRequest)
	ErrUnauthenticated     error = sentinel(wire.ReasonUnauthenticated)
	ErrForbidden           error = sentinel(wire.ReasonForbidden)
	ErrNotFound            error = sentinel(wire.ReasonNotFound)
	ErrLeaseLost           error = sentinel(wire.ReasonLeaseLost)
	ErrIdempotencyConflict error = sentinel(wire.ReasonIdempotencyConflict)
	ErrSequence            error = sentinel(wire.ReasonSequence)
	ErrTooLarge            error = sentinel(wire.ReasonTooLarge)
	ErrTooManyInFlight     error = sentinel(wire.ReasonTooManyInFlight)
	ErrTooManyUnfinished   error = sentinel(wire.ReasonTooManyUnfinished)
	ErrRateLimited         error = sentinel(wire.ReasonRateLimited)
	ErrTenantLimit         error = sentinel(wire.ReasonTenantLimit)
	ErrNotAvailable        error = sentinel(wire.ReasonNotAvailable)
	ErrNoLeader            error = sentinel(wire.ReasonNoLeader)
	ErrOverloaded          error = sentinel(wire.ReasonOverloaded)
	ErrDraining            error = sentinel(wire.ReasonDraining)
	ErrOutcomeUnknown      error = sentinel(wire.ReasonOutcomeUnknown)
)

// What happens on this side.
var (
	// ErrClosed is returned by everything after Close, and by what Close interrupted.
	ErrClosed = errors.New("client: closed")
	// ErrListening is returned by Listen while another Listen runs.
	ErrListening = errors.New("client: another Listen is running")
	// ErrNoStream is returned by Listen of a Client without a ClientID.
	ErrNoStream = errors.New("client: Options.ClientID names no stream to listen to")
	// ErrStopping is the cause of a job's context when its Work is told to stop
	// and the grace is over.
	ErrStopping = errors.New("client: the worker is stopping")
	// ErrStop is returned by a handler of notifications to end Listen, or of events to
	// end Follow: what it was given is acknowledged or committed, and nil returned.
	ErrStop = errors.New("client: stop listening")

	errSessionLost = errors.New("client: the connection was lost")
)

type sentinel wire.Reason

// Error implements error.
func (s sentinel) Error() string { return "baton: " + string(s) }

// Error is a refusal by the cluster.
type Error struct {
	// Code is an HTTP status, Reason a stable word: see docs/protocol.md.
	Code    int
	Reason  string
	Message string
	// Retryable means that the same request may succeed later, and RetryAfter
	// how long to wait at least.
	Retryable  bool
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("baton: %s (%d): %s", e.Reason, e.Code, e.Message)
}

// Is makes errors.Is(err, ErrLeaseLost) work.
func (e *Error) Is(target error) bool {
	s, ok := target.(sentinel)
	return ok && string(s) == e.Reason
}

func errorOf(e *wire.Error) *Error {
	return &Error{
		Code: e.Code, Reason: string(e.Reason), Message: string(e.Message),
		Retryable: e.Retryable, RetryAfter: time.Duration(e.RetryAfterMs) * time.Millisecond,
	}
}

// refuse makes the Error with which the cluster would refuse.
func refuse(reason wire.Reason, format string, args ...any) *Error {
	info := reason.Info()
	return &Error{Code: info.Code, Reason: string(reason), Message: fmt.Sprintf(format, args...), Retryable: info.Retryable}
}

// RejectedError means that a node closed the connection for good: connecting
// again would not help.
type RejectedError struct {
	// Code is the WebSocket close code, 4500 to 4999, or 0 for a bye.
	Code int
	// Reason is what the node said, Last the last refusal before it.
	Reason string
	Last   error
}

// Error implements error.
func (e *RejectedError) Error() string {
	text := "client: the node refused the connection: " + e.Reason
	if e.Code != 0 {
		text += fmt.Sprintf(" (close code %d)", e.Code)
	}
	if e.Last != nil {
		text += ": " + e.Last.Error()
	}
	return text
}

// Unwrap returns the last refusal.
func (e *RejectedError) Unwrap() error { return e.Last }

// ConnectError means that no node could be reached, or that those that were had
// to refuse for the time being: the context of Dial ended, or its attempts did.
type ConnectError struct {
	// Nodes are the URLs that were tried, Err why the last attempt failed.
	Nodes []string
	Err   error
	// Refusal is the last answer of a node that was reached, and Refuser that
	// node's URL: nil where none answered. It is mostly ErrNoLeader: the node
	// reaches no majority.
	Refusal *Error
	Refuser string
}

// Error implements error.
func (e *ConnectError) Error() string {
	if e.Refusal != nil {
		return fmt.Sprintf("client: no session: %s was reached and answered %s (%d): %s",
			e.Refuser, e.Refusal.Reason, e.Refusal.Code, e.Refusal.Message)
	}
	return fmt.Sprintf("client: no node could be reached (tried %s): %v", strings.Join(e.Nodes, ", "), e.Err)
}

// Unwrap returns why the last attempt failed, and the refusal.
func (e *ConnectError) Unwrap() []error {
	if e.Refusal == nil {
		return []error{e.Err}
	}
	return []error{e.Refusal, e.Err}
}
