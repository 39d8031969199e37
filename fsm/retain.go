package fsm

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// maxTrimmed bounds how many events one entry's sweep deletes or passes by: what
// is left waits for the next entry.
const maxTrimmed = 2048

// retainRow is what retention has done in a sub-queue.
type retainRow struct {
	// first is the position that it goes on from. Of the events before, there are
	// just the islands: see passBy.
	first uint64
	// events and bytes count those that it has deleted or passed by.
	events, bytes uint64
}

func (r *retainRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	for _, v := range []uint64{r.first, r.events, r.bytes} {
		dst = command.AppendUint(dst, v)
	}
	return dst
}

func (r *retainRow) read(value []byte) {
	from := openRow(value)
	for _, v := range []*uint64{&r.first, &r.events, &r.bytes} {
		*v = from.Uint()
	}
	closeRow(&from)
}

func (m *Machine) loadRetained(from reader) error {
	prefix := []byte{kindRetain}
	return from.Scan(prefix, after(prefix), func(key, value []byte) (bool, error) {
		m.queues[u32At(key, 1)].retained.read(value)
		return true, nil
	})
}

// readRetained is what retention has done in a sub-queue, for readers.
func readRetained(view *storage.View, queue uint32) (row retainRow, err error) {
	value, found, err := view.Get(keyRetain(nil, queue))
	if err == nil && found {
		row.read(value)
	}
	return row, err
}

// keeps is how long, and how much, a channel keeps.
type keeps struct {
	ms    int64
	bytes uint64
	// all means that an event which a group has still to work on is kept, and all
	// behind it.
	all bool
}

func (m *Machine) keepsOf(q *queue) keeps {
	s := EffectiveSettings(m.channels[q.channel].settings)
	return keeps{ms: int64(s.RetentionMS), bytes: s.RetentionBytes, all: s.Retain == command.RetainUnfinished} //nolint:gosec // Bounded by maxRetentionMS.
}

// over tells whether an event that was stored then, in a sub-queue that keeps so
// many bytes, is kept no longer.
func (k *keeps) over(storedMS, nowMS int64, kept uint64) bool {
	return nowMS-storedMS >= k.ms || (k.bytes != 0 && kept > k.bytes)
}

// kept is how many bytes of events there are, less some. Events that were stored
// before there was a count are not in it.
func (q *queue) kept(less uint64) uint64 {
	gone := q.retained.bytes + less
	return q.bytes - min(q.bytes, gone)
}

// trim deletes the events of a sub-queue that are kept no longer, and returns how
// many it went over.
func (m *Machine) trim(q *queue, limit int) int {
	if limit <= 0 || q.retained.events == q.enqueued || !m.mayTrim(q) {
		return 0
	}
	t := m.findTrimmed(q, limit)
	if t.count == 0 {
		return 0
	}
	for _, position := range t.passed {
		m.set(keyPlace(m.scratch.key[:0], kindIsland, q.id, position), append(m.scratch.value[:0], rowVersion))
	}
	for _, key := range t.indexed {
		m.remove(key)
	}
	from := q.retained.first
	for _, position := range append(t.passed, t.next) {
		m.deleteEvents(q, from, position)
		from = position + 1
	}
	q.retained.first = t.next
	q.retained.events += uint64(t.count) //nolint:gosec // Bounded by maxTrimmed.
	q.retained.bytes += t.bytes
	m.set(keyRetain(m.scratch.key[:0], q.id), q.retained.append(m.scratch.value[:0]))
	for _, c := range q.cursors {
		m.passOver(c)
	}
	return t.count
}

// mayTrim looks at the oldest event alone.
func (m *Machine) mayTrim(q *queue) bool {
	if q.oldestMS == 0 {
		must(m.tx.Scan(keyEvent(nil, q.id, q.retained.first), after(keyQueueEvents(q.id)), func(_, value []byte) (bool, error) {
			r := openRow(value)
			q.oldestMS = r.Int()
			closeRow(&r)
			return false, nil
		}))
	}
	k := m.keepsOf(q)
	return k.over(q.oldestMS, m.counters.timeMS, q.kept(0)) && (!k.all || q.retained.first < q.frontier())
}

// frontier is the first position that some group has not been granted.
func (q *queue) frontier() uint64 {
	first := q.cursors[0].frontier
	for _, c := range q.cursors[1:] {
		first = min(first, c.frontier)
	}
	return first
}

// trimmed is what a sweep found in one sub-queue.
type trimmed struct {
	// next is where retention goes on, count and bytes what lies before.
	next  uint64
	count int
	bytes uint64
	// passed are the positions that stay, because somebody has them in work.
	passed []uint64
	// indexed are the keys of the index rows of those that do not.
	indexed [][]byte
}

// findTrimmed walks over the oldest events until one is kept.
func (m *Machine) findTrimmed(q *queue, limit int) trimmed {
	k, end := m.keepsOf(q), uint64(0)
	if k.all {
		end = q.frontier()
	}
	t := trimmed{next: q.retained.first}
	q.oldestMS = 0
	inWork := m.inWork(q, q.retained.first, limit)
	channelName, tenant := m.names.text(nameChannel, q.channel), m.names.text(nameTenant, q.tenant)
	must(m.tx.Scan(keyEvent(nil, q.id, q.retained.first), after(keyQueueEvents(q.id)), func(key, value []byte) (bool, error) {
		e := readEvent(value, m.eventID(q.id, u64At(key, 5)), channelName, tenant)
		if t.count == limit || (end != 0 && e.id.Position >= end) || !k.over(e.storedMS, m.counters.timeMS, q.kept(t.bytes)) {
			q.oldestMS = e.storedMS
			return false, nil
		}
		t.next, t.count, t.bytes = e.id.Position+1, t.count+1, t.bytes+uint64(len(value))
		if inWork.has(e.id.Position) {
			t.passed = append(t.passed, e.id.Position)
		} else if e.CorrelationID != "" {
			t.indexed = append(t.indexed, keyLineage(nil, q.tenant, digestOf(e.CorrelationID), e.id.Position))
		}
		return true, nil
	}))
	return t
}

// deleteEvents deletes all rows of the events from a position to another one.
func (m *Machine) deleteEvents(q *queue, from, to uint64) {
	if from >= to {
		return
	}
	for _, kind := range []byte{kindEvent, kindAttempt, kindAck} {
		must(m.tx.DeleteRange(keyPlace(nil, kind, q.id, from), keyPlace(nil, kind, q.id, to)))
	}
	for _, c := range q.cursors {
		group := c.turns.group
		for _, kind := range []byte{kindParked, kindRevision} {
			must(m.tx.DeleteRange(keyJob(nil, kind, jobKey{group, q.id, from}), keyJob(nil, kind, jobKey{group, q.id, to})))
		}
	}
}

// passOver moves a group's frontier over events that are kept no longer, though it
// has not worked on them.
func (m *Machine) passOver(c *cursor) {
	first := c.queue.retained.first
	if c.frontier >= first {
		return
	}
	c.frontier, c.consumed = first, c.queue.retained.events
	c.upcoming, c.complete = nil, c.queue.enqueued == c.consumed
	var voids []jobKey
	from, to := jobKey{c.turns.group, c.queue.id, 0}, jobKey{c.turns.group, c.queue.id, first}
	must(m.tx.Scan(keyJob(nil, kindVoid, from), keyJob(nil, kindVoid, to), func(key, _ []byte) (bool, error) {
		voids = append(voids, readJobKey(key))
		return true, nil
	}))
	for _, key := range voids {
		m.unvoid(key)
	}
	m.touch(c)
}
