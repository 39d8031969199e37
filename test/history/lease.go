package history

import (
	"maps"
	"slices"
)

// event is one that was leased to workers.
type event struct {
	leases    map[uint64]Granted // by fence
	completed []uint64           // the fences that did it
}

func (c *checker) event(id string) *event {
	e := c.events[id]
	if e == nil {
		e = &event{leases: make(map[uint64]Granted)}
		c.events[id] = e
	}
	return e
}

func (c *checker) grant(r *Granted) {
	e := c.event(r.EventID)
	if held, known := e.leases[r.Fence]; known && held.Worker != r.Worker {
		c.fault(SharedLease, "event %s with fence %d was granted to %s and to %s", r.EventID, r.Fence, held.Worker, r.Worker)
	}
	e.leases[r.Fence] = *r
}

func (c *checker) answer(r *Answered) {
	if !r.Completed {
		return
	}
	e := c.event(r.EventID)
	if len(e.completed) > 0 && (!r.Repeated || !slices.Contains(e.completed, r.Fence)) {
		c.fault(CompletedTwice, "event %s was completed with fence %d, and by %s with fence %d", r.EventID, e.completed[0], r.Worker, r.Fence)
	}
	e.completed = append(e.completed, r.Fence)
}

// settleEvent looks at the leases in the order in which they were granted, which
// need not be the one in which workers got them.
func (c *checker) settleEvent(id string, e *event) {
	attempt := 1
	for _, fence := range slices.Sorted(maps.Keys(e.leases)) {
		l := e.leases[fence]
		if l.Attempt < attempt {
			c.fault(Attempts, "event %s was granted with fence %d as attempt %d, after attempt %d", id, fence, l.Attempt, attempt)
		}
		attempt = l.Attempt
		if len(e.completed) > 0 && fence > e.completed[0] {
			c.fault(LateComplete, "event %s was completed with fence %d, and granted to %s with fence %d", id, e.completed[0], l.Worker, fence)
		}
	}
}
