package fsm

import (
	"encoding/binary"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
)

// lineageID names a lineage in rows and in memory: by the numbers of the event of
// this partition whose id the correlation id is, else by its digest. The rows of
// those that follow each other are neighbors then, and nothing is hashed.
type lineageID struct {
	tenant uint32
	of     digest
}

func (c *counters) lineageID(tenant uint32, correlationID string) lineageID {
	id, bad := command.ParseEventID(correlationID)
	if bad != nil || uint32(id.Partition) != c.partition {
		return lineageID{tenant, digestOf(correlationID)}
	}
	named := lineageID{tenant: tenant}
	binary.BigEndian.PutUint32(named.of[0:], id.Epoch)
	binary.BigEndian.PutUint32(named.of[4:], id.Queue)
	binary.BigEndian.PutUint64(named.of[8:], id.Position)
	return named
}

// tallied names what an entry counts: a lineage by its correlation id, a client
// by its id.
type tallied struct {
	tenant uint32
	text   string
}

// tally gathers what an entry opens and ends, so that each lineage and client is
// written once at its end, and not at all where as much ended as began: a hop of a
// pipeline costs no row.
type tally struct {
	lineages counted[lineageTally]
	clients  counted[clientTally]
}

// lineageTally is what an entry does to one lineage.
type lineageTally struct {
	tallied

	// delta is how much more is open, failed and stopped what ended otherwise than
	// well.
	delta           int64
	failed, stopped bool
	// published means that client published, or several did.
	published publishers
	client    string

	// row is the lineage's row where it had to be read; had whether there was one.
	// changed means that it is not what was read.
	row                lineageRow
	read, had, changed bool
}

// clientTally is what an entry does to one client's count.
type clientTally struct {
	tallied

	delta int64
	// open is what the client's row says where it was read.
	open int64
	read bool
}

// counted finds a thing by its name, in the order in which they were first named.
// The things are used again for the next entry.
type counted[T any] struct {
	byName map[tallied]*T
	all    []*T
	used   int
	// last is what was asked for last: a complete asks again and again for one.
	last     *T
	lastName tallied
}

// keptTallies bounds what is used again after an entry that named more.
const keptTallies = 4096

func (c *counted[T]) of(name tallied) (thing *T, fresh bool) {
	if c.last != nil && c.lastName == name {
		return c.last, false
	}
	thing = c.byName[name]
	if thing == nil {
		if c.byName == nil {
			c.byName = make(map[tallied]*T)
		}
		if c.used == len(c.all) {
			c.all = append(c.all, new(T))
		}
		thing, fresh = c.all[c.used], true
		c.byName[name] = thing
		c.used++
	}
	c.last, c.lastName = thing, name
	return thing, fresh
}

// each visits the things in their order, then forgets them.
func (c *counted[T]) each(visit func(*T)) {
	for _, thing := range c.all[:c.used] {
		visit(thing)
	}
	var zero T
	for _, thing := range c.all[:c.used] {
		*thing = zero
	}
	if c.used > keptTallies {
		*c = counted[T]{}
		return
	}
	clear(c.byName)
	c.used, c.last, c.lastName = 0, nil, tallied{}
}

// lineage is the tally of a lineage.
func (m *Machine) lineage(tenant uint32, correlationID string) *lineageTally {
	name := tallied{tenant, correlationID}
	l, fresh := m.tally.lineages.of(name)
	if fresh {
		l.tallied = name
	}
	return l
}

// client is the tally of a client.
func (m *Machine) client(tenant uint32, id string) *clientTally {
	name := tallied{tenant, id}
	c, fresh := m.tally.clients.of(name)
	if fresh {
		c.tallied = name
	}
	return c
}

// weight is the tally of the bytes of a tenant's unfinished events. It stands where a
// client's would that has no name.
func (m *Machine) weight(tenant uint32) *clientTally { return m.client(tenant, "") }

// weigh adds the bytes of an event to its tenant's, for each of so many groups, or takes
// them off. What was stored by a build that did not weigh is not weighed.
func (m *Machine) weigh(tenant uint32, e *event, groups int64) {
	if from := m.counters.weighedFrom; from != 0 && e.id.Position >= from && e.size > 0 {
		m.weight(tenant).delta += groups * e.size
	}
}

// counts tells whether an event is counted in a group: what was stored before the
// group was made, or by a build that did not count, is not.
func (m *Machine) counts(c *cursor, position uint64) bool {
	from := m.counters.countedFrom
	return from != 0 && position >= from && position >= c.turns.born
}

// opened counts an event that begins, or begins again, in so many groups.
func (m *Machine) opened(q *queue, e *event, groups int) *lineageTally {
	l := m.lineage(q.tenant, e.correlationID())
	l.delta += int64(groups)
	if e.ClientID != "" {
		m.client(q.tenant, e.ClientID).delta += int64(groups)
	}
	m.weigh(q.tenant, e, int64(groups))
	m.countOpen(q, e, int64(groups))
	return l
}

