package gateway

import (
	"sync"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// jobTable is the jobs a session was pushed and has not ended.
type jobTable struct {
	mu        sync.Mutex // guards the rest
	held      map[command.LeaseID]heldJob
	kept      int   // bytes of checkpoints that are not yet replicated
	nextSweep int64 // Unix nanoseconds
}

// heldJob is an outstanding job.
type heldJob struct {
	// subscription is nil once it is ended; its jobs may still be.
	subscription *subscription
	expires      time.Time // when the lease ends, as far as is known here
	// lostWithSocket means that it is given back as lost where the socket is lost.
	lostWithSocket bool
	ending         bool // a complete, fail, park or release is under way
	// checkpoint waits for being due; replicated is when the last one was sent.
	checkpoint []byte
	replicated time.Time
}

const (
	// sweepInterval is how often forgotten jobs are looked for; sweepGrace is
	// how long after its lease a job is forgotten.
	sweepInterval = 30 * time.Second
	sweepGrace    = 60 * time.Second
)

// forgottenJob is a job that sweep found.
type forgottenJob struct {
	subscription *subscription
	lease        command.LeaseID
}

func (t *jobTable) add(s *subscription, job *command.Job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.held == nil {
		t.held = make(map[command.LeaseID]heldJob)
	}
	t.held[job.Lease] = heldJob{
		subscription: s, expires: time.Now().Add(milliseconds(job.LeaseMS)), lostWithSocket: job.LostWithSocket,
	}
}

// drop forgets a job, and returns the subscription whose place it took.
func (t *jobTable) drop(lease command.LeaseID) *subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.remove(lease)
}

func (t *jobTable) remove(lease command.LeaseID) *subscription {
	job, ok := t.held[lease]
	if !ok {
		return nil
	}
	t.kept -= len(job.checkpoint)
	delete(t.held, lease)
	return job.subscription
}

// end marks a job as ending and returns its subscription; nil where the session
// does not hold it, or is ending it already.
func (t *jobTable) end(lease command.LeaseID) *subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	job, ok := t.held[lease]
	if !ok || job.ending {
		return nil
	}
	job.ending = true
	t.held[lease] = job
	return job.subscription
}

// ended is told how ending a job went. A refusal that leaves the lease alive
// leaves the job here, to be ended another way.
func (t *jobTable) ended(lease command.LeaseID, reason command.Reason) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if reason == command.Done || reason == command.LeaseLost {
		t.remove(lease)
		return
	}
	if job, ok := t.held[lease]; ok {
		job.ending = false
		t.held[lease] = job
	}
}

// renewed notes a job's new term.
func (t *jobTable) renewed(lease command.LeaseID, termMS uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if job, ok := t.held[lease]; ok {
		job.expires = time.Now().Add(milliseconds(termMS))
		t.held[lease] = job
	}
}

// orphan detaches the jobs of a subscription that ended.
func (t *jobTable) orphan(s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for lease, job := range t.held {
		if job.subscription == s {
			job.subscription = nil
			t.held[lease] = job
		}
	}
}

// leases appends every lease held that is not ending.
func (t *jobTable) leases(into []command.LeaseID) []command.LeaseID {
	return t.appendHeld(into, func(heldJob) bool { return true })
}

// lostWithSocket appends those that are lost with the socket.
func (t *jobTable) lostWithSocket(into []command.LeaseID) []command.LeaseID {
	return t.appendHeld(into, func(job heldJob) bool { return job.lostWithSocket })
}

func (t *jobTable) appendHeld(into []command.LeaseID, wanted func(heldJob) bool) []command.LeaseID {
	t.mu.Lock()
	defer t.mu.Unlock()
	for lease, job := range t.held {
		if !job.ending && wanted(job) {
			into = append(into, lease)
		}
	}
	return into
}

// sweep forgets jobs whose lease is long over: the cluster took them back, or
// somebody ended them elsewhere. It returns those whose place is still taken.
func (t *jobTable) sweep(now time.Time) (forgotten []forgottenJob) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.UnixNano() < t.nextSweep {
		return nil
	}
	t.nextSweep = now.Add(sweepInterval).UnixNano()
	for lease, job := range t.held {
		if now.After(job.expires.Add(sweepGrace)) {
			if s := t.remove(lease); s != nil {
				forgotten = append(forgotten, forgottenJob{s, lease})
			}
		}
	}
	return forgotten
}

// sweepJobs opens the places of jobs that the session forgets.
func (c *connection) sweepJobs(now time.Time) {
	for _, job := range c.tables().jobs.sweep(now) {
		if job.subscription.known.Load() {
			job.subscription.handle.Lost(job.lease)
		}
	}
}

func milliseconds(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }
