package cluster

import (
	"github.com/batonmq/baton/fsm/command"
)

// useLocked sets how many jobs may be outstanding.
func (s *subscription) useLocked(credit uint32) {
	if s.mu.closed {
		return
	}
	s.mu.credit = credit
	s.spreadLocked()
	s.recallExcessLocked()
}

// spreadLocked lends what is free: to the partitions that asked for it first,
// then to those that have least.
func (s *subscription) spreadLocked() {
	if s.mu.closed {
		return
	}
	for s.mu.lent+s.mu.held < s.mu.credit {
		free := s.mu.credit - s.mu.lent - s.mu.held
		loan, share := s.neediestLocked(free)
		if loan == nil {
			return
		}
		loan.lent += share
		loan.wants = false
		s.mu.lent += share
		s.tellLocked(loan, frameLend, uint64(share))
	}
}

// neediestLocked is the loan to lend to next, and how much; nil for none.
func (s *subscription) neediestLocked(free uint32) (neediest *loanState, share uint32) {
	loans := s.mu.loans
	best, registering := -1, false
	for i := range loans {
		at := (s.mu.turn + i) % len(loans)
		loan := &loans[at]
		switch {
		case !loan.settled:
			registering = registering || loan.generation != 0
		case loan.wants:
			s.mu.turn = at + 1
			return loan, max(1, free/2)
		case best < 0 || loan.lent < loans[best].lent:
			best = at
		}
	}
	if best < 0 {
		return nil, 0
	}
	s.mu.turn = best + 1
	even := s.mu.credit / uint32(len(loans)) //nolint:gosec // There are few partitions.
	if loans[best].lent >= max(1, even) {
		if registering { // What it is to have is not known yet.
			return nil, 0
		}
		return &loans[best], 1
	}
	return &loans[best], min(free, max(1, even-loans[best].lent))
}

// recallLocked asks for credit back from the partitions that have most; from
// one that wants more only what the worker does not give any longer.
func (s *subscription) recallLocked(credit uint32) {
	excess := s.mu.lent+s.mu.held > s.mu.credit
	for range s.mu.loans {
		var most *loanState
		for i := range s.mu.loans {
			loan := &s.mu.loans[i]
			if loan.lent == 0 || loan.recalling || loan.wants && !excess || !loan.settled {
				continue
			}
			if most == nil || loan.lent > most.lent {
				most = loan
			}
		}
		if most == nil || credit == 0 {
			return
		}
		amount := min(credit, most.lent)
		most.recalling, most.overdue = true, false
		credit -= amount
		s.tellLocked(most, frameRecall, uint64(amount))
	}
}

// recallExcessLocked asks back what is lent beyond the worker's credit.
func (s *subscription) recallExcessLocked() {
	if out := s.mu.lent + s.mu.held; out > s.mu.credit {
		s.recallLocked(out - s.mu.credit)
	}
}

// registered begins to lend to a partition: its leader has registered the
// subscription, and the jobs that it pushed again have come. What else was lent
// by a former registration is free. An answer to a former registration says
// nothing of what the leader counts since the next one; one without an ordinal is of
// a build that gave none.
func (s *subscription) registered(partition uint32, generation, ordinal uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loan := s.loanLocked(partition)
	if s.mu.closed || loan.generation != generation || loan.settled || (ordinal != 0 && ordinal != loan.ordinal) {
		return
	}
	loan.settled, loan.overdue = true, false
	s.mu.lent -= loan.lent
	loan.lent = 0
	s.spreadLocked()
}

// sweep tries again what a full link has lost: it is called every sweepInterval,
// and an answer that is missing at two of them is not waited for any longer.
func (s *subscription) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	wants := false
	for i := range s.mu.loans {
		loan := &s.mu.loans[i]
		late := loan.overdue
		loan.overdue = loan.generation != 0 && (!loan.settled || loan.recalling)
		switch {
		case loan.untold, late && !loan.settled:
			s.registerLocked(loan, loan.generation)
		case late:
			loan.recalling = false
		}
		wants = wants || loan.wants
	}
	s.recallExcessLocked()
	if wants && s.mu.lent+s.mu.held >= s.mu.credit {
		s.recallLocked(1)
	}
}

// want notes that work waits at a partition to which nothing is lent, and
// moves credit there.
func (s *subscription) want(partition uint32, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loan := s.loanLocked(partition)
	if s.mu.closed || loan.generation != generation {
		return
	}
	loan.wants = true
	if s.mu.lent+s.mu.held < s.mu.credit {
		s.spreadLocked()
		return
	}
	s.recallLocked(1)
}

// returned takes recalled credit back, and lends it anew.
func (s *subscription) returned(partition uint32, generation uint64, credit uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loan := s.loanLocked(partition)
	if s.mu.closed || loan.generation != generation {
		return
	}
	credit = min(credit, loan.lent)
	loan.recalling, loan.overdue = false, false
	loan.lent -= credit
	s.mu.lent -= credit
	s.spreadLocked()
}

// job delivers a granted job. One that comes too late, from an older
// generation, is dropped: the new leader pushes it again.
func (s *subscription) job(partition uint32, generation uint64, job *command.Job) {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	key := heldKey{partition, job.Lease.Fence}
	s.mu.Lock()
	loan := s.loanLocked(partition)
	_, known := s.mu.jobs[key]
	if s.mu.closed || loan.generation != generation || known {
		gone := s.mu.closed
		s.mu.Unlock()
		if gone {
			s.cluster.giveBack(job.Lease)
		}
		return
	}
	if loan.lent > 0 {
		loan.lent--
		s.mu.lent--
	}
	s.mu.held++
	s.mu.jobs[key] = heldJob{lease: job.Lease}
	s.mu.Unlock()
	s.sink.Job(job)
}

// cancelJob passes a leader's word on a job to the worker; graceMS 0 means that
// the lease is over. Then nothing is lent until the worker is heard: one that
// hangs would let every job that it is given wait for a whole lease.
func (s *subscription) cancelJob(lease command.LeaseID, reason string, graceMS uint64) {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	s.mu.Lock()
	closed := s.mu.closed
	if graceMS == 0 {
		s.dropLocked(heldKey{uint32(lease.Event.Partition), lease.Fence})
		s.mu.silent = true
		s.useLocked(0)
	}
	s.mu.Unlock()
	if !closed {
		s.sink.CancelJob(lease, reason, graceMS)
	}
}
