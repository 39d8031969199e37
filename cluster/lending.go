package cluster

import (
	"github.com/batonmq/baton/fsm/command"
)

// spreadLocked lends what is free: to the partitions that asked for it first,
// then to those that have least.
func (s *subscription) spreadLocked() {
	if s.mu.closed {
		return
	}
	for s.mu.lent+s.mu.held < s.mu.credit {
		free := s.mu.credit - s.mu.lent - s.mu.held
		partition, share := s.neediestLocked(free)
		if partition < 0 {
			return
		}
		loan := &s.mu.loans[partition]
		loan.lent += share
		loan.wants = false
		s.mu.lent += share
		s.tellLocked(uint32(partition), frameLend, uint64(share))
	}
}

// neediestLocked is the partition to lend to next, and how much; -1 for none.
func (s *subscription) neediestLocked(free uint32) (partition int, share uint32) {
	loans := s.mu.loans
	best := -1
	for i := range loans {
		at := (s.mu.turn + i) % len(loans)
		loan := &loans[at]
		switch {
		case loan.generation == 0:
		case loan.wants:
			s.mu.turn = at + 1
			return at, max(1, free/2)
		case best < 0 || loan.lent < loans[best].lent:
			best = at
		}
	}
	if best < 0 {
		return -1, 0
	}
	s.mu.turn = best + 1
	even := s.mu.credit / uint32(len(loans))
	if loans[best].lent >= max(1, even) {
		return best, 1
	}
	return best, min(free, max(1, even-loans[best].lent))
}

// recallLocked asks for credit back from the partitions that have most.
func (s *subscription) recallLocked(credit uint32) {
	for range s.mu.loans {
		most := -1
		for i := range s.mu.loans {
			loan := &s.mu.loans[i]
			if loan.lent == 0 || loan.recalling || loan.wants {
				continue
			}
			if most < 0 || loan.lent > s.mu.loans[most].lent {
				most = i
			}
		}
		if most < 0 || credit == 0 {
			return
		}
		loan := &s.mu.loans[most]
		amount := min(credit, loan.lent)
		loan.recalling = true
		credit -= amount
		s.tellLocked(uint32(most), frameRecall, uint64(amount))
	}
}

// want notes that work waits at a partition to which nothing is lent, and
// moves credit there.
func (s *subscription) want(partition uint32, generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	loan := &s.mu.loans[partition]
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
	loan := &s.mu.loans[partition]
	if loan.generation != generation {
		return
	}
	credit = min(credit, loan.lent)
	loan.recalling = false
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
	loan := &s.mu.loans[partition]
	_, known := s.mu.jobs[key]
	if s.mu.closed || loan.generation != generation || known {
		s.mu.Unlock()
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
// the lease is over.
func (s *subscription) cancelJob(lease command.LeaseID, reason string, graceMS uint64) {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	s.mu.Lock()
	closed := s.mu.closed
	if graceMS == 0 {
		s.dropLocked(heldKey{uint32(lease.Event.Partition), lease.Fence})
		s.spreadLocked()
	}
	s.mu.Unlock()
	if !closed {
		s.sink.CancelJob(lease, reason, graceMS)
	}
}
