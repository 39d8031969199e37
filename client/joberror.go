package client

import (
	"errors"
	"time"
)

// JobError is an error of a handler that says how the job fails. Any other error
// fails it retryably.
type JobError struct {
	// Code is a word for programs; empty means "failed".
	Code string
	// Detail is any value that encodes as JSON, kept in the lineage.
	Detail any
	// Permanent means that trying again is of no use.
	Permanent bool
	// Throttled means that a limit outside refused the work: the job waits for
	// RetryAfter and no attempt is counted.
	Throttled bool
	// RetryAfter is how long to wait at least; 0 leaves it to the cluster.
	RetryAfter time.Duration
	// Err says what happened.
	Err error
}

// Error implements error.
func (f *JobError) Error() string {
	switch {
	case f.Err != nil:
		return f.Err.Error()
	case f.Throttled:
		return "throttled"
	case f.Code != "":
		return f.Code
	default:
		return "failed"
	}
}

// Unwrap returns Err.
func (f *JobError) Unwrap() error { return f.Err }

// Permanent makes a handler's error one that is not tried again.
func Permanent(err error) error {
	if err == nil {
		err = errors.New("failed for good")
	}
	return &JobError{Permanent: true, Err: err}
}

// Throttled is a handler's error that gives the job back for a while, without
// counting an attempt.
func Throttled(after time.Duration) error { return &JobError{Throttled: true, RetryAfter: after} }

// RetryAfter makes a handler's error one that is tried again no sooner than after.
func RetryAfter(err error, after time.Duration) error { return &JobError{RetryAfter: after, Err: err} }
