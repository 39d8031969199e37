package fsm

import (
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// Bounds of retention.
const (
	// maxTrimmed is how many events one entry's sweep goes over: what is left waits
	// for the next entry.
	maxTrimmed = 2048
	// clearEvents is how many events that are gone have their rows deleted together,
	// as ranges. Each range is looked at by every reader until compaction: a range
	// for each sweep of a large backlog made readers slower than the deleting was.
	clearEvents = 32_768
	// clearAfterMS is after how long fewer of them do: of clearPoints or less each
	// row by itself.
	clearAfterMS = 10 * 60 * 1000
	clearPoints  = 256
)

// retainRow is what retention has done in a sub-queue.
type retainRow struct {
	// first is the position that it goes on from: what lies before is gone, but for
	// the islands.
	first uint64
	// events and bytes count those that lie before, islands among them.
	events, bytes uint64
	// cleared is the position before which there are no rows of what is gone, left
	// how many events stand between it and first, and sinceMS since when.
	cleared, left uint64
	sinceMS       int64
}

func (r *retainRow) append(dst []byte) []byte {
	dst = append(dst, rowVersion)
	for _, v := range []uint64{r.first, r.events, r.bytes, r.cleared, r.left} {
		dst = command.AppendUint(dst, v)
	}
	return command.AppendInt(dst, r.sinceMS)
}

func (r *retainRow) read(value []byte) {
	from := openRow(value)
	for _, v := range []*uint64{&r.first, &r.events, &r.bytes, &r.cleared, &r.left} {
		*v = from.Uint()
	}
	r.sinceMS = from.Int()
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

// readKept is an event's row, for readers; nil where there is none, or retention
// has gone over it. Such a row may stand for a while, and no reader is to see that.
func readKept(view *storage.View, id command.EventID) ([]byte, error) {
	retained, err := readRetained(view, id.Queue)
	kept := id.Position >= retained.first
	if err == nil && !kept {
		_, kept, err = view.Get(keyPlace(nil, kindIsland, id.Queue, id.Position))
	}
	if err != nil || !kept {
		return nil, err
	}
	value, _, err := view.Get(keyEvent(nil, id.Queue, id.Position))
	return value, err
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

// trim goes over the events of a sub-queue that are kept no longer, and returns
// how many. Their rows stay until there are enough of them.
func (m *Machine) trim(q *queue, limit int) int {
	count := 0
	if limit > 0 && q.retained.events < q.enqueued && m.mayTrim(q) {
		count = m.passBy(q, m.findTrimmed(q, limit))
	}
	m.clear(q)
	return count
}

// passBy moves retention over what it found.
func (m *Machine) passBy(q *queue, t trimmed) int {
	if t.count == 0 {
		return 0
	}
	for _, position := range t.passed {
		m.set(keyPlace(m.scratch.key[:0], kindIsland, q.id, position), append(m.scratch.value[:0], rowVersion))
	}
	for _, key := range t.indexed {
		m.remove(key)
	}
	r := &q.retained
	if r.left == 0 {
		r.sinceMS = m.counters.timeMS
	}
	r.first = t.next
	r.events += uint64(t.count) //nolint:gosec // Bounded by maxTrimmed.
	r.left += uint64(t.count)   //nolint:gosec // As above.
	r.bytes += t.bytes
	m.saveRetained(q)
	for _, c := range q.cursors {
		m.passOver(c)
	}
	return t.count
}

func (m *Machine) saveRetained(q *queue) {
	m.set(keyRetain(m.scratch.key[:0], q.id), q.retained.append(m.scratch.value[:0]))
}

// clear deletes the rows of what is gone, when there are enough of them, or they
// have stood long enough.
func (m *Machine) clear(q *queue) {
	r := &q.retained
	if r.left == 0 || (r.left < clearEvents && m.counters.timeMS-r.sinceMS < clearAfterMS) {
		return
	}
	islands := m.positionsOf(q, kindIsland)
	if r.left <= clearPoints {
		for _, position := range m.positionsOf(q, kindEvent) {
			if _, island := slices.BinarySearch(islands, position); !island {
				m.deleteEvent(q, position)
			}
		}
	} else {
		from := r.cleared
		for _, position := range append(islands, r.first) {
			m.deleteEvents(q, from, position)
			from = position + 1
		}
	}
	r.cleared, r.left = r.first, 0
	m.saveRetained(q)
}

// positionsOf are the positions of rows of a kind among what is to be cleared.
func (m *Machine) positionsOf(q *queue, kind byte) (found []uint64) {
	from, to := keyPlace(nil, kind, q.id, q.retained.cleared), keyPlace(nil, kind, q.id, q.retained.first)
	must(m.tx.Scan(from, to, func(key, _ []byte) (bool, error) {
		found = append(found, u64At(key, 5))
		return true, nil
	}))
	return found
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
	var events []*event
	channelName, tenant := m.names.text(nameChannel, q.channel), m.names.text(nameTenant, q.tenant)
	must(m.tx.Scan(keyEvent(nil, q.id, q.retained.first), after(keyQueueEvents(q.id)), func(key, value []byte) (bool, error) {
		e := readEvent(value, m.eventID(q.id, u64At(key, 5)), channelName, tenant)
		if t.count == limit || (end != 0 && e.id.Position >= end) || !k.over(e.storedMS, m.counters.timeMS, q.kept(t.bytes)) {
			q.oldestMS = e.storedMS
			return false, nil
		}
		t.next, t.count, t.bytes = e.id.Position+1, t.count+1, t.bytes+uint64(len(value))
		e.strip()
		events = append(events, e)
		return true, nil
	}))
	inWork := m.inWork(q, q.retained.first, t.next)
	for _, e := range events {
		m.finishedUnseen(q, e)
		if inWork.has(e.id.Position) {
			t.passed = append(t.passed, e.id.Position)
		} else if e.CorrelationID != "" {
			t.indexed = append(t.indexed, keyLineage(nil, q.tenant, digestOf(e.CorrelationID), e.id.Position))
		}
	}
	return t
}

// finishedUnseen counts an event as ended in the groups that will not come to it any
// more, as if it had lapsed there.
func (m *Machine) finishedUnseen(q *queue, e *event) {
	for _, c := range q.cursors {
		_, void := m.voids[jobKey{c.turns.group, q.id, e.id.Position}]
		if e.id.Position >= c.frontier && !void {
			m.finished(c, e, jobLapsed)
		}
	}
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
