package client

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// jobWith pushes a job that an earlier attempt left a checkpoint with.
func (c *fakeConn) jobWith(lease, checkpoint string) {
	c.t.Helper()
	m := wire.Job{
		Subscription: []byte("s1"), Lease: []byte(lease), Fence: 8, EventID: []byte("e1"), Channel: []byte("work"), Group: []byte("default"),
		Attempt: 2, LeaseMs: 60_000, Key: []byte("k"), IdempotencyKey: []byte("i"), CorrelationID: []byte("c"), CausationID: []byte("c"),
		Tenant: []byte("default"), Payload: wire.Payload{Kind: wire.PayloadJSON, Bytes: []byte("1")},
	}
	if checkpoint != "" {
		m.Checkpoint = wire.Raw(checkpoint)
	}
	c.send(&wire.Message{Type: wire.TypeJob, Job: m})
}

// What one attempt paid for, the next one has: the result is kept before Once
// returns, beside the worker's own progress, and the function is not run again.
func TestOnceIsPaidOnce(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	calls, failing := 0, true
	var results []string
	working(t.Context(), c, WorkOptions{}, func(ctx context.Context, job *Job) error {
		answer, err := Once(ctx, job, "answer", func(context.Context) (map[string]int, error) {
			calls++
			return map[string]int{"n": 42}, nil
		})
		if err != nil {
			return err
		}
		again, err := Once(ctx, job, "answer", func(context.Context) (map[string]int, error) {
			t.Error("the function was run again in the same attempt")
			return nil, nil
		})
		results = append(results, string(job.LastCheckpoint))
		if err != nil || answer["n"] != 42 || again["n"] != 42 {
			t.Errorf("answers %v %v, %v", answer, again, err)
		}
		job.Checkpoint("halfway")
		if failing {
			failing = false
			return errors.New("a later step is down")
		}
		return nil
	})
	conn.subscribed()
	conn.jobWith("l1", `"before"`)
	m := conn.expect(wire.TypeCheckpoint).Checkpoint
	if want := `{"$once":{"answer":{"n":42}},"$checkpoint":"before"}`; string(m.Checkpoint) != want || string(m.Lease) != "l1" {
		t.Fatalf("kept %s of %s, want %s", m.Checkpoint, m.Lease, want)
	}
	conn.ok(m.ID, "")
	progress := conn.expect(wire.TypeRenew).Renew.Leases[0].Checkpoint
	if want := `{"$once":{"answer":{"n":42}},"$checkpoint":"halfway"}`; string(progress) != want {
		t.Fatalf("the worker's own progress was sent as %s, want %s", progress, want)
	}
	conn.ok(conn.expect(wire.TypeFail).Fail.ID, "")
	conn.jobWith("l2", string(progress))
	conn.expect(wire.TypeRenew)
	conn.expect(wire.TypeComplete)
	if calls != 1 || len(results) != 2 || results[0] != `"before"` || results[1] != `"halfway"` {
		t.Errorf("%d calls; last checkpoints were %q", calls, results)
	}
}

// A result that cannot be kept is no reason to pay again: the job fails for good.
// One whose lease is lost is another worker's.
func TestOnceThatCannotBeKept(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	reports := make(chan error, 2)
	working(t.Context(), c, WorkOptions{Report: func(_ *Job, err error) { reports <- err }}, func(ctx context.Context, job *Job) error {
		_, err := Once(ctx, job, "answer", func(context.Context) (int, error) { return 1, nil })
		return err
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	conn.refuse(conn.expect(wire.TypeCheckpoint).Checkpoint.ID, wire.ReasonTooLarge, 0)
	m := conn.expect(wire.TypeFail).Fail
	if string(m.Error.Code) != "too_large" || m.Retryable != wire.No {
		t.Errorf("failed with %s, retryable %v", m.Error.Code, m.Retryable)
	}
	conn.ok(m.ID, "")
	if err := <-reports; err == nil {
		t.Error("a result that cannot be kept was reported as done")
	}
	conn.job("l2", time.Minute)
	conn.refuse(conn.expect(wire.TypeCheckpoint).Checkpoint.ID, wire.ReasonLeaseLost, 0)
	conn.refuse(conn.expect(wire.TypeFail).Fail.ID, wire.ReasonLeaseLost, 0)
	if err := <-reports; !errors.Is(err, ErrLeaseLost) {
		t.Errorf("reported %v", err)
	}
}

// Keys are kept beside each other, and one that is asked for by many at once is
// run for one. An error keeps nothing, and the next caller runs it again.
func TestOnceOfManyKeys(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	down := errors.New("down")
	var mu sync.Mutex
	runs := make(map[string]int)
	working(t.Context(), c, WorkOptions{}, func(ctx context.Context, job *Job) error {
		count := func(key string, err error) func(context.Context) (string, error) {
			return func(context.Context) (string, error) {
				mu.Lock()
				defer mu.Unlock()
				runs[key]++
				return key, err
			}
		}
		if _, err := Once(ctx, job, "a", count("a", down)); !errors.Is(err, down) {
			t.Errorf("the error came as %v", err)
		}
		var asking sync.WaitGroup
		for range 4 {
			for _, key := range []string{"a", "b"} {
				asking.Go(func() {
					if got, err := Once(ctx, job, key, count(key, nil)); err != nil || got != key {
						t.Errorf("%s is %q, %v", key, got, err)
					}
				})
			}
		}
		asking.Wait()
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	conn.ok(conn.expect(wire.TypeCheckpoint).Checkpoint.ID, "")
	second := conn.expect(wire.TypeCheckpoint).Checkpoint
	if want := `{"$once":{"a":"a","b":"b"}}`; string(second.Checkpoint) != want {
		t.Errorf("the second result is kept as %s, want %s", second.Checkpoint, want)
	}
	conn.ok(second.ID, "")
	conn.expect(wire.TypeComplete)
	if runs["a"] != 2 || runs["b"] != 1 {
		t.Errorf("runs: %v", runs)
	}
}
