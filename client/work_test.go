package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// working works in the background; the result of Work arrives in the channel.
func working(ctx context.Context, c *Client, o WorkOptions, handler Handler) <-chan error {
	result := make(chan error, 1)
	if o.Channel == "" {
		o.Channel = "work"
	}
	go func() { result <- c.Work(ctx, o, handler) }()
	return result
}

// One complete carries all that a job does.
func TestJobCompletesWithEverythingAtOnce(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	reports := make(chan error, 1)
	working(t.Context(), c, WorkOptions{Credit: 3, Lease: 15 * time.Second, Report: func(_ *Job, err error) { reports <- err }},
		func(_ context.Context, job *Job) error {
			if job.Data.String() != `"hi"` || job.Attempt != 1 || job.ClientID != "ana" || job.Fence != 7 || job.ContentType != "text/x" {
				t.Errorf("job %+v", job)
			}
			job.Emit("next", map[string]int{"n": 1}, WithKey("k2"), WithHeader("h", "v"))
			job.Emit("raw", []byte{0xff})
			job.Notify("done", "ok")
			job.Result(true)
			job.Usage(map[string]int{"tokens": 5})
			return nil
		})
	sub := conn.subscribed().Subscribe
	if sub.Credit != 3 || sub.LeaseMs != 15000 || string(sub.Channel) != "work" {
		t.Errorf("subscribe %+v", sub)
	}
	conn.job("l1", time.Minute)
	m := conn.expect(wire.TypeComplete).Complete
	if string(m.Lease) != "l1" || len(m.Emit) != 2 || len(m.Notify) != 1 || string(m.Result) != "true" || string(m.Usage) != `{"tokens":5}` {
		t.Fatalf("complete %+v", m)
	}
	checkEmits(t, m.Emit)
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, HasEvents: true}})
	if err := <-reports; err != nil {
		t.Error(err)
	}
}

func checkEmits(t *testing.T, emits []wire.Emit) {
	t.Helper()
	if e := emits[0]; string(e.Channel) != "next" || string(e.Key) != "k2" || string(e.Payload.Bytes) != `{"n":1}` || len(e.Headers) != 1 {
		t.Errorf("emit %+v", e)
	}
	if e := emits[1]; e.Payload.Kind != wire.PayloadBytes {
		t.Errorf("emit %+v", e)
	}
}

// How a job fails follows from the handler's error.
func TestJobFails(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want wire.Fail
	}{
		"retryable": {errors.New("down"), wire.Fail{Error: wire.FailError{Code: []byte("failed"), Message: []byte("down")}}},
		"permanent": {Permanent(errors.New("bad")), wire.Fail{
			Error: wire.FailError{Code: []byte("failed"), Message: []byte("bad")}, Retryable: wire.No,
		}},
		"throttled": {Throttled(time.Second), wire.Fail{
			Error: wire.FailError{Code: []byte("failed"), Message: []byte("throttled")}, Throttled: true, RetryAfterMs: 1000,
		}},
		"later": {fmt.Errorf("wrapped: %w", RetryAfter(errors.New("x"), 2*time.Second)), wire.Fail{
			Error: wire.FailError{Code: []byte("failed"), Message: []byte("x")}, RetryAfterMs: 2000,
		}},
		"coded": {&JobError{Code: "quota", Detail: 5, Err: errors.New("q")}, wire.Fail{
			Error: wire.FailError{Code: []byte("quota"), Message: []byte("q"), Detail: wire.Raw("5")},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newFakeNode(t)
			c, conn := dial(t, n, Options{})
			working(t.Context(), c, WorkOptions{}, func(context.Context, *Job) error { return test.err })
			conn.subscribed()
			conn.job("l1", time.Minute)
			got := conn.expect(wire.TypeFail).Fail
			test.want.ID, test.want.Lease = got.ID, []byte("l1")
			if string(wire.AppendFail(wire.JSON.On(nil), &got).Bytes) != string(wire.AppendFail(wire.JSON.On(nil), &test.want).Bytes) {
				t.Errorf("got %s, want %s", wire.AppendFail(wire.JSON.On(nil), &got).Bytes, wire.AppendFail(wire.JSON.On(nil), &test.want).Bytes)
			}
		})
	}
}

