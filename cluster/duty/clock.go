package duty

import (
	"container/heap"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// expireBatch bounds how many leases one Expire names.
const expireBatch = command.MaxLeases

// expireAgain is after how long a lease that is over and has not ended is named
// again: the Expire that named it may have found no room in the queue.
const expireAgain = time.Second

// leaseClock knows when each lease in force is over, on this process's
// monotonic clock. A renewal only moves the lease's own deadline: its place in
// the heap is looked at when the old one comes up.
type leaseClock struct {
	byFence map[uint64]*leaseTerm
	queue   termQueue
}

type leaseTerm struct {
	id      command.LeaseID
	holder  fsm.Holder
	tenant  string
	leaseMS uint32
	ends    time.Time
	// queued is the time the heap goes by, and when ends is looked at; behind it
	// when the lease is expired, or was given more than a term at first.
	queued  time.Time
	at      int
	expired bool
}

func newLeaseClock() leaseClock { return leaseClock{byFence: make(map[uint64]*leaseTerm)} }

func (c *leaseClock) grant(lease *fsm.Lease, ends time.Time) {
	term := &leaseTerm{
		id: lease.ID, holder: lease.Holder, tenant: lease.Tenant, leaseMS: lease.LeaseMS, ends: ends, queued: ends,
	}
	c.byFence[lease.ID.Fence] = term
	heap.Push(&c.queue, term)
}

func (c *leaseClock) end(id command.LeaseID) {
	if term := c.byFence[id.Fence]; term != nil {
		delete(c.byFence, id.Fence)
		heap.Remove(&c.queue, term.at)
	}
}

// renew begins a new term, and returns it in milliseconds; 0 for a lost lease.
// One whose expiry is proposed already is lost, and so is another tenant's to whoever
// may act for one; an empty tenant may act for all.
func (c *leaseClock) renew(id command.LeaseID, tenant string, now time.Time) uint32 {
	term := c.byFence[id.Fence]
	if term == nil || term.id != id || term.expired || tenant != "" && tenant != term.tenant {
		return 0
	}
	term.ends = now.Add(time.Duration(term.leaseMS) * time.Millisecond)
	return term.leaseMS
}

// holds tells whether a lease is in force.
func (c *leaseClock) holds(id command.LeaseID) bool {
	term := c.byFence[id.Fence]
	return term != nil && term.id == id && !term.expired
}

// over are the leases whose term is over, expireBatch at most. Each is lost from
// now on, and named again until it ends.
func (c *leaseClock) over(now time.Time) []command.LeaseID {
	var over []command.LeaseID
	for len(c.queue) > 0 && len(over) < expireBatch && !c.queue[0].queued.After(now) {
		term := c.queue[0]
		if term.ends.After(now) {
			term.queued = term.ends
			heap.Fix(&c.queue, 0)
			continue
		}
		term.expired, term.queued = true, now.Add(expireAgain)
		heap.Fix(&c.queue, 0)
		over = append(over, term.id)
	}
	return over
}

// heldBy are the leases of one subscription.
func (c *leaseClock) heldBy(node string, subscription uint64) []command.LeaseID {
	var held []command.LeaseID
	for _, term := range c.byFence {
		if term.holder.Node == node && term.holder.Session == subscription && !term.expired {
			held = append(held, term.id)
		}
	}
	return held
}

// termQueue is a heap by queued.
type termQueue []*leaseTerm

// Len implements heap.Interface.
func (q *termQueue) Len() int { return len(*q) }

// Less implements heap.Interface.
func (q *termQueue) Less(i, j int) bool { return (*q)[i].queued.Before((*q)[j].queued) }

// Swap implements heap.Interface.
func (q *termQueue) Swap(i, j int) {
	terms := *q
	terms[i], terms[j] = terms[j], terms[i]
	terms[i].at, terms[j].at = i, j
}

// Push implements heap.Interface.
func (q *termQueue) Push(x any) {
	if term, ok := x.(*leaseTerm); ok {
		term.at = len(*q)
		*q = append(*q, term)
	}
}

// Pop implements heap.Interface.
func (q *termQueue) Pop() any {
	last := len(*q) - 1
	term := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	term.at = -1
	return term
}
