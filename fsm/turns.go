package fsm

import (
	"cmp"
	"container/heap"
	"slices"
)

// stride is how far a turn moves a sub-queue of weight 1 along the group's
// virtual time. A weight divides it.
const stride = 1 << 20

// skipCost is what it costs to set aside an event that cannot be granted now,
// delayed or canceled. Were it free, a tenant's heap of those would be worked
// through before anybody else's turn; were it a whole stride, that tenant would
// wait a turn for each event that nobody worked on.
const skipCost = stride / 64

// maxBacklogTenants is how many tenants a group's Backlog lists in full; beyond
// them an entry would pay for every waiting tenant whenever one has an event.
const maxBacklogTenants = 64

// turns gives a group's sub-queues fair turns by stride scheduling: the
// waiting sub-queue with the smallest pass goes next, and pays a stride. Ties
// go to the older sub-queue. One that begins to wait starts at the group's
// clock, so that nobody saves up turns while having nothing to do.
//
// Invariant: the heap holds exactly the cursors with waiting work, and pass and
// clock are rows, so that a replica that was restarted takes the same turns.
type turns struct {
	groupRow

	channel, group uint32
	waiting        cursorHeap
	clock          uint64
	// total is the waiting work of all cursors.
	total uint64

	// Valid during one Apply: the cursors whose work changed, when the outcome
	// asks for it, and the credit that the entry offers.
	changed []*cursor
	lot     *lot
}

func newTurns(channel, group uint32) *turns { return &turns{channel: channel, group: group} }

// place puts a cursor in or out of the heap as its work says, without moving
// its pass: for one that was waiting before, or is read back.
func (t *turns) place(c *cursor) {
	waiting := c.waiting()
	t.total += waiting - c.counted
	c.counted = waiting
	switch waits := waiting > 0; {
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

// pay moves the clock and the cursor's pass for one turn, which costs a stride,
// or skipCost for work that is only set aside. It is called while
// the cursor still waits for what it is about to get: were it taken out first,
// the clock would stand still for a sub-queue that is alone, and the next one
// to come would be owed all those turns.
func (t *turns) pay(c *cursor, cost uint64) {
	t.clock = max(t.clock, t.waiting[0].pass)
	c.pass += cost
	c.clock = t.clock
	heap.Fix(&t.waiting, c.heapAt)
}

// noteBacklog puts a group whose work changed into the outcome.
func (m *Machine) noteBacklog(c *cursor) {
	if !m.out.effects {
		return
	}
	if len(c.turns.changed) == 0 {
		m.noted = append(m.noted, c.turns)
	}
	c.turns.changed = append(c.turns.changed, c)
}

// backlogOf is what waits in a group after an entry: every tenant, or of many
// those that changed. A reader that takes those for everybody sees too little
// work, but never none: the list is filled up with the next in turn.
func (m *Machine) backlogOf(t *turns) Backlog {
	defer func() { t.changed = t.changed[:0] }()
	if len(t.waiting) <= maxBacklogTenants {
		return m.fullBacklog(t)
	}
	listed := t.changed
	for _, c := range t.changed {
		c.changed = true
	}
	for _, c := range t.waiting[:maxBacklogTenants] {
		if !c.changed {
			listed = append(listed, c)
		}
	}
	for _, c := range t.changed {
		c.changed = false
	}
	backlog := m.listBacklog(t, listed)
	backlog.Partial = true
	return backlog
}

// fullBacklog is what waits in a group, by tenant.
func (m *Machine) fullBacklog(t *turns) Backlog { return m.listBacklog(t, t.waiting) }

func (m *Machine) listBacklog(t *turns, cursors []*cursor) Backlog {
	backlog := Backlog{
		Channel: m.names.text(nameChannel, t.channel),
		Group:   m.names.text(nameGroup, t.group),
		Total:   t.total,
		Tenants: make([]TenantBacklog, 0, len(cursors)),
	}
	for _, c := range cursors {
		tenant := m.names.text(nameTenant, c.queue.tenant)
		backlog.Tenants = append(backlog.Tenants, TenantBacklog{Tenant: tenant, Waiting: c.waiting()})
	}
	slices.SortFunc(backlog.Tenants, func(a, b TenantBacklog) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return backlog
}

// cursorHeap orders waiting cursors by pass, then by the age of the sub-queue.
type cursorHeap []*cursor

// Len implements heap.Interface.
func (h *cursorHeap) Len() int { return len(*h) }

// Less implements heap.Interface.
func (h *cursorHeap) Less(i, j int) bool { return (*h)[i].before((*h)[j]) }

// Swap implements heap.Interface.
func (h *cursorHeap) Swap(i, j int) {
	cursors := *h
	cursors[i], cursors[j] = cursors[j], cursors[i]
	cursors[i].heapAt, cursors[j].heapAt = i, j
}

// before tells whose turn comes first.
func (c *cursor) before(other *cursor) bool {
	if c.pass != other.pass {
		return c.pass < other.pass
	}
	return c.queue.id < other.queue.id
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