// A panic costs the job its attempt, not the worker its life.
func TestPanicFailsTheJob(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	working(t.Context(), c, WorkOptions{}, func(_ context.Context, job *Job) error {
		_ = job.EventID[len(job.EventID)]
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	if m := conn.expect(wire.TypeFail).Fail; string(m.Error.Code) != "panic" || m.Retryable == wire.No {
		t.Errorf("got %+v", m)
	}
}

// A completion that would be refused again and again must not be repeated for
// ever: the job fails, and says why.
func TestRefusedCompletionFailsTheJob(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	working(t.Context(), c, WorkOptions{}, func(_ context.Context, job *Job) error {
		job.Notify("done", 1)
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	conn.refuse(conn.expect(wire.TypeComplete).Complete.ID, wire.ReasonBadRequest, 0)
	if m := conn.expect(wire.TypeFail).Fail; string(m.Error.Code) != "bad_request" || m.Retryable != wire.No {
		t.Errorf("got %+v", m)
	}
}

// A mistake in the handler is not tried again.
func TestWhatCannotBeEncodedFailsTheJob(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	working(t.Context(), c, WorkOptions{}, func(_ context.Context, job *Job) error {
		job.Emit("not a name", 1)
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	if m := conn.expect(wire.TypeFail).Fail; m.Retryable != wire.No {
		t.Errorf("got %+v", m)
	}
}

// A lease is renewed while its job runs; its loss ends the job's context.
func TestLeaseIsRenewedAndItsLossEndsTheContext(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	reports := make(chan error, 1)
	causes := make(chan error, 1)
	working(t.Context(), c, WorkOptions{Report: func(_ *Job, err error) { reports <- err }},
		func(ctx context.Context, _ *Job) error {
			<-ctx.Done()
			causes <- context.Cause(ctx)
			return nil
		})
	conn.subscribed()
	begin := time.Now()
	conn.job("l1", 600*time.Millisecond)
	for range 3 {
		m := conn.expect(wire.TypeRenew).Renew
		if len(m.Leases) != 1 || string(m.Leases[0].Lease) != "l1" {
			t.Fatalf("renew %+v", m)
		}
		conn.send(&wire.Message{Type: wire.TypeRenewed, Renewed: wire.Renewed{Leases: []wire.RenewedLease{{Lease: []byte("l1"), LeaseMs: 600}}}})
	}
	if took := time.Since(begin); took < 400*time.Millisecond {
		t.Errorf("three renewals of a lease of 600 ms in %v", took)
	}
	conn.expect(wire.TypeRenew)
	conn.send(&wire.Message{Type: wire.TypeRenewed, Renewed: wire.Renewed{Lost: [][]byte{[]byte("l1")}}})
	if err := <-causes; !errors.Is(err, ErrLeaseLost) {
		t.Errorf("cause %v", err)
	}
	if err := <-reports; !errors.Is(err, ErrLeaseLost) {
		t.Errorf("report %v", err)
	}
	// Nothing is said of a lease that is gone.
	open := publishing(t.Context(), c, Event{Channel: "a"})
	conn.ok(conn.expect(wire.TypePublish).Publish.ID, "e")
	<-open
}

// A node that does not answer cannot say that a lease is lost: the clock does.
func TestUnansweredRenewalsEndTheContext(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	causes := make(chan error, 1)
	working(t.Context(), c, WorkOptions{}, func(ctx context.Context, _ *Job) error {
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return nil
	})
	conn.subscribed()
	conn.job("l1", 120*time.Millisecond)
	if err := <-causes; !errors.Is(err, ErrLeaseLost) {
		t.Errorf("cause %v", err)
	}
	// The cluster has the last word.
	for {
		if m := conn.read(); m.Type == wire.TypeComplete {
			conn.refuse(m.Complete.ID, wire.ReasonLeaseLost, 0)
			return
		}
	}
}

// The cluster may want a job stopped, with a grace or without.
func TestCancel(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	started := make(chan string, 2)
	causes := make(chan error, 2)
	working(t.Context(), c, WorkOptions{}, func(ctx context.Context, job *Job) error {
		started <- job.EventID
		<-ctx.Done()
		causes <- context.Cause(ctx)
		return ctx.Err()
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	<-started
	conn.send(&wire.Message{Type: wire.TypeCancel, Cancel: wire.Cancel{Lease: []byte("l1"), Reason: []byte("user"), GraceMs: 5000}})
	if canceled, ok := errors.AsType[*CanceledError](<-causes); !ok || canceled.Reason != "user" || canceled.Grace != 5*time.Second {
		t.Errorf("cause %v", canceled)
	}
	conn.expect(wire.TypeFail) // may follow within the grace
	conn.job("l2", time.Minute)
	<-started
	conn.send(&wire.Message{Type: wire.TypeCancel, Cancel: wire.Cancel{Lease: []byte("l2"), Reason: []byte("gone")}})
	if err := <-causes; !errors.Is(err, ErrLeaseLost) {
		t.Errorf("cause %v", err)
	}
}

// A worker that loses its socket with jobs at hand finishes them on the next
// one, and takes no more new ones than there is room for.
func TestWorkSurvivesALostSocket(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	release := make(chan struct{})
	working(t.Context(), c, WorkOptions{Credit: 3}, func(_ context.Context, job *Job) error {
		if job.EventID == "e-l1" {
			<-release
		}
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	conn.job("l2", time.Minute)
	if m := conn.expect(wire.TypeComplete); string(m.Complete.Lease) != "l2" {
		t.Fatalf("complete %+v", m.Complete)
	}
	conn.cut() // The answer is lost.
	conn = n.greet()
	seen := make(map[wire.Type]*wire.Message)
	for len(seen) < 3 {
		m := conn.read()
		seen[m.Type] = m
	}
	if m := seen[wire.TypeComplete]; m == nil || string(m.Complete.Lease) != "l2" {
		t.Fatalf("seen %v", seen)
	}
	if m := seen[wire.TypeRenew]; m == nil || len(m.Renew.Leases) != 2 {
		t.Fatalf("seen %v", seen)
	}
	sub := seen[wire.TypeSubscribe].Subscribe
	if sub.Credit != 1 {
		t.Errorf("credit %d, two of three are still at hand", sub.Credit)
	}
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: sub.ID, Subscription: []byte("s2")}})
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: seen[wire.TypeComplete].Complete.ID, HasEvents: true, Duplicate: true}})
	if m := conn.expect(wire.TypeCredit).Credit; m.Credit != 2 || string(m.Subscription) != "s2" {
		t.Errorf("credit %+v", m)
	}
	close(release)
	m := conn.expect(wire.TypeComplete).Complete
	if string(m.Lease) != "l1" {
		t.Errorf("complete %+v", m)
	}
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, HasEvents: true}})
	if m := conn.expect(wire.TypeCredit).Credit; m.Credit != 3 {
		t.Errorf("credit %+v", m)
	}
}

// A worker that stops finishes what it began.
func TestStopFinishesWhatRunsAndGivesBackTheRest(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	started, release := make(chan struct{}, 4), make(chan struct{})
	result := working(ctx, c, WorkOptions{Credit: 1}, func(context.Context, *Job) error {
		started <- struct{}{}
		<-release
		return nil
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	<-started
	conn.job("l2", time.Minute) // beyond the credit: it waits
	eventually(t, "both are at hand", func() bool {
		w := c.staff()[0]
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.jobs) == 2
	})
	cancel()
	conn.expect(wire.TypeUnsubscribe)
	if m := conn.expect(wire.TypeRelease); string(m.Release.Lease) != "l2" {
		t.Errorf("released %s", m.Release.Lease)
	}
	conn.job("l3", time.Minute) // was under way
	if m := conn.expect(wire.TypeRelease); string(m.Release.Lease) != "l3" {
		t.Errorf("released %s", m.Release.Lease)
	}
	close(release)
	m := conn.expect(wire.TypeComplete).Complete
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, HasEvents: true}})
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// It does not wait for ever.
func TestStopCancelsAfterTheGrace(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan struct{})
	result := working(ctx, c, WorkOptions{Grace: time.Millisecond}, func(ctx context.Context, _ *Job) error {
		close(started)
		<-ctx.Done()
		return ctx.Err()
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	<-started
	cancel()
	conn.expect(wire.TypeUnsubscribe)
	if m := conn.expect(wire.TypeRelease); string(m.Release.Lease) != "l1" {
		t.Errorf("released %s", m.Release.Lease)
	}
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// A subscription that is refused for good ends Work.
func TestRefusedSubscription(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	result := working(t.Context(), c, WorkOptions{Group: "g"}, func(context.Context, *Job) error { return nil })
	conn.refuse(conn.expect(wire.TypeSubscribe).Subscribe.ID, wire.ReasonOverloaded, time.Millisecond)
	conn.refuse(conn.expect(wire.TypeSubscribe).Subscribe.ID, wire.ReasonNotAvailable, 0)
	if err := <-result; !errors.Is(err, ErrNotAvailable) {
		t.Errorf("got %v", err)
	}
}

// Close ends Work too.
func TestCloseEndsWork(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	started := make(chan struct{})
	result := working(t.Context(), c, WorkOptions{}, func(ctx context.Context, _ *Job) error {
		close(started)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	conn.subscribed()
	conn.job("l1", time.Minute)
	<-started
	go conn.tryReadAll()
	_ = c.Close()
	if err := <-result; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// tryReadAll reads to the end, and then closes.
func (c *fakeConn) tryReadAll() {
	for {
		if _, err := c.tryRead(); err != nil {
			_ = c.conn.Close()
			return
		}
	}
}

// The credit bounds the handlers that run, whatever comes.
func TestCreditBoundsConcurrency(t *testing.T) {
	n := newFakeNode(t)
	c, conn := dial(t, n, Options{})
	var now, most atomic.Int64
	working(t.Context(), c, WorkOptions{Credit: 4}, func(context.Context, *Job) error {
		most.Store(max(most.Load(), now.Add(1)))
		time.Sleep(time.Millisecond)
		now.Add(-1)
		return nil
	})
	conn.subscribed()
	for i := range 40 {
		conn.job(fmt.Sprint("l", i), time.Minute)
	}
	for range 40 {
		m := conn.expect(wire.TypeComplete).Complete
		conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.ID, HasEvents: true}})
	}
	if most.Load() > 4 {
		t.Errorf("%d at once", most.Load())
	}
}
