package fsm

import (
	"fmt"

	"github.com/batonmq/baton/fsm/command"
)

// relay takes rows of another partition's relay, each once and in the order of
// their numbers. What was applied before is passed by; a hole is refused, and
// so is a batch with a row that cannot be applied: then nothing of it is. The
// result tells the number of the last row that is applied.
func (m *Machine) relay(c *command.Relay) command.Result {
	if c.Source >= m.counters.partitions || c.Source == m.counters.partition {
		return refuse(command.BadRequest, fmt.Sprintf("partition %d has no relay to this one", c.Source))
	}
	last := m.arrived(c)
	if c.First == 0 || c.First > last+1 {
		r := refuse(command.Sequence, fmt.Sprintf("the relay goes on with row %d, the next one is %d", c.First, last+1))
		r.Offset = last
		return r
	}
	known := min(last+1-c.First, uint64(len(c.Rows)))
	rows, wrong := m.readRows(c.Rows[known:])
	if wrong != "" {
		r := refuse(command.BadRequest, wrong)
		r.Offset = last
		return r
	}
	for i := range rows {
		m.arrive(&rows[i], relaySource{c.Source, c.SourceEpoch})
	}
	clear(rows) // They would keep the entry in memory.
	clear(c.Rows)
	if len(rows) > 0 {
		last += uint64(len(rows))
		key := keyInbox(m.scratch.key[:0], c.Source, c.SourceEpoch)
		m.set(key, command.AppendUint(append(m.scratch.value[:0], rowVersion), last))
	}
	return command.Result{Offset: last}
}

// arrived is the number of the last row that was applied of a source's relay.
func (m *Machine) arrived(c *command.Relay) uint64 {
	value, found := m.get(keyInbox(m.scratch.key[:0], c.Source, c.SourceEpoch))
	if !found {
		return 0
	}
	r := openRow(value)
	last := r.Uint()
	closeRow(&r)
	return last
}

// readRows decodes rows, or says what is wrong with one.
func (m *Machine) readRows(encoded [][]byte) (rows []command.RelayRow, wrong string) {
	rows = m.scratch.rows[:0]
	for i := range encoded {
		r := command.NewReader(encoded[i])
		rows = append(rows, r.RelayRow())
		if r.Err() != nil {
			return nil, "a row cannot be read: " + r.Err().Error()
		}
		if wrong := m.wrongRow(&rows[i]); wrong != "" {
			return nil, fmt.Sprintf("row %d of the batch: %s", i, wrong)
		}
	}
	m.scratch.rows = rows
	return rows, ""
}

func (m *Machine) wrongRow(row *command.RelayRow) string {
	e := &row.Event
	switch {
	case row.Kind >= command.RelayBorrow && row.Kind <= command.RelayReturn:
		return m.wrongPermits(row)
	case row.Kind == command.RelayEnded, row.Kind == command.RelayCancel:
		return wrongLineage(e)
	case ofRuns(row.Kind):
		return wrongNews(row)
	case row.Kind != command.RelayEvent && row.Kind != command.RelayNotification:
		return fmt.Sprintf("the kind %d is not known", row.Kind)
	case e.Channel == "" || e.Tenant == "" || row.Key() == "":
		return "it lacks a channel, tenant, key or client"
	case longName(e) != "":
		return longName(e)
	case !m.owns(command.SlotOf(e.Tenant, row.Key())):
		return "its slot is not in this partition"
	case row.Kind == command.RelayEvent:
		return wrongPriority(e)
	default:
		return ""
	}
}

// wrongNews says what is wrong with what is told of a run.
func wrongNews(row *command.RelayRow) string {
	if row.Event.Tenant == "" || len(row.Run.Name) > MaxNameBytes || len(row.Run.Key) > MaxNameBytes {
		return "it lacks a tenant, or a message's name or key is too long"
	}
	return ""
}

// wrongLineage says what is wrong with the lineage that a row is about.
func wrongLineage(e *command.Event) string {
	if e.Tenant == "" || e.CorrelationID == "" {
		return "it lacks a tenant or correlation id"
	}
	return ""
}

// arrive carries out a row: the event is stored as if it had been emitted here,
// the notification joins its client's stream, and what is said of a lineage that
// is not here any more is passed by.
func (m *Machine) arrive(row *command.RelayRow, source relaySource) {
	if row.Kind == command.RelayNotification {
		m.deliver(row)
		return
	}
	if row.Kind == command.RelayEvent {
		m.arriveEvent(row, source)
		return
	}
	if ofRuns(row.Kind) {
		m.hear(m.intern(nameTenant, row.Event.Tenant, &m.counters.nextTenant), row.Kind, &row.Run, row.Event.Payload)
		return
	}
	if row.Kind >= command.RelayBorrow && row.Kind <= command.RelayReturn {
		m.arrivePermits(row, source)
		return
	}
	tenant := m.names.find(nameTenant, row.Event.Tenant)
	if tenant == 0 {
		return
	}
	l := m.lineage(tenant, row.Event.CorrelationID)
	if row.Kind == command.RelayEnded {
		m.endArrived(l, source.partition, &row.Lineage)
	} else {
		m.cancelArrived(l, &row.Lineage)
	}
}

