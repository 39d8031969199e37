package storage

import (
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// maxPendingSyncs bounds the appends of one log whose syncs are under way; one
// more waits for the oldest.
const maxPendingSyncs = 128

// pendingSync is an append that is written and visible, and whose sync is under
// way.
type pendingSync struct {
	batch *pebble.Batch
	// waited is set by the one goroutine that waits for the batch: Pebble keeps its
	// statistics there without a lock. done is closed when it has, with err.
	waited atomic.Bool
	done   chan struct{}
	err    error
	// last is the index of its last row that is still in the log.
	last uint64
	// waiters is how many goroutines wait for the sync; settled means that it is
	// not pending any more. The last one to leave closes the batch.
	waiters int
	settled bool
}

// Durable is an index up to which every row of the log is synced, as far as
// somebody has waited for it.
func (l *Log) Durable() uint64 {
	l.synced.mu.Lock()
	defer l.synced.mu.Unlock()
	return l.synced.durable
}

// WaitDurable returns when the rows up to index are synced, or are not in the
// log any more; ErrFailed or ErrClosed when they never will be.
func (l *Log) WaitDurable(index uint64) error {
	l.synced.mu.Lock()
	defer l.synced.mu.Unlock()
	for l.synced.durable < index {
		if err := l.store.usable(); err != nil {
			l.cutFailed()
			return err
		}
		p := l.covering(index)
		if p == nil {
			return nil
		}
		if err := l.await(p); err != nil {
			l.cutFailed()
			return err
		}
	}
	return nil
}

// covering is the first append under way that wrote index; nil when there is
// none. synced.mu is held.
func (l *Log) covering(index uint64) *pendingSync {
	for _, p := range l.synced.pending {
		if p.last >= index {
			return p
		}
	}
	return nil
}

// await waits for one sync, which ends all those before it. It gives synced.mu
// up meanwhile.
func (l *Log) await(p *pendingSync) error {
	p.waiters++
	l.synced.mu.Unlock()
	err := p.wait()
	if err == nil {
		// See engineLogger.Fatalf: a nil error alone is no proof of success.
		err = l.store.failed()
	} else {
		l.store.fail(wrap("sync", err))
		err = l.store.failed()
	}
	l.synced.mu.Lock()
	p.waiters--
	if err != nil {
		return err // The batch is left to a process that is about to end.
	}
	l.settle(p)
	p.release()
	return nil
}

// wait may be called by many: one waits for the batch, the others for that one.
func (p *pendingSync) wait() error {
	if p.waited.CompareAndSwap(false, true) {
		p.err = p.batch.SyncWait()
		close(p.done)
	}
	<-p.done
	return p.err
}

// settle takes a synced append, and those before it, out of the pending ones.
func (l *Log) settle(p *pendingSync) {
	if p.settled {
		return
	}
	for i, earlier := range l.synced.pending {
		_ = earlier.wait() // The write-ahead log is synced in order: this one is, too.
		earlier.settled = true
		l.synced.durable = max(l.synced.durable, earlier.last)
		if earlier == p {
			l.synced.pending = append(l.synced.pending[:0], l.synced.pending[i+1:]...)
			return
		}
		earlier.release()
	}
}

// release closes the batch of a settled append when nobody waits for it.
func (p *pendingSync) release() {
	if p.settled && p.waiters == 0 {
		_ = p.batch.Close() // A batch holds no resource whose release can fail.
	}
}

// began notes an append that is written, and keeps the pending ones bounded.
func (l *Log) began(p *pendingSync) error {
	l.synced.mu.Lock()
	defer l.synced.mu.Unlock()
	l.synced.pending = append(l.synced.pending, p)
	if len(l.synced.pending) <= maxPendingSyncs {
		return nil
	}
	return l.await(l.synced.pending[0])
}

// cutFailed takes back, in a failed store, the rows that will never be durable;
// synced.mu is held.
func (l *Log) cutFailed() {
	if l.store.failed() == nil {
		return
	}
	l.bounds.mu.Lock()
	defer l.bounds.mu.Unlock()
	l.bounds.last = min(l.bounds.last, l.synced.durable)
	if l.bounds.last < l.bounds.first {
		l.bounds.first, l.bounds.last = 0, 0
	}
}

// cutPending forgets, from an index on, what appends under way will have made
// durable: those rows are gone, and others will have their indexes.
func (l *Log) cutPending(from uint64) {
	l.synced.mu.Lock()
	defer l.synced.mu.Unlock()
	l.synced.durable = min(l.synced.durable, from-1)
	for _, p := range l.synced.pending {
		p.last = min(p.last, from-1)
	}
}
