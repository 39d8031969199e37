package cluster

import (
	"fmt"
	"slices"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// worker is a JobSink that writes down what it is given.
type worker struct {
	got []string
	// holds are the jobs that it works on.
	holds []command.LeaseID
}

// Job implements JobSink.
func (w *worker) Job(job *command.Job) {
	w.got = append(w.got, fmt.Sprintf("job %d of %d", job.Lease.Fence, job.Lease.Event.Partition))
	w.holds = append(w.holds, job.Lease)
}

// CancelJob implements JobSink.
func (w *worker) CancelJob(lease command.LeaseID, reason string, graceMS uint64) {
	w.got = append(w.got, fmt.Sprintf("cancel %d of %d, %s, grace %d", lease.Fence, lease.Event.Partition, reason, graceMS))
	if graceMS == 0 {
		w.holds = slices.DeleteFunc(w.holds, func(l command.LeaseID) bool { return l == lease })
	}
}

func (w *worker) hears(tb tester, want ...string) {
	tb.Helper()
	got := w.got
	w.got = nil
	if !slices.Equal(got, want) {
		tb.Fatalf("the worker got %q, want %q", got, want)
	}
}

// nobody is a Replier that does not care.
type nobody struct{}

// Reply implements Replier.
func (nobody) Reply(uint64, *command.Result) {}

func (e *edge) subscribe(credit uint32) (*subscription, *worker) {
	w := &worker{}
	return e.Subscribe(SubscriptionSpec{Channel: "work", Credit: credit}, w).(*subscription), w
}

// lends is an edge of a subscription that has registered everywhere with n2 as
// the leader of generation 1.
func lends(tb tester, partitions, credit uint32) (*edge, *subscription, *worker) {
	tb.Helper()
	e := newEdge(partitions)
	s, w := e.subscribe(credit)
	for p := range partitions {
		e.lead("n2", p, 1)
	}
	for p := range partitions {
		e.push(frameRegistered, p, 1, s.id)
	}
	e.links.take()
	return e, s, w
}

// books wants what the gateway counts as lent to each partition, and as held.
func (s *subscription) books(tb tester, held uint32, lent ...uint32) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	sum, each := uint32(0), make([]uint32, len(s.mu.loans))
	for i := range s.mu.loans {
		each[i] = s.mu.loans[i].lent
		sum += each[i]
	}
	if !slices.Equal(each, lent) || s.mu.lent != sum || s.mu.held != held {
		tb.Fatalf("lent are %v, together %d, held %d; want %v and %d", each, s.mu.lent, s.mu.held, lent, held)
	}
}

func result(reason command.Reason) string {
	return string(command.AppendResult(nil, &command.Result{Reason: reason}))
}

// TestCreditIsSpread: each partition gets its share once its leader has answered
// the registration, and what is over goes round when all have.
func TestCreditIsSpread(t *testing.T) {
	e := newEdge(3)
	s, _ := e.subscribe(7)
	e.lead("n2", 0, 1)
	e.lead("n2", 1, 1)
	e.hears(t, "n2: register, partition 0 of 1, credit 0 held 0", "n2: register, partition 1 of 1, credit 0 held 0")
	e.push(frameRegistered, 1, 1, s.id)
	e.hears(t, "n2: lend, partition 1 of 1, 2")
	e.lead("n3", 2, 4)
	e.push(frameRegistered, 0, 1, s.id)
	e.push(frameRegistered, 2, 3, s.id)
	e.hears(t, "n3: register, partition 2 of 4, credit 0 held 0", "n2: lend, partition 0 of 1, 2")
	e.push(frameRegistered, 2, 4, s.id)
	e.push(frameRegistered, 2, 4, s.id)
	e.hears(t, "n3: lend, partition 2 of 4, 2", "n2: lend, partition 0 of 1, 1")
	s.books(t, 0, 3, 2, 2)
}

