package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// worker is one Work: its subscription on the current session, and its jobs on
// whatever session they came.
type worker struct {
	client    *Client
	options   WorkOptions
	handler   Handler
	places    chan struct{} // one taken by each handler that runs
	failed    chan error    // room for one: why Work must end
	wound     chan struct{} // closed when no job may begin any more
	quit      chan struct{} // closed when the last job has ended
	hurry     chan struct{} // room for one: the renewing goroutine is to look again
	running   sync.WaitGroup
	life      context.Context //nolint:containedctx // the parent of the jobs' contexts, which outlive Work's
	cancelAll context.CancelCauseFunc

	mu           sync.Mutex // guards the rest; before flight.mu and outbox.mu
	session      *session   // the last one subscribed in
	streaming    *session   // the last one that streams went on in
	subscription string     // empty until it is answered
	jobs         map[string]*running
	stopping     bool
	interval     time.Duration // how often leases are looked at
}

// running is a job from its arrival to the answer of its end.
type running struct {
	job     *Job
	session *session        // that brought it
	ctx     context.Context //nolint:containedctx // ends with the lease
	cancel  context.CancelCauseFunc

	// Guarded by worker.mu.
	begun   time.Time // of the lease's current term
	expires time.Time
	lost    bool // the cluster said so
	// parking means that a park is not answered yet.
	parking, parked bool
}

func newWorker(ctx context.Context, c *Client, options WorkOptions, handler Handler) (*worker, error) {
	if err := options.check(); err != nil {
		return nil, err
	}
	if handler == nil {
		return nil, errors.New("client: Work needs a handler")
	}
	w := &worker{
		client: c, options: options, handler: handler, places: make(chan struct{}, options.Credit),
		failed: make(chan error, 1), wound: make(chan struct{}), quit: make(chan struct{}),
		hurry: make(chan struct{}, 1), jobs: make(map[string]*running), interval: idleInterval,
	}
	w.life, w.cancelAll = context.WithCancelCause(context.WithoutCancel(ctx))
	return w, nil
}

// fail ends Work with err, and its jobs with it as the cause.
func (w *worker) fail(err error) {
	w.cancelAll(err)
	select {
	case w.failed <- err:
	default:
	}
}

// attach subscribes in a session, once.
func (w *worker) attach(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session != nil && w.session.number >= s.number {
		return
	}
	w.session, w.streaming, w.subscription = s, s, ""
	w.renewAll()
	if !w.stopping {
		w.subscribe()
	}
}

// subscribe asks for jobs. Those still at work from an earlier session count
// against the credit.
func (w *worker) subscribe() {
	s := w.session
	m := wire.Subscribe{
		ID: w.client.flight.id(), Channel: alias(w.options.Channel), Group: alias(w.options.Group),
		From: w.options.From.fields(), Credit: w.credit(), LeaseMs: milliseconds(w.options.Lease),
	}
	r := &request{id: m.ID, bound: true, encoded: wire.AppendSubscribe(w.client.flight.blank(), &m)}
	r.done = func(a answer) {
		switch refused, ok := errors.AsType[*Error](a.err); {
		case a.err == nil:
			w.subscribed(s, string(a.ok.Subscription), m.Credit)
		case !ok: // The session is lost, or the client closed: another will come, or none.
		case refused.Retryable:
			time.AfterFunc(max(refused.RetryAfter, leastRetry), func() { w.again(s) })
		default:
			w.fail(refused)
		}
	}
	// Done may be called at once, without an answer: it takes no lock then.
	w.client.flight.submit(r)
}

// again repeats a subscription that was refused for now.
func (w *worker) again(s *session) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session == s && !w.stopping {
		w.subscribe()
	}
}

// subscribed takes note of the subscription, and of places that became free
// since it was asked for.
func (w *worker) subscribed(s *session, id string, credit uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session != s {
		return
	}
	w.subscription = id
	if w.stopping {
		w.unsubscribe()
		return
	}
	if w.credit() != credit {
		w.lend()
	}
}

// credit is what may be outstanding in the current session.
func (w *worker) credit() uint64 {
	credit := w.options.Credit
	for _, j := range w.jobs {
		if j.session != w.session {
			credit--
		}
	}
	return uint64(max(credit, 0))
}

// lend tells the node the current credit.
func (w *worker) lend() {
	if w.subscription != "" && !w.stopping {
		w.session.out.add(wire.AppendCredit(w.session.out.blank(), &wire.Credit{Subscription: alias(w.subscription), Credit: w.credit()}))
	}
}

func (w *worker) unsubscribe() {
	if w.subscription == "" {
		return
	}
	m := wire.Unsubscribe{ID: w.client.flight.id(), Subscription: alias(w.subscription)}
	w.session.out.add(wire.AppendUnsubscribe(w.session.out.blank(), &m)) // The answer is of no interest.
	w.subscription = ""
}

// accept starts a job of this worker's subscription. It runs on the reading
// goroutine.
func (w *worker) accept(s *session, m *wire.Job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s != w.session || string(m.Subscription) != w.subscription || w.subscription == "" || w.stopping {
		return false
	}
	now := time.Now()
	j := &running{job: jobOf(m), session: s, begun: now}
	j.job.worker = w
	j.expires = now.Add(j.job.Lease)
	j.ctx, j.cancel = context.WithCancelCause(w.life)
	w.jobs[j.job.token] = j
	if every := max(j.job.Lease/looksPerLease, leastInterval); every < w.interval {
		w.interval = every
		select {
		case w.hurry <- struct{}{}:
		default:
		}
	}
	w.running.Go(func() { w.run(j) })
	return true
}

// remove forgets a job, and lends the place of one from an earlier session.
func (w *worker) remove(j *running) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.jobs, j.job.token)
	if j.session != w.session {
		w.lend()
	}
	j.cancel(nil)
}

// wind ends the worker: nothing new begins, what runs has the grace, and all of
// it is waited for.
func (w *worker) wind(failure error) {
	w.mu.Lock()
	w.stopping = true
	w.unsubscribe()
	w.mu.Unlock()
	close(w.wound)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.running.Wait()
	}()
	if failure != nil {
		w.cancelAll(failure)
		<-done
		return
	}
	grace := time.NewTimer(max(w.options.Grace, 0))
	defer grace.Stop()
	select {
	case <-done:
	case <-grace.C:
		w.cancelAll(ErrStopping)
		<-done
	}
	w.cancelAll(nil)
}
