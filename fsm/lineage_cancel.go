package fsm

import (
	"cmp"
	"slices"

	"github.com/batonmq/baton/fsm/command"
)

// MaxCanceledEvents is how many events of a lineage, finished ones among them, the
// cancel of it goes through in one partition, beside those that are in work. Those
// beyond are stopped when their turn to be granted comes.
const MaxCanceledEvents = 4096

const unknownLineage = "nothing of that correlation_id is known here, or it is another client's"

// cancelLineage stops what this partition has of a lineage, and has the partitions
// follow that were sent something of it.
func (m *Machine) cancelLineage(c *command.CancelLineage) command.Result {
	tenant := m.names.find(nameTenant, c.Tenant)
	if tenant == 0 || c.CorrelationID == "" {
		return refuse(command.NotFound, unknownLineage)
	}
	l := m.lineage(tenant, c.CorrelationID)
	open := m.isOpen(l)
	if open && !l.row.of(c.ClientID) {
		return refuse(command.NotFound, unknownLineage)
	}
	if open {
		m.stopLineage(l, &cancelRow{client: c.ClientID, reason: c.Reason, graceMS: c.GraceMS})
	}
	// Where nothing is counted as open, events may be at work that are not counted.
	if found := m.cancelEvents(l, c, open); !open && !found {
		return refuse(command.NotFound, unknownLineage)
	}
	return command.Result{}
}

// stopLineage marks a lineage as canceled, for as long as it is open, and sends the
// cancel on. It returns false for one that was canceled before.
func (m *Machine) stopLineage(l *lineageTally, cancel *cancelRow) bool {
	id := m.idOf(l)
	if _, before := m.canceled[id]; before {
		return false
	}
	m.canceled[id] = *cancel
	m.set(keyCanceled(m.scratch.key[:0], id), cancel.append(m.scratch.value[:0]))
	// What has been stopped by now may have been all: then it ends with this entry.
	m.rowOf(l).stopped, l.changed = true, true
	for _, t := range l.row.targets {
		m.send(t.partition, &command.RelayRow{
			Kind: command.RelayCancel, TimeMS: m.counters.timeMS,
			Event:   command.Event{Tenant: m.names.text(nameTenant, l.tenant), CorrelationID: l.text},
			Lineage: command.RelayedLineage{Client: cancel.client, Reason: cancel.reason, GraceMS: cancel.graceMS},
		})
	}
	return true
}

// cancelEvents stops the events of a lineage that are here, walking from those that
// name it to what their jobs emitted: all of them, or those of the client only. Those
// in work are found in memory, whatever retention has left of the way to them.
func (m *Machine) cancelEvents(l *lineageTally, c *command.CancelLineage, all bool) (found bool) { //nolint:revive // The flag says whose.
	stop := &command.Cancel{Reason: c.Reason, GraceMS: c.GraceMS}
	for _, j := range m.inWorkOf(l) {
		if all || c.ClientID == "" || j.event.ClientID == c.ClientID {
			found = true
			m.cancelIn(j.cursor, j.event, stop)
		}
	}
	m.walkLineage(l, m.lineageRoots(l), MaxCanceledEvents, func(e *event) {
		if all || c.ClientID == "" || e.ClientID == c.ClientID {
			found = true
			for _, cursor := range m.queues[e.id.Queue].cursors {
				m.cancelIn(cursor, e, stop)
			}
		}
	})
	return found
}

// walkLineage visits the events of a lineage that are here, at most so many, from the given
// ones to what their jobs emitted. What a visit has emitted is visited too.
func (m *Machine) walkLineage(l *lineageTally, from []command.EventID, most int, visit func(*event)) {
	seen := make(map[uint64]bool)
	for waiting := from; len(waiting) > 0 && len(seen) < most; {
		id := waiting[0]
		waiting = waiting[1:]
		e := m.eventOf(l, id)
		if e == nil || seen[id.Position] {
			continue
		}
		seen[id.Position] = true
		visit(e)
		waiting = append(waiting, m.emittedBy(id, most-len(seen))...)
	}
}

// inWorkOf are the jobs of a lineage that are leased or wait again.
func (m *Machine) inWorkOf(l *lineageTally) (jobs []*job) {
	own, _ := command.ParseEventID(l.text)
	for _, j := range m.active {
		of := j.event.CorrelationID == l.text || (j.event.CorrelationID == "" && j.event.id == own)
		if of && j.cursor.queue.tenant == l.tenant {
			jobs = append(jobs, j)
		}
	}
	slices.SortFunc(jobs, func(a, b *job) int {
		return cmp.Or(cmp.Compare(a.key.position, b.key.position), cmp.Compare(a.key.group, b.key.group))
	})
	return jobs
}

// eventOf is an event of a lineage, or nil.
func (m *Machine) eventOf(l *lineageTally, id command.EventID) *event {
	if id.Epoch != m.counters.epoch || uint32(id.Partition) != m.counters.partition {
		return nil
	}
	e := m.loadEvent(id.Queue, id.Position)
	if e == nil || m.queues[id.Queue].tenant != l.tenant || e.correlationID() != l.text {
		return nil
	}
	return e
}

// lineageRoots are the event of that id and those that name it.
func (m *Machine) lineageRoots(l *lineageTally) (roots []command.EventID) {
	if id, bad := command.ParseEventID(l.text); bad == nil {
		roots = append(roots, id)
	}
	prefix := keyLineage(nil, l.tenant, digestOf(l.text), 0)
	prefix = prefix[:len(prefix)-8]
	must(m.tx.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		roots = append(roots, m.eventID(u32At(openRest(value), 0), u64At(key, len(key)-8)))
		return len(roots) < MaxCanceledEvents, nil
	}))
	return roots
}

// emittedBy is what the jobs of an event emitted here, at most so much.
func (m *Machine) emittedBy(id command.EventID, most int) (emitted []command.EventID) {
	prefix := keyPlace(nil, kindAttempt, id.Queue, id.Position)
	must(m.tx.Scan(prefix, after(prefix), func(_, value []byte) (bool, error) {
		row := readAttempt(slices.Clone(value))
		emitted = append(emitted, row.emitted...)
		return len(emitted) < most, nil
	}))
	return emitted
}

// canceledLineage is how an event's lineage was canceled, nil where it was not, or
// has ended since.
func (m *Machine) canceledLineage(tenant uint32, e *event) *cancelRow {
	if len(m.canceled) == 0 {
		return nil
	}
	if cancel, found := m.canceled[m.counters.lineageID(tenant, e.correlationID())]; found {
		return &cancel
	}
	return nil
}

func (m *Machine) loadCanceled(from reader) error {
	prefix := appendU32([]byte{kindOpen}, 0)
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		id := lineageID{tenant: u32At(key, 5)}
		copy(id.of[:], key[9:])
		var row cancelRow
		row.read(value)
		m.canceled[id] = row
		return true, nil
	})
}