// TestJobsAndEnds: a job is of what was lent, its end lends the place again where
// the job was; what was pushed twice, or by a former leader, is one job.
func TestJobsAndEnds(t *testing.T) {
	e, s, w := lends(t, 2, 4)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.push(frameJob, 1, 9, s.id, job(1, 5))
	w.hears(t, "job 5 of 0")
	s.books(t, 1, 1, 2)
	s.End(leaseOf(0, 5), []byte("done"), nobody{}, 1)
	s.End(leaseOf(0, 5), []byte("done"), nobody{}, 1)
	s.End(leaseOf(0, 6), []byte("done"), nobody{}, 1)
	e.hears(t, "n2: ask, partition 0 of 1, seq 0 op 1 relend true done", "n2: ask, partition 0 of 1, seq 1 op 1 relend false done",
		"n2: ask, partition 0 of 1, seq 2 op 1 relend false done")
	s.books(t, 0, 2, 2)
	e.push(frameJob, 0, 1, s.id, job(0, 5)) // Pushed again before the end was known: it is not a job any more.
	w.hears(t)
	e.answer(1, 0, statusDone, result(command.Done))
	e.answer(1, 1, statusDone, result(command.LeaseLost))
	e.answer(1, 2, statusDone, result(command.LeaseLost))
	s.books(t, 0, 2, 2)
	if len(s.mu.jobs) != 0 {
		t.Errorf("%d jobs are remembered", len(s.mu.jobs))
	}
}

// TestARefusedEndIsStillHeld: the place of a job whose end is refused was lent
// already, and is recalled.
func TestARefusedEndIsStillHeld(t *testing.T) {
	e, s, _ := lends(t, 1, 2)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	s.End(leaseOf(0, 5), nil, nobody{}, 1)
	e.links.take()
	e.answer(1, 0, statusDone, result(command.Overloaded))
	e.hears(t, "n2: recall, partition 0 of 1, 1")
	s.books(t, 1, 2)
	e.push(frameReturned, 0, 1, s.id, uints(1))
	s.books(t, 1, 1)
	s.End(leaseOf(0, 5), nil, nobody{}, 1) // The worker tries again.
	e.hears(t, "n2: ask, partition 0 of 1, seq 1 op 1 relend true ")
	s.books(t, 0, 2)
}

// TestAnEndThatTheLaneRefuses leaves the books as they were.
func TestAnEndThatTheLaneRefuses(t *testing.T) {
	e, s, _ := lends(t, 1, 2)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.laneOf(0).mu.bytes = MaxLaneBytes
	s.End(leaseOf(0, 5), []byte("x"), replies{t, command.Overloaded}, 9)
	e.hears(t)
	s.books(t, 1, 1)
}

// TestWantMovesCredit: credit goes to where work waits, from where most is lent;
// the place that a job leaves goes there too.
func TestWantMovesCredit(t *testing.T) {
	e, s, _ := lends(t, 2, 4)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.push(frameJob, 0, 1, s.id, job(0, 6))
	e.push(frameWant, 0, 7, s.id) // Of no leader that it is registered with.
	e.hears(t)
	e.push(frameWant, 0, 1, s.id)
	e.hears(t, "n2: recall, partition 1 of 1, 1")
	e.push(frameWant, 0, 1, s.id)
	e.hears(t)
	e.push(frameReturned, 1, 1, s.id, uints(1))
	e.hears(t, "n2: lend, partition 0 of 1, 1")
	s.books(t, 2, 1, 1)
	e.push(frameJob, 1, 1, s.id, job(1, 7))
	e.push(frameWant, 0, 1, s.id)
	s.End(leaseOf(1, 7), nil, nobody{}, 1)
	e.hears(t, "n2: lend, partition 0 of 1, 1", "n2: ask, partition 1 of 1, seq 0 op 1 relend false ")
	s.books(t, 2, 2, 0)
}

// TestLessCreditIsRecalled: from where most is lent; more than that is not lent
// again.
func TestLessCreditIsRecalled(t *testing.T) {
	e, s, _ := lends(t, 2, 6)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	s.SetCredit(2)
	e.hears(t, "n2: recall, partition 1 of 1, 3", "n2: recall, partition 0 of 1, 1")
	e.push(frameReturned, 1, 1, s.id, uints(3))
	e.push(frameReturned, 0, 1, s.id, uints(9)) // More than there was cannot come back.
	e.hears(t, "n2: lend, partition 0 of 1, 1")
	s.books(t, 1, 1, 0)
}

