package sim

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/test/history"
)

const (
	// steps is how many steps an event may go through.
	steps = 3
	// leaseMS is the lease that workers ask for.
	leaseMS = 2000
	// mayFail is up to which attempt a worker fails a job: the fifth failure would
	// be its last.
	mayFail = 2
)

// worker does the jobs of one step, as one subscription after the other.
type worker struct {
	episode *episode
	name    string
	step    int

	mu     sync.Mutex
	random *rand.Rand
}

func newWorker(e *episode, number int) *worker {
	return &worker{
		episode: e, name: fmt.Sprintf("worker-%d", number), step: 1 + number%steps,
		random: e.random(actorWorkers + uint64(number)),
	}
}

func (w *worker) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(n)
}

// work subscribes here and there until the episode ends.
func (w *worker) work() {
	e := w.episode
	var working sync.WaitGroup
	defer working.Wait()
	for number := 0; ; number++ {
		l := e.connect(rand.New(rand.NewPCG(e.seed, uint64(w.draw(1<<30)))))
		if l == nil {
			return
		}
		s := newShift(w, l, fmt.Sprintf("%s.%d", w.name, number), &working)
		spec := cluster.SubscriptionSpec{
			Channel: channel(w.step), Group: "default", Worker: s.name, LeaseMS: leaseMS, Credit: uint32(1 + w.draw(8)),
		}
		e.tally.count("subscriptions", 1)
		handle := l.cluster.Subscribe(spec, s)
		s.open(handle)
		s.stay()
		// What is in hand goes on: another connection may still end it. Of some
		// nothing is heard again.
		s.leave(w.draw(2) == 0)
		handle.Close()
	}
}

// shift is a worker on one connection: it implements cluster.JobSink.
type shift struct {
	worker  *worker
	life    *life
	name    string
	working *sync.WaitGroup
	// gone is closed when the connection is; opened when there is a handle.
	gone, opened chan struct{}
	handle       cluster.Subscription

	mu       sync.Mutex
	closed   bool
	vanished bool
}

func newShift(w *worker, l *life, name string, working *sync.WaitGroup) *shift {
	return &shift{worker: w, life: l, name: name, working: working, gone: make(chan struct{}), opened: make(chan struct{})}
}

// Job implements cluster.JobSink.
func (s *shift) Job(job *command.Job) { s.life.hear(func() { s.job(job) }) }

// CancelJob implements cluster.JobSink. A worker that is there is heard a moment
// later, as one that answers its gateway's ping.
func (s *shift) CancelJob(_ command.LeaseID, _ string, graceMS uint64) {
	s.worker.episode.tally.count("leases lost", 1)
	if graceMS == 0 {
		s.life.hear(s.answer)
	}
}

func (s *shift) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.working.Go(func() {
		<-s.opened
		s.handle.Heard()
	})
}

func (s *shift) open(handle cluster.Subscription) {
	s.handle = handle
	close(s.opened)
}

// stay waits until the connection ends: by itself, with the node or the episode.
func (s *shift) stay() {
	e := s.worker.episode
	for range 1 + s.worker.draw(20) {
		if e.calm.Load() {
			break
		}
		if s.worker.draw(4) == 0 {
			s.handle.SetCredit(uint32(s.worker.draw(8)))
		}
		timer := time.NewTimer(time.Duration(s.worker.draw(2000)) * time.Millisecond)
		select {
		case <-timer.C:
		case <-s.life.over:
			return
		case <-e.ending:
			return
		}
	}
	if !e.calm.Load() {
		return
	}
	s.handle.SetCredit(8)
	select {
	case <-s.life.over:
	case <-e.ending:
	}
}

func (s *shift) leave(vanish bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.vanished = true, vanish
	close(s.gone)
}

func (s *shift) job(job *command.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	e := s.worker.episode
	e.history.Add(history.Granted{
		Worker: s.name, EventID: job.Lease.Event.String(), Attempt: int(job.Lease.Attempt), Fence: job.Lease.Fence,
	})
	task := &task{shift: s, lease: job.Lease, client: job.Event.ClientID, data: string(job.Event.Payload.Bytes)}
	s.working.Go(task.do)
}