func (m *Machine) arriveEvent(row *command.RelayRow, source relaySource) {
	if m.counters.countedFrom != 0 && row.Event.CorrelationID != "" {
		l := m.adopt(row, source)
		if row.Lineage.Canceled {
			m.cancelArrived(l, &row.Lineage)
		}
	}
	e := &event{storedMS: m.counters.timeMS, whole: true, parent: row.Parent, Event: row.Event}
	begins := e.CorrelationID == "" // A schedule's run: it starts a lineage of its own, as a publish does.
	if id := m.storeEmit(e, row.Group, !begins); begins && id == e.id {
		m.publishedInto(e)
	}
}

// deliver puts a notification of another partition's event, or one that no job
// made, into its client's stream.
func (m *Machine) deliver(row *command.RelayRow) {
	e := &row.Event
	n := command.Notification{
		Name: row.Name, Event: row.Parent, CorrelationID: e.CorrelationID, CausationID: row.Parent.String(),
		TimeMS: row.TimeMS, Payload: e.Payload,
	}
	m.arriveNotification(m.post(e.Tenant, e.ClientID, &n), e.Tenant, &n, e.Channel)
}

// arriveNotification leaves the lineage's mark of a posted notification to which no
// event of this partition leads.
func (m *Machine) arriveNotification(mark notifiedMark, tenantName string, n *command.Notification, channel string) {
	arrival := arrivalRow{event: n.Event, channel: channel, client: mark.client, name: n.Name, timeMS: m.counters.timeMS}
	tenant := m.names.find(nameTenant, tenantName)
	prefix := arrivalPrefix(m.scratch.key[:0], dayOf(n.TimeMS), tenant, digestOf(n.CorrelationID))
	m.set(keyArrival(prefix, mark.stream, mark.seq), arrival.append(m.scratch.value[:0]))
}

// arrivalRow is the lineage's mark of a notification whose event is in another
// partition, or of a broadcast: the events here do not lead to it.
type arrivalRow struct {
	event                 command.EventID
	channel, client, name string
	timeMS                int64
}

func (a *arrivalRow) append(dst []byte) []byte {
	dst = command.AppendEventID(append(dst, rowVersion), a.event)
	dst = command.AppendString(dst, a.channel)
	dst = command.AppendString(dst, a.client)
	dst = command.AppendString(dst, a.name)
	return command.AppendInt(dst, a.timeMS)
}

func (a *arrivalRow) read(value []byte) {
	r := openRow(value)
	a.event, a.channel, a.client, a.name, a.timeMS = r.EventID(), r.String(), r.String(), r.String(), r.Int()
	closeRow(&r)
}

// arrivals adds the marks of the notifications that came from elsewhere, and
// of their acknowledgements, whose rows follow each.
func (l *lineageReader) arrivals() error {
	tenant, err := lookUpTenant(l.view, l.tenant)
	if err != nil || tenant == 0 {
		return err
	}
	of := digestOf(l.correl)
	for day, found := uint32(0), true; found; day++ {
		if day, found, err = l.nextDay(day); err != nil || !found {
			return err
		}
		if err = l.arrivalsOf(day, tenant, of); err != nil {
			return err
		}
	}
	return nil
}

// nextDay is the first day from the given one on that has arrivals.
func (l *lineageReader) nextDay(from uint32) (day uint32, found bool, err error) {
	err = l.view.Scan(arrivalDay(nil, from), after([]byte{kindArrival}), func(key, _ []byte) (bool, error) {
		day, found = u32At(key, 1), true
		return false, nil
	})
	return day, found, err
}

// arrivalsOf are those of one day.
func (l *lineageReader) arrivalsOf(day, tenant uint32, correlation digest) error {
	prefix := arrivalPrefix(nil, day, tenant, correlation)
	of, seq := &event{}, uint64(0)
	return l.view.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		if len(l.out.Marks) >= MaxLineageMarks {
			l.out.Truncated = true
			return false, nil
		}
		key = key[len(prefix):]
		if len(key) > 16 {
			l.acked(of, seq, value)
			return true, nil
		}
		var row arrivalRow
		row.read(value)
		seq = u64At(key, 8)
		of = &event{id: row.event, Event: command.Event{Channel: row.channel}}
		l.mark(of, Mark{Time: row.timeMS, Mark: "notified", ClientID: row.client, Name: row.name, Seq: seq})
		return true, nil
	})
}