// TestALostAnswerIsAskedForAgain: an answer to a recall or a registration that a
// full link lost is asked for again.
func TestALostAnswerIsAskedForAgain(t *testing.T) {
	e, s, _ := lends(t, 1, 4)
	s.SetCredit(1)
	e.hears(t, "n2: recall, partition 0 of 1, 3")
	s.sweep()
	e.hears(t)
	s.sweep()
	e.hears(t, "n2: recall, partition 0 of 1, 3")
	e.push(frameReturned, 0, 1, s.id, uints(3))
	s.sweep()
	s.sweep()
	e.hears(t)
	e.lead("n3", 0, 2)
	s.sweep()
	e.hears(t, "n3: register, partition 0 of 2, credit 0 held 0")
	s.sweep()
	e.hears(t, "n3: register, partition 0 of 2, credit 0 held 0")
	e.push(frameRegistered, 0, 2, s.id)
	e.hears(t, "n3: lend, partition 0 of 2, 1")
	s.sweep()
	s.sweep()
	e.hears(t)
}

// TestAWantOutlivesALostRecall: where work waits is not forgotten with the frame
// that a full link lost.
func TestAWantOutlivesALostRecall(t *testing.T) {
	e, s, _ := lends(t, 2, 2)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.push(frameWant, 0, 1, s.id)
	e.hears(t, "n2: recall, partition 1 of 1, 1")
	s.sweep()
	s.sweep()
	e.hears(t, "n2: recall, partition 1 of 1, 1")
}

// TestLenderOutlivesAFullLink: a leader that could not be told something is told
// everything anew.
func TestLenderOutlivesAFullLink(t *testing.T) {
	for _, kind := range []frameKind{frameRegister, frameLend, frameRecall} {
		e := newEdge(1)
		s, _ := e.subscribe(3)
		e.links.fails, e.links.failing = transport.ErrLinkFull, []frameKind{kind}
		e.lead("n2", 0, 1)
		e.push(frameRegistered, 0, 1, s.id)
		s.SetCredit(2)
		e.links.fails = nil
		e.links.take()
		s.sweep()
		e.hears(t, "n2: register, partition 0 of 1, credit 0 held 0")
		e.push(frameRegistered, 0, 1, s.id)
		e.hears(t, "n2: lend, partition 0 of 1, 2")
		s.books(t, 0, 2)
	}
}

// TestJobsPushedAgain: a job that a new leader pushes again is of what the former
// one was lent. Nothing is lent anew before all of them are known, so that the
// worker never has more jobs than its credit, and the leader no less credit than
// the gateway counts.
func TestJobsPushedAgain(t *testing.T) {
	e, s, w := lends(t, 2, 4)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.lead("n3", 0, 2)
	e.hears(t, "n3: register, partition 0 of 2, credit 0 held 1")
	s.books(t, 1, 1, 2)
	s.End(leaseOf(0, 5), nil, nobody{}, 1) // The place goes elsewhere meanwhile.
	e.hears(t, "n3: ask, partition 0 of 2, seq 0 op 1 relend false ")
	e.push(frameJob, 0, 2, s.id, job(0, 6))
	w.hears(t, "job 5 of 0", "job 6 of 0")
	s.books(t, 1, 0, 2)
	e.push(frameRegistered, 0, 2, s.id)
	e.hears(t, "n3: lend, partition 0 of 2, 1")
	s.books(t, 1, 1, 2)
}

// TestAnswerToAFormerRegistration: the leader counts from the last registration on,
// so only its answer says that credit can be lent.
func TestAnswerToAFormerRegistration(t *testing.T) {
	e := newEdge(1)
	s, _ := e.subscribe(2)
	e.lead("n2", 0, 1)
	s.sweep()
	s.sweep() // No answer came: it registers again.
	const register = "n2: register, partition 0 of 1, credit 0 held 0"
	e.hears(t, register, register)
	e.push(frameRegistered, 0, 1, s.id, uints(1))
	e.hears(t)
	s.books(t, 0, 0)
	e.push(frameRegistered, 0, 1, s.id, uints(2))
	e.hears(t, "n2: lend, partition 0 of 1, 2")
	s.books(t, 0, 2)
}

// TestRegistrationOfAnEarlierGeneration: who learns late of a leader that is no
// more does not register there.
func TestRegistrationOfAnEarlierGeneration(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 2)
	s, _ := e.subscribe(1)
	s.begin(0, 2)
	s.register(0, 1)
	e.hears(t, "n2: register, partition 0 of 2, credit 0 held 0")
	e.push(frameRegistered, 0, 2, s.id)
	e.hears(t, "n2: lend, partition 0 of 2, 1")
}

