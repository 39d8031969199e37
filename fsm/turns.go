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

// What an event that declares its costs is charged for its turn: a stride for each
// turnAmount of its dearest unit, one at least and maxTurnCost at most.
const (
	turnAmount  = 1000
	maxTurnCost = 64
)

// maxBacklogTenants is how many tenants a group's Backlog lists in full; beyond
// them an entry would pay for every waiting tenant whenever one has an event.
const maxBacklogTenants = 64

// turns gives the tenants of a group fair turns by stride scheduling: the
// waiting tenant with the smallest pass goes next, and pays a stride. Ties
// go to the one with the older sub-queue. One that begins to wait starts at the
// group's clock, so that nobody saves up turns while having nothing to do. Which
// of its own sub-queues a tenant's turn goes to, is the tenant's share to say:
// priorities take nothing from anybody else.
//
// Invariant: the heap holds exactly the shares with waiting work, and pass and
// clock are rows, so that a replica that was restarted takes the same turns.
type turns struct {
	groupRow

	channel, group uint32
	// shares are those of the tenants, by id.
	shares  map[uint32]*share
	waiting shareHeap
	clock   uint64
	// total is the waiting work of all cursors.
	total uint64

	// Valid during one Apply: the shares whose work changed, when the outcome
	// asks for it, and the credit that the entry offers.
	changed []*share
	lot     *lot
}

func newTurns(channel, group uint32) *turns {
	return &turns{channel: channel, group: group, shares: make(map[uint32]*share)}
}

// place puts a cursor and its share in or out of turn as the work says, without
// moving a pass: for one that was waiting before, or is read back.
func (t *turns) place(c *cursor) {
	s, waiting := c.share, c.offered()
	t.total += waiting - c.counted
	s.counted += waiting - c.counted
	c.counted = waiting
	s.place(c)
	switch waits := len(s.waiting) > 0; {
	case waits && s.heapAt < 0:
		heap.Push(&t.waiting, s)
	case !waits && s.heapAt >= 0:
		heap.Remove(&t.waiting, s.heapAt)
	}
}

// settle is place for a cursor whose work just changed: one that begins to
// wait starts at the clock of its share, and a share at that of the group.
func (t *turns) settle(c *cursor) {
	if s := c.share; !c.waits && c.offered() > 0 {
		if s.heapAt < 0 {
			s.pass = max(s.pass, t.clock)
			c.pass = s.pass
		}
		c.classPass = max(c.classPass, s.classClock)
	}
	t.place(c)
}

// pay moves the clock and the tenant's pass for one turn, which costs a stride,
// or skipCost for work that is only set aside. It is called while
// the cursor still waits for what it is about to get: were it taken out first,
// the clock would stand still for a tenant that is alone, and the next one
// to come would be owed all those turns.
func (t *turns) pay(c *cursor, cost uint64) {
	s := c.share
	t.clock = max(t.clock, t.waiting[0].pass)
	s.pass += s.charge(cost)
	c.pass, c.clock = s.pass, t.clock
	heap.Fix(&t.waiting, s.heapAt)
	s.pay(c, cost)
}

// turnCost is what a turn costs that goes to an event.
func turnCost(e *event) uint64 {
	if len(e.Uses) == 0 {
		return stride
	}
	return stride * max(turnsFor(dearest(e)), 1)
}

func turnsFor(amount uint64) uint64 { return min(amount/turnAmount, maxTurnCost) }

// dearest is the largest amount that an event declares of a unit.
func dearest(e *event) (amount uint64) {
	for i := range e.Uses {
		for _, cost := range e.Uses[i].Costs {
			amount = max(amount, cost.Amount)
		}
	}
	return amount
}

// chargeTurns charges a tenant for what a job used of its limits' units beyond what its
// event declared. What it did not use is not given back: passes only grow.
func (m *Machine) chargeTurns(j *job, reported map[string]uint64) {
	used := uint64(0)
	for i := range j.event.Uses {
		for _, rate := range j.event.Uses[i].Rates {
			used = max(used, reported[rate.Unit])
		}
	}
	paid, owed := max(turnsFor(dearest(j.event)), 1), turnsFor(used)
	if owed <= paid {
		return
	}
	c, s := j.cursor, j.cursor.share
	s.pass += s.charge((owed - paid) * stride)
	c.pass = s.pass
	if s.heapAt >= 0 {
		heap.Fix(&c.turns.waiting, s.heapAt)
	}
	m.touch(c)
}

// noteBacklog puts a group whose work changed into the outcome.
func (m *Machine) noteBacklog(c *cursor) {
	if !m.out.effects {
		return
	}
	if len(c.turns.changed) == 0 {
		m.noted = append(m.noted, c.turns)
	}
	if s := c.share; !s.changed {
		s.changed = true
		c.turns.changed = append(c.turns.changed, s)
	}
}

// backlogOf is what waits in a group after an entry: every tenant, or of many
// those that changed. A reader that takes those for everybody sees too little
// work, but never none: the list is filled up with the next in turn.
func (m *Machine) backlogOf(t *turns) Backlog {
	defer t.forgetChanged()
	if len(t.waiting) <= maxBacklogTenants {
		return m.fullBacklog(t)
	}
	listed := t.changed
	for _, s := range t.waiting[:maxBacklogTenants] {
		if !s.changed {
			listed = append(listed, s)
		}
	}
	backlog := m.listBacklog(t, listed)
	backlog.Partial = true
	return backlog
}

func (t *turns) forgetChanged() {
	for _, s := range t.changed {
		s.changed = false
	}
	t.changed = t.changed[:0]
}

// fullBacklog is what waits in a group, by tenant.
func (m *Machine) fullBacklog(t *turns) Backlog { return m.listBacklog(t, t.waiting) }

func (m *Machine) listBacklog(t *turns, shares []*share) Backlog {
	backlog := Backlog{
		Channel: m.names.text(nameChannel, t.channel),
		Group:   m.names.text(nameGroup, t.group),
		Total:   t.total,
		Tenants: make([]TenantBacklog, 0, len(shares)),
	}
	for _, s := range shares {
		tenant := m.names.text(nameTenant, s.tenant)
		backlog.Tenants = append(backlog.Tenants, TenantBacklog{Tenant: tenant, Waiting: s.counted})
	}
	slices.SortFunc(backlog.Tenants, func(a, b TenantBacklog) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return backlog
}
