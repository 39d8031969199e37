package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/batonmq/baton/transport/wire"
)

// Once runs do if no attempt at the job has before, and returns its result; on
// later attempts it returns the result of that time, and do is not called: a model
// call is not paid for twice because a later step failed, or the worker died.
//
// The result is kept with the event, in the checkpoint, before Once returns, as
// JSON; the job's results together must not be larger than the cluster takes for
// one data. A job may have many keys, and use one from several goroutines. An error
// of do is returned as it is, and keeps nothing. ErrLeaseLost says that another
// worker has the job by now.
//
// Between the end of do and the answer of the cluster the worker may still die: for
// that moment do should carry an idempotency key of its own, as Job.IdempotencyKey.
func Once[T any](ctx context.Context, job *Job, key string, do func(context.Context) (T, error)) (result T, err error) {
	kept, first := job.once.begin(key)
	if !first {
		select {
		case <-kept.done:
		case <-ctx.Done():
			return result, context.Cause(ctx)
		}
		if kept.err != nil {
			return result, kept.err
		}
		return decodeOnce[T](key, kept.value)
	}
	outcome := errPanicked // Until the end is reached.
	defer func() { job.once.end(key, kept, outcome) }()
	result, err = runOnce(ctx, job, key, kept, do)
	outcome = err
	return result, err
}

// errPanicked is for those who wait for a call that panicked.
var errPanicked = errors.New("client: the function given to Once panicked")

// runOnce runs do, and has its result kept.
func runOnce[T any](ctx context.Context, job *Job, key string, kept *onceResult, do func(context.Context) (T, error)) (result T, err error) {
	if result, err = do(ctx); err != nil {
		return result, err
	}
	if kept.value, err = json.Marshal(result); err != nil {
		return result, &JobError{Code: "bad_result", Permanent: true, Err: fmt.Errorf("the result of %s cannot be kept: %w", key, err)}
	}
	if err = job.saveOnce(ctx, key, kept.value); err != nil {
		return result, err
	}
	return result, nil
}

func decodeOnce[T any](key string, value json.RawMessage) (result T, err error) {
	if err = json.Unmarshal(value, &result); err != nil {
		return result, &JobError{Code: "bad_result", Permanent: true, Err: fmt.Errorf("the kept result of %s cannot be read: %w", key, err)}
	}
	return result, nil
}

// onceResults are the results of a job's Once calls, by key.
type onceResults struct {
	mu   sync.Mutex // guards the rest
	keys map[string]*onceResult
	// saving is held while a checkpoint is on its way, so that none overtakes one
	// with more in it.
	saving sync.Mutex
	// kept are the results that are, or are about to be, kept; progress is what
	// Checkpoint saved last.
	kept     map[string]json.RawMessage
	progress json.RawMessage
}

// onceResult is one call under way, or its end.
type onceResult struct {
	done  chan struct{}
	value json.RawMessage
	err   error
}

// begin is the call of a key, and whether it is this one's to make.
func (o *onceResults) begin(key string) (result *onceResult, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if result = o.keys[key]; result != nil {
		return result, false
	}
	result = &onceResult{done: make(chan struct{})}
	if value, kept := o.kept[key]; kept {
		result.value = value
		close(result.done)
	}
	if o.keys == nil {
		o.keys = make(map[string]*onceResult)
	}
	o.keys[key] = result
	_, kept := o.kept[key]
	return result, !kept
}

// end lets those go who wait for a call. One that failed may be made again.
func (o *onceResults) end(key string, result *onceResult, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if result.err = err; err != nil {
		delete(o.keys, key)
	}
	close(result.done)
}

// checkpointed is a checkpoint that has results beside the worker's own progress.
type checkpointed struct {
	Once     map[string]json.RawMessage `json:"$once"`
	Progress json.RawMessage            `json:"$checkpoint,omitempty"`
}

// open takes an earlier attempt's results out of its checkpoint, and returns what
// the worker saved itself.
func (o *onceResults) open(checkpoint json.RawMessage) json.RawMessage {
	if !bytes.HasPrefix(checkpoint, []byte(`{"$once":`)) {
		o.progress = checkpoint
		return checkpoint
	}
	var c checkpointed
	if err := json.Unmarshal(checkpoint, &c); err != nil || c.Once == nil {
		o.progress = checkpoint
		return checkpoint
	}
	o.kept, o.progress = c.Once, c.Progress
	return c.Progress
}

// with is the checkpoint with one more result.
func (o *onceResults) with(key string, value json.RawMessage) (json.RawMessage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := map[string]json.RawMessage{key: value}
	maps.Copy(all, o.kept)
	return json.Marshal(checkpointed{all, o.progress})
}

// add takes note of a result that is kept.
func (o *onceResults) add(key string, value json.RawMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kept == nil {
		o.kept = make(map[string]json.RawMessage)
	}
	o.kept[key] = value
}

// move is the checkpoint after the worker's own progress moved on.
func (o *onceResults) move(progress json.RawMessage) (json.RawMessage, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.progress = progress
	if len(o.kept) == 0 {
		return progress, nil
	}
	return json.Marshal(checkpointed{o.kept, progress})
}

// saveOnce keeps a result, and waits until it is kept.
func (j *Job) saveOnce(ctx context.Context, key string, value json.RawMessage) error {
	j.once.saving.Lock()
	defer j.once.saving.Unlock()
	checkpoint, err := j.once.with(key, value)
	if err != nil {
		return err
	}
	m := wire.Checkpoint{ID: j.worker.client.flight.id(), Lease: alias(j.token), Checkpoint: wire.Raw(checkpoint)}
	err = j.worker.askUntil(ctx, m.ID, wire.AppendCheckpoint(j.worker.client.flight.blank(), &m))
	if refused, ok := errors.AsType[*Error](err); ok && !refused.Retryable && !errors.Is(err, ErrLeaseLost) {
		return &JobError{Code: refused.Reason, Permanent: true, Err: fmt.Errorf("the result of %s cannot be kept: %w", key, err)}
	}
	if err == nil {
		j.once.add(key, value)
	}
	return err
}
