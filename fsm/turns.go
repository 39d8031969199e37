package fsm

import (
	"cmp"
	"container/heap"
	"slices"
)

// stride is how far a turn moves a sub-queue of weight 1 along the group's
// virtual time. A weight divides it.
const stride = 1 << 20

// turns gives a group's sub-queues fair turns by stride scheduling: the
// waiting sub-queue with the smallest pass goes next, and pays a stride. Ties
// go to the older sub-queue. One that begins to wait starts at the group's
// clock, so that nobody saves up turns while having nothing to do.
//
// Invariant: the heap holds exactly the cursors with waiting work, and pass and
// clock are rows, so that a replica that was restarted takes the same turns.
type turns struct {
	channel, group uint32
	waiting        cursorHeap
	clock          uint64
	// noted is whether the backlog is in this entry's outcome already.
	noted bool
}

func newTurns(channel, group uint32) *turns { return &turns{channel: channel, group: group} }

// place puts a cursor in or out of the heap as its work says, without moving
// its pass: for one that was waiting before, or is read back.
func (t *turns) place(c *cursor) {
	switch waits := c.waiting() > 0; {
	case waits && c.heapAt < 0:
		heap.Push(&t.waiting, c)
	case !waits && c.heapAt >= 0:
		heap.Remove(&t.waiting, c.heapAt)
	}
}

// settle is place for a cursor whose work just changed: one that begins to
// wait starts at the clock.
func (t *turns) settle(c *cursor) {
	if c.heapAt < 0 && c.waiting() > 0 {
		c.pass = max(c.pass, t.clock)
	}
	t.place(c)
}

// pay moves the clock and the cursor's pass for one turn. It is called while
// the cursor still waits for what it is about to get: were it taken out first,
// the clock would stand still for a sub-queue that is alone, and the next one
// to come would be owed all those turns.
func (t *turns) pay(c *cursor) {
	t.clock = max(t.clock, t.waiting[0].pass)
	c.pass += stride
	c.clock = t.clock
	heap.Fix(&t.waiting, c.heapAt)
}

// noteBacklog puts the group's waiting work into the outcome, once an entry.
func (m *Machine) noteBacklog(t *turns) {
	if !m.out.effects || t.noted {
		return
	}
	t.noted = true
	m.noted = append(m.noted, t)
}

// backlogOf is what waits in a group, by tenant.
func (m *Machine) backlogOf(t *turns) Backlog {
	backlog := Backlog{
		Channel: m.names.text(nameChannel, t.channel),
		Group:   m.names.text(nameGroup, t.group),
	}
	for _, c := range t.waiting {
		tenant := m.names.text(nameTenant, c.queue.tenant)
		backlog.Tenants = append(backlog.Tenants, TenantBacklog{Tenant: tenant, Waiting: c.waiting()})
	}
	slices.SortFunc(backlog.Tenants, func(a, b TenantBacklog) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return backlog
}

// cursorHeap orders waiting cursors by pass, then by the age of the sub-queue.
type cursorHeap []*cursor

func (h cursorHeap) Len() int { return len(h) }

func (h cursorHeap) Less(i, j int) bool {
	if h[i].pass != h[j].pass {
		return h[i].pass < h[j].pass
	}
	return h[i].queue.id < h[j].queue.id
}

func (h cursorHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].heapAt, h[j].heapAt = i, j
}

// Push implements heap.Interface.
func (h *cursorHeap) Push(x any) {
	c, ok := x.(*cursor)
	if !ok {
		return
	}
	c.heapAt = len(*h)
	*h = append(*h, c)
}

// Pop implements heap.Interface.
func (h *cursorHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	c.heapAt = -1
	return c
}