// finished counts an event that has come to its end in a group: completed where
// state is 0.
func (m *Machine) finished(c *cursor, e *event, state jobState) {
	if !m.counts(c, e.id.Position) {
		return
	}
	l := m.lineage(c.queue.tenant, e.correlationID())
	l.delta--
	l.failed = l.failed || state == jobDead || state == jobLapsed || state == jobRunFailed
	l.stopped = l.stopped || state == jobCanceled
	if e.ClientID != "" {
		m.client(c.queue.tenant, e.ClientID).delta--
	}
	m.weigh(c.queue.tenant, e, -1)
	m.countOpen(c.queue, e, -1)
}

// publishedBy takes note of who published into a lineage.
func (l *lineageTally) publishedBy(client string) {
	if l.read {
		l.row.addPublisher(client)
		l.changed = true
		return
	}
	noted := lineageRow{publishers: l.published, client: l.client}
	noted.addPublisher(client)
	l.published, l.client = noted.publishers, noted.client
}

// rowOf reads a lineage's row, unless that was done.
func (m *Machine) rowOf(l *lineageTally) *lineageRow {
	if l.read {
		return &l.row
	}
	if value, found := m.get(keyOpen(m.scratch.key[:0], m.idOf(l))); found {
		l.row.read(value)
		l.had = true
	}
	l.begin()
	return &l.row
}

// begin goes on from the row that was read, or from none.
func (l *lineageTally) begin() {
	l.read = true
	switch l.published {
	case publishedByOne:
		l.publishedBy(l.client)
	case publishedBySome:
		l.row.publishers, l.row.client, l.changed = publishedBySome, "", true
	case publishedByNobody:
	}
}

// foresee takes note of a lineage under the id of an event that is not there yet.
// Of any other event that starts a lineage it is known that there is no row: to look
// for one was more than half the cost of a publish.
func (m *Machine) foresee(l *lineageTally) {
	id, bad := command.ParseEventID(l.text)
	if bad == nil && id.Epoch == m.counters.epoch && uint32(id.Partition) == m.counters.partition && id.Position >= m.counters.nextPosition {
		m.counters.foreseen = max(m.counters.foreseen, id.Position)
	}
}

func (m *Machine) idOf(l *lineageTally) lineageID { return m.counters.lineageID(l.tenant, l.text) }

// isOpen tells whether a lineage has a row, or will have one with what the entry
// did so far.
func (m *Machine) isOpen(l *lineageTally) bool {
	row := m.rowOf(l)
	return l.had || row.relayed || row.outstanding() || m.openNow(l) > 0
}

func (m *Machine) openNow(l *lineageTally) uint64 {
	open := int64(l.row.open) + l.delta //nolint:gosec // Counts of what is stored.
	invariants.Check(open >= 0, "more of lineage %q has ended than began", l.text)
	return uint64(open) //nolint:gosec // Not negative.
}

// settleTallies writes what the entry opened and ended, and tells of lineages that
// have ended with it.
func (m *Machine) settleTallies() {
	m.tally.lineages.each(m.settleLineage)
	m.tally.clients.each(m.settleClient)
}

func (m *Machine) settleLineage(l *lineageTally) {
	if l.delta == 0 && !l.failed && !l.stopped && l.published == publishedByNobody && !l.changed {
		return
	}
	row := m.rowOf(l)
	row.open = m.openNow(l)
	row.failed, row.stopped = row.failed || l.failed, row.stopped || l.stopped
	id := m.idOf(l)
	if row.open > 0 || row.outstanding() {
		if !l.had {
			m.foresee(l)
		}
		m.set(keyOpen(m.scratch.key[:0], id), row.append(m.scratch.value[:0]))
		return
	}
	m.tellEnd(l, id)
	if l.had {
		m.remove(keyOpen(m.scratch.key[:0], id))
	}
	if _, canceled := m.canceled[id]; canceled {
		delete(m.canceled, id)
		m.remove(keyCanceled(m.scratch.key[:0], id))
	}
}

// unfinished is how much of a client's is open, or how many bytes of a tenant's, with
// what the entry did so far.
func (m *Machine) unfinished(c *clientTally) int64 {
	if !c.read {
		c.read = true
		if value, found := m.get(keyUnfinished(m.scratch.key[:0], c.tenant, c.text)); found {
			c.open = readCount(value)
		}
	}
	return c.open + c.delta
}

func (m *Machine) settleClient(c *clientTally) {
	if c.delta == 0 {
		return
	}
	open := m.unfinished(c)
	invariants.Check(open >= 0, "more of client %q has ended than began", c.text)
	key := keyUnfinished(m.scratch.key[:0], c.tenant, c.text)
	if open == 0 {
		m.remove(key)
		return
	}
	m.set(key, appendCount(m.scratch.value[:0], open))
}

// A client's row is its count, a tenant's its bytes.
func appendCount(dst []byte, count int64) []byte {
	return command.AppendInt(append(dst, rowVersion), count)
}

func readCount(value []byte) int64 {
	r := openRow(value)
	count := r.Int()
	closeRow(&r)
	return count
}
