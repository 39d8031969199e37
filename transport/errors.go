package transport

import (
	"errors"
	"fmt"
)

var (
	// ErrClosed is returned after Close of the transport or of a group's handle.
	ErrClosed = errors.New("transport is closed")
	// ErrLinkDown is returned by Send when there is no link; nothing was sent.
	ErrLinkDown = errors.New("no link to this node")
	// ErrLinkFull is returned by Send when MaxLinkBuffer would be passed; nothing was sent.
	ErrLinkFull = errors.New("the link's buffer is full")
	// ErrFrameTooLarge is returned for a frame above its kind's limit.
	ErrFrameTooLarge = errors.New("frame is too large")
	// ErrMalformed is returned for bytes that are not what the layout says.
	ErrMalformed = errors.New("malformed frame")
	// ErrUnknownPeer is returned when the resolver knows no address for a node.
	ErrUnknownPeer = errors.New("no address is known for this node")
	// ErrUnreachable is returned while a node that could not be reached is given time.
	ErrUnreachable = errors.New("node is unreachable")
	// ErrTimeout is returned when a request was sent and no answer came in time.
	ErrTimeout = errors.New("no answer in time")
	// ErrNotFormed is returned when this node belongs to no cluster yet.
	ErrNotFormed = errors.New("this node belongs to no cluster yet")
	// ErrHeartbeatGated is returned when HeartbeatGate held a heartbeat back.
	ErrHeartbeatGated = errors.New("heartbeats of this group are held back")
	// ErrGroupNotHosted is returned when the other node does not host the group.
	ErrGroupNotHosted = errors.New("the group is not hosted there")
	// ErrGroupBusy is returned when the other node's queue for the group is full.
	ErrGroupBusy = errors.New("the group's queue is full there")
	// ErrStaleTerm is returned for a TimeoutNow of a term that has passed.
	ErrStaleTerm = errors.New("the term has passed")
	// ErrSnapshotConflict is returned for a snapshot that contradicts the receiver.
	ErrSnapshotConflict = errors.New("the snapshot conflicts with the state there")
	// ErrPipelineBroken is returned by an append pipeline after a rejected or failed append.
	ErrPipelineBroken = errors.New("append pipeline is broken")
	// ErrBusy is returned when the other node serves as many calls as it may.
	ErrBusy = errors.New("too many calls are being served there")

	errFull     = errors.New("the connection's buffer is full")
	errSilent   = errors.New("the other side is silent")
	errReplaced = errors.New("replaced by a newer link")
	errRemoved  = errors.New("the node is no longer a peer")
	errIdle     = errors.New("unused")
)

// RemoteError is the text of an error that the other node answered with.
type RemoteError struct{ Message string }

// Error implements error.
func (e *RemoteError) Error() string { return "remote: " + e.Message }

// RefusedError says why a greeting was refused, by the other side or by us.
type RefusedError struct {
	Reason  Refusal
	Message string
}

// Error implements error.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("greeting refused (%s): %s", e.Reason, e.Message)
}

// failureCode is how a refused request travels. Codes are part of the protocol.
type failureCode byte

const (
	failureOther failureCode = iota + 1
	failureNotHosted
	failureBusy
	failureStaleTerm
	failureConflict
	failureCallsBusy
)

func codeOf(err error) failureCode {
	switch {
	case errors.Is(err, ErrGroupNotHosted):
		return failureNotHosted
	case errors.Is(err, ErrGroupBusy):
		return failureBusy
	case errors.Is(err, ErrStaleTerm):
		return failureStaleTerm
	case errors.Is(err, ErrSnapshotConflict):
		return failureConflict
	case errors.Is(err, ErrBusy):
		return failureCallsBusy
	}
	return failureOther
}

// errorOf is total: a code of a later version becomes a RemoteError.
func errorOf(code failureCode, text string) error {
	switch code {
	case failureNotHosted:
		return ErrGroupNotHosted
	case failureBusy:
		return ErrGroupBusy
	case failureStaleTerm:
		return ErrStaleTerm
	case failureConflict:
		return ErrSnapshotConflict
	case failureCallsBusy:
		return ErrBusy
	case failureOther:
	}
	return &RemoteError{Message: text}
}