// TestSubscribeWhileALeaderIsFollowed: a subscription that comes after a leader's
// registrations went out, and before requests flow, is registered too.
func TestSubscribeWhileALeaderIsFollowed(t *testing.T) {
	e := newEdge(1)
	e.laneOf(0).lead("n2", 1) // As learnLeader does; follow has gone through the others already.
	e.subscribe(1)
	e.hears(t, "n2: register, partition 0 of 1, credit 0 held 0")
}

// TestSubscribeBeforeTheCluster: a subscription may be older than the partitions
// that it lends to.
func TestSubscribeBeforeTheCluster(t *testing.T) {
	e := newEdge(2)
	formation, lanes := e.formation.Swap(nil), e.lanes.Swap(nil)
	s, _ := e.subscribe(2)
	s.SetCredit(4)
	e.lanes.Store(lanes)
	e.formation.Store(formation)
	e.lead("n2", 1, 1)
	e.push(frameWant, 0, 1, s.id)
	e.push(frameRegistered, 1, 1, s.id)
	s.books(t, 0, 0, 4)
}

// TestCancel: a lost lease opens its place once the worker is heard, a request to
// stop does not.
func TestCancel(t *testing.T) {
	e, s, w := lends(t, 1, 2)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.push(frameJob, 0, 1, s.id, job(0, 6))
	cancel := func(fence, grace uint64) {
		e.push(frameCancelJob, 0, 1, s.id, func(b []byte) []byte { return command.AppendLeaseID(b, leaseOf(0, fence)) }, text("why"), uints(grace))
	}
	cancel(5, 100)
	s.books(t, 2, 0)
	cancel(5, 0)
	s.books(t, 1, 0)
	s.Heard()
	s.books(t, 1, 1)
	s.Lost(leaseOf(0, 6))
	s.Lost(leaseOf(0, 6))
	s.books(t, 0, 2)
	w.hears(t, "job 5 of 0", "job 6 of 0", "cancel 5 of 0, why, grace 100", "cancel 5 of 0, why, grace 0")
}

// TestNothingIsLentToASilentWorker: one that let a lease go is given no job until
// it is heard, whatever else happens.
func TestNothingIsLentToASilentWorker(t *testing.T) {
	e, s, w := lends(t, 2, 5)
	s.books(t, 0, 3, 2)
	e.push(frameJob, 0, 1, s.id, job(0, 5))
	e.push(frameCancelJob, 0, 1, s.id, func(b []byte) []byte { return command.AppendLeaseID(b, leaseOf(0, 5)) }, text("why"), uints(0))
	e.hears(t, "n2: recall, partition 0 of 1, 2", "n2: recall, partition 1 of 1, 2")
	e.push(frameReturned, 0, 1, s.id, uints(1)) // The other one was granted meanwhile.
	e.push(frameJob, 0, 1, s.id, job(0, 6))
	e.push(frameReturned, 1, 1, s.id, uints(2))
	e.push(frameWant, 0, 1, s.id)
	s.SetCredit(4)
	e.lead("n3", 1, 2)
	e.push(frameRegistered, 1, 2, s.id)
	e.hears(t, "n3: register, partition 1 of 2, credit 0 held 0")
	s.books(t, 1, 0, 0)
	s.Heard()
	e.hears(t, "n2: lend, partition 0 of 1, 1", "n3: lend, partition 1 of 2, 2")
	s.books(t, 1, 1, 2)
	w.hears(t, "job 5 of 0", "cancel 5 of 0, why, grace 0", "job 6 of 0")
}

// TestCloseWithdraws: after Close nothing is lent and nothing reaches the sink; a job
// that was on its way goes back, and a leader that has not heard is told again.
func TestCloseWithdraws(t *testing.T) {
	e, s, w := lends(t, 2, 4)
	s.Close()
	e.hears(t, "n2: unregister, partition 0 of 1", "n2: unregister, partition 1 of 1")
	e.push(frameJob, 1, 1, s.id, job(1, 5))
	e.hears(t, "n2: lazy, partition 1 of 1", "n2: unregister, partition 1 of 1")
	lease := leaseOf(1, 6)
	s.job(1, 1, &command.Job{Lease: lease}) // It had been found just before.
	e.hears(t, "n2: lazy, partition 1 of 1")
	s.cancelJob(lease, "why", 0)
	s.want(0, 1)
	s.returned(0, 1, 1)
	s.registered(0, 1, 0)
	s.sweep()
	s.SetCredit(9)
	e.lead("n3", 0, 2)
	e.hears(t)
	w.hears(t)
}
