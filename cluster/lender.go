package cluster

import (
	"sync"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm/command"
)

// subscription lends one worker's credit to the partitions, and moves it to
// where work waits.
//
// Invariant: what is lent and what is held never exceed the credit that the
// worker gave, but for a moment after it gave less, or after an end was refused
// whose place had been lent already: then the excess is recalled.
type subscription struct {
	id      uint64
	spec    SubscriptionSpec
	sink    JobSink
	cluster *Cluster

	// delivering keeps pushes in order.
	delivering sync.Mutex

	mu struct {
		sync.Mutex

		// given is the credit that the worker gave, credit what is used of it: none
		// while it is silent, from the end of a lease that it let go until it is heard.
		given, credit uint32
		silent        bool

		lent  uint32
		held  uint32
		loans []loanState
		// jobs are the leases that this subscription has, by partition and fence;
		// true while an end is on its way.
		jobs   map[heldKey]heldJob
		turn   int
		closed bool
		buffer []byte
	}
}

// loanState is the credit lent to one partition.
type loanState struct {
	partition  uint32
	generation uint64
	// ordinal counts the registrations.
	ordinal uint64
	lent    uint32
	// settled means that the leader answered the registration. Until then nothing
	// new is lent, and lent is what a former registration was: the jobs that are
	// pushed again were granted for that.
	settled bool
	// wants means that work waits there, recalling that credit was asked back.
	wants, recalling bool
	// overdue means that the last sweep saw an answer missing, untold that the
	// leader could not be told something.
	overdue, untold bool
}

type heldKey struct {
	partition uint32
	fence     uint64
}

type heldJob struct {
	lease  command.LeaseID
	ending bool
}

// SetCredit implements Subscription.
func (s *subscription) SetCredit(credit uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.given = credit
	if !s.mu.silent {
		s.useLocked(credit)
	}
}

// Heard implements Subscription.
func (s *subscription) Heard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.silent = false
	s.useLocked(s.mu.given)
}

// End implements Subscription.
func (s *subscription) End(lease command.LeaseID, encoded []byte, to Replier, slot uint64) {
	partition := uint32(lease.Event.Partition)
	key := heldKey{partition, lease.Fence}
	s.mu.Lock()
	// Asking under the lock keeps a new registration from counting a credit that
	// this request is about to carry.
	relend := uint64(0)
	job, held := s.mu.jobs[key]
	if held && !job.ending {
		s.mu.jobs[key] = heldJob{lease: lease, ending: true}
		s.mu.held--
		if s.relendHereLocked(partition) {
			relend = s.id
		} else {
			s.spreadLocked()
		}
	}
	way := &ending{subscription: s, key: key, to: to, slot: slot}
	accepted := s.cluster.laneOf(partition).ask(opCommand, relend, encoded, way)
	if !accepted && relend != 0 {
		s.mu.loans[partition].lent--
		s.mu.lent--
	}
	s.mu.Unlock()
	if !accepted {
		way.answered(statusOverloaded, &command.Reader{})
	}
}

// ending is the way back of a command that ends a lease.
type ending struct {
	subscription *subscription
	key          heldKey
	to           Replier
	slot         uint64
}

func (e *ending) answered(how status, body *command.Reader) {
	result := resultOf(how, body)
	e.subscription.ended(e.key, result.Reason)
	e.to.Reply(e.slot, &result)
}

// Lost implements Subscription.
func (s *subscription) Lost(lease command.LeaseID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropLocked(heldKey{uint32(lease.Event.Partition), lease.Fence})
	s.spreadLocked()
}

// Close implements Subscription.
func (s *subscription) Close() {
	s.cluster.forgetSubscription(s.id)
	// Not under delivering: a sink may close its own subscription.
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.closed = true
	for i := range s.mu.loans {
		s.tellLocked(&s.mu.loans[i], frameUnregister, 0)
	}
}

// tellLocked sends a small frame about this subscription to the leader that it
// is registered with.
func (s *subscription) tellLocked(loan *loanState, kind frameKind, number uint64) {
	if loan.generation == 0 {
		return
	}
	b := appendFrame(s.mu.buffer[:0], kind, loan.partition+1, loan.generation)
	b = command.AppendUint(b, s.id)
	s.mu.buffer = command.AppendUint(b, number)
	if s.cluster.laneOf(loan.partition).tell(loan.generation, s.mu.buffer) != nil {
		loan.untold = true
	}
}

// register begins to lend to a partition's new leader, with the list of the
// jobs that are held from it.
func (s *subscription) register(partition uint32, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if loan := s.loanLocked(partition); generation >= loan.generation {
		s.registerLocked(loan, generation)
	}
}

// begin is register for a subscription that the partition's leader knows
// nothing of yet.
func (s *subscription) begin(partition uint32, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if loan := s.loanLocked(partition); loan.generation == 0 {
		s.registerLocked(loan, generation)
	}
}

// loanLocked is the loan to a partition; a subscription may be older than the
// cluster that it learns of.
func (s *subscription) loanLocked(partition uint32) *loanState {
	for next := uint32(len(s.mu.loans)); next < max(partition+1, s.cluster.Partitions()); next++ { //nolint:gosec // There are few partitions.
		s.mu.loans = append(s.mu.loans, loanState{partition: next})
	}
	return &s.mu.loans[partition]
}

func (s *subscription) registerLocked(loan *loanState, generation uint64) {
	if s.mu.closed {
		return
	}
	partition := loan.partition
	s.cluster.laneOf(partition).keepCredit(s.id)
	*loan = loanState{partition: partition, generation: generation, ordinal: loan.ordinal + 1, lent: loan.lent}
	r := duty.Registration{
		Subscription: s.id, Channel: s.spec.Channel, Group: s.spec.Group, Tenant: s.spec.Tenant,
		Worker: s.spec.Worker, LeaseMS: s.spec.LeaseMS, Ordinal: loan.ordinal,
	}
	for key, job := range s.mu.jobs {
		if key.partition == partition {
			r.Held = append(r.Held, job.lease)
		}
	}
	frame := appendRegistration(appendFrame(nil, frameRegister, partition+1, generation), &r)
	loan.untold = s.cluster.laneOf(partition).tell(generation, frame) != nil
}

// relendHereLocked lends the place that an ended job opens to the job's own
// partition, unless another one waits for credit.
func (s *subscription) relendHereLocked(partition uint32) bool {
	loan := s.loanLocked(partition)
	if s.mu.closed || !loan.settled || s.mu.lent+s.mu.held >= s.mu.credit {
		return false
	}
	for i := range s.mu.loans {
		if other := &s.mu.loans[i]; other.wants && other != loan {
			return false
		}
	}
	loan.lent++
	loan.wants = false
	s.mu.lent++
	return true
}

// ended settles a job whose end was answered: gone, or still held because the
// end was refused.
func (s *subscription) ended(key heldKey, reason command.Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	job, known := s.mu.jobs[key]
	if !known || !job.ending {
		return
	}
	if reason == command.Done || reason == command.LeaseLost {
		delete(s.mu.jobs, key)
		return
	}
	s.mu.jobs[key] = heldJob{lease: job.lease}
	s.mu.held++
	s.recallExcessLocked()
}

func (s *subscription) dropLocked(key heldKey) {
	if job, known := s.mu.jobs[key]; known {
		delete(s.mu.jobs, key)
		if !job.ending {
			s.mu.held--
		}
	}
}
