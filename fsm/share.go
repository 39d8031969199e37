package fsm

import "slices"

// share is a tenant's part in a group's turns: its sub-queues in the channel,
// one of each class that it has used. They share its turns by stride scheduling
// too: the waiting one with the smallest classPass goes next, and pays what the
// turn cost, halved for each step of priority. So a class gets twice what the one
// below it gets, and none waits for ever. Ties go to the more urgent. A class that
// begins to wait starts at the share's clock.
//
// A tenant that has used one class only keeps no account of classes, and its rows
// have nothing of it.
type share struct {
	tenant uint32
	// owner is the tenant where it has settings, nil else.
	owner *tenant
	// cursors are the group's in the tenant's sub-queues, oldest first; waiting are
	// those with work.
	cursors, waiting []*cursor
	// pass is the highest of the cursors' rows: each turn writes it into the row of
	// the cursor that it goes to. So is classClock.
	pass, classClock uint64
	// counted is the waiting work of all cursors, changed whether the share is
	// among those of this entry's backlog.
	counted uint64
	changed bool
	// heapAt is the share's index among its turns, -1 while nothing waits.
	heapAt int
}

// join makes a cursor of a sub-queue one of its tenant's share.
func (t *turns) join(c *cursor) {
	tenant := c.queue.tenant
	s := t.shares[tenant]
	if s == nil {
		s = &share{tenant: tenant, heapAt: -1}
		t.shares[tenant] = s
	}
	c.share = s
	s.cursors = append(s.cursors, c)
}

// restore takes over what a cursor's row tells of its group and its tenant.
func (c *cursor) restore() {
	c.turns.clock = max(c.turns.clock, c.clock)
	c.share.pass = max(c.share.pass, c.pass)
	c.share.classClock = max(c.share.classClock, c.classClock)
}

// place puts a cursor among those that wait, or takes it out.
func (s *share) place(c *cursor) {
	waits := c.counted > 0
	switch {
	case waits && !c.waits:
		s.waiting = append(s.waiting, c)
	case !waits && c.waits:
		at := slices.Index(s.waiting, c)
		s.waiting = slices.Delete(s.waiting, at, at+1)
	}
	c.waits = waits
}

// next is the cursor that the share's turn goes to. There is one for each class
// at most, so looking at each costs less than keeping them in order would.
func (s *share) next() *cursor {
	next := s.waiting[0]
	for _, c := range s.waiting[1:] {
		if c.classPass < next.classPass || c.classPass == next.classPass && c.queue.class > next.queue.class {
			next = c
		}
	}
	return next
}

// pay moves the share's clock and the class's pass for a turn that went to a cursor.
func (s *share) pay(c *cursor, cost uint64) {
	if len(s.cursors) == 1 {
		return
	}
	s.classClock = max(s.classClock, s.next().classPass)
	c.classPass += cost >> c.queue.class
	c.classClock = s.classClock
}

// shareHeap orders waiting shares by pass, then by the age of the oldest sub-queue.
type shareHeap []*share

// Len implements heap.Interface.
func (h *shareHeap) Len() int { return len(*h) }

// Less implements heap.Interface.
func (h *shareHeap) Less(i, j int) bool { return (*h)[i].before((*h)[j]) }

// Swap implements heap.Interface.
func (h *shareHeap) Swap(i, j int) {
	shares := *h
	shares[i], shares[j] = shares[j], shares[i]
	shares[i].heapAt, shares[j].heapAt = i, j
}

// before tells whose turn comes first.
func (s *share) before(other *share) bool {
	if s.pass != other.pass {
		return s.pass < other.pass
	}
	return s.cursors[0].queue.id < other.cursors[0].queue.id
}

// Push implements heap.Interface.
func (h *shareHeap) Push(x any) {
	s, ok := x.(*share)
	if !ok {
		return
	}
	s.heapAt = len(*h)
	*h = append(*h, s)
}

// Pop implements heap.Interface.
func (h *shareHeap) Pop() any {
	last := len(*h) - 1
	s := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	s.heapAt = -1
	return s
}
