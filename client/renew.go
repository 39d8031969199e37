package client

import (
	"time"

	"github.com/batonmq/baton/transport/wire"
)

const (
	// renewalsPerLease: a lease is renewed when a third of it is over, so that
	// two renewals may be lost on the way. looksPerLease is how often leases are
	// looked at, so that those that are due together go together.
	renewalsPerLease = 3
	looksPerLease    = 6
	// idleInterval is how often a worker looks at its leases before it had any,
	// leastInterval how often at most.
	idleInterval  = time.Minute
	leastInterval = 10 * time.Millisecond
)

// renewUntil keeps the leases of the worker's jobs alive. It is a goroutine of
// its own, so that a handler that computes cannot starve it.
func (w *worker) renewUntil(quit <-chan struct{}) {
	timer := time.NewTimer(idleInterval)
	defer timer.Stop()
	for {
		select {
		case <-quit:
			return
		case <-w.hurry:
		case <-timer.C:
			w.renewDue()
		}
		w.mu.Lock()
		interval := w.interval
		w.mu.Unlock()
		timer.Reset(interval)
	}
}

// renewDue renews what is due before the next look, and ends the contexts of
// jobs whose lease must be over.
func (w *worker) renewDue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for _, j := range w.jobs {
		if now.After(j.expires) && !j.parking && !j.parked {
			// Not known for certain: what the handler returns is still sent, and
			// the cluster decides.
			j.cancel(ErrLeaseLost)
		}
	}
	w.renewIf(func(j *running) bool { return now.Sub(j.begun) >= j.job.Lease/renewalsPerLease-w.interval/2 })
}

// renewAll is for a new session: the old socket's leases may be lost.
func (w *worker) renewAll() { w.renewIf(func(*running) bool { return true }) }

func (w *worker) renewIf(due func(*running) bool) {
	if w.session == nil {
		return
	}
	var m wire.Renew
	for _, j := range w.jobs {
		if j.parked || !due(j) {
			continue
		}
		m.Leases = append(m.Leases, wire.RenewLease{Lease: alias(j.job.token)})
		if len(m.Leases) == renewAtOnce {
			w.session.out.add(wire.AppendRenew(w.session.out.blank(), &m))
			m.Leases = m.Leases[:0]
		}
	}
	if len(m.Leases) > 0 {
		w.session.out.add(wire.AppendRenew(w.session.out.blank(), &m))
	}
}

// renewAtOnce is how many leases share a message.
const renewAtOnce = 256

// checkpoint saves a job's progress, and renews its lease with it.
func (w *worker) checkpoint(token string, value wire.Raw) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.session == nil {
		return
	}
	m := wire.Renew{Leases: []wire.RenewLease{{Lease: alias(token), Checkpoint: value}}}
	encoded := wire.AppendRenew(w.session.out.blank(), &m)
	if len(encoded.Bytes) > w.session.maxMessage {
		w.client.options.Logger.Warn("a checkpoint is too large", "bytes", len(encoded.Bytes), "limit", w.session.maxMessage)
		return
	}
	w.session.out.add(encoded)
}

// renewed takes note of new terms and of leases that are lost.
func (w *worker) renewed(m *wire.Renewed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	for i := range m.Leases {
		if j := w.jobs[string(m.Leases[i].Lease)]; j != nil {
			j.begun = now
			j.expires = now.Add(time.Duration(m.Leases[i].LeaseMs) * time.Millisecond)
		}
	}
	for _, token := range m.Lost {
		if j := w.jobs[string(token)]; j != nil && !j.parking && !j.parked {
			j.lost = true
			j.cancel(ErrLeaseLost)
		}
	}
}

// cancel ends a job's context at the cluster's wish; false when it is none of
// this worker's. Without a grace the lease is gone already.
func (w *worker) cancel(m *wire.Cancel) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.jobs[string(m.Lease)]
	if j == nil {
		return false
	}
	if m.GraceMs == 0 {
		j.lost = true
		j.cancel(ErrLeaseLost)
		return true
	}
	j.cancel(&CanceledError{Reason: string(m.Reason), Grace: time.Duration(m.GraceMs) * time.Millisecond})
	return true
}
