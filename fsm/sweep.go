package fsm

import (
	"github.com/batonmq/baton/fsm/command"
)

// SweepIntervalMS is how often a partition looks for what is kept no longer, in
// milliseconds of the state's time.
const SweepIntervalMS = 15_000

// Bounds of one look, and of what is kept beside events.
const (
	// maxIslands and maxStreamsSwept are how many islands and streams one look goes
	// over: the next look goes on from there.
	maxIslands      = 512
	maxStreamsSwept = 256
	// maxExpired is how many notifications of one stream a look deletes.
	maxExpired = 4096
	// StreamRetentionMS is how long a notification is kept that not every device has
	// acknowledged, a week.
	StreamRetentionMS = 7 * 24 * 3600 * 1000
	// DeviceRetentionMS is after how long a device is forgotten that acknowledges
	// nothing, 30 days.
	DeviceRetentionMS = 30 * 24 * 3600 * 1000
	// ArrivalRetentionMS is how long the lineage knows of notifications that came
	// from other partitions, a week; they go by whole days.
	ArrivalRetentionMS = 7 * 24 * 3600 * 1000
	dayMS              = 24 * 3600 * 1000
)

// dayOf is the day of a time.
func dayOf(ms int64) uint32 { return uint32(max(ms, 0) / dayMS) } //nolint:gosec // Good for ten million years.

// sweepRow is where the sweeps go on that go round: over islands, and streams.
type sweepRow struct {
	island jobKey // without a group
	tenant uint32
	client string
}

func (s *sweepRow) append(dst []byte) []byte {
	dst = command.AppendUint(append(dst, rowVersion), uint64(s.island.queue))
	dst = command.AppendUint(dst, s.island.position)
	dst = command.AppendUint(dst, uint64(s.tenant))
	return command.AppendString(dst, s.client)
}

func (s *sweepRow) read(value []byte) {
	r := openRow(value)
	s.island.queue, s.island.position = r.Uint32(), r.Uint()
	s.tenant, s.client = r.Uint32(), r.String()
	closeRow(&r)
}

// sweep deletes what is kept no longer, now and then, and so much of it in an
// entry that nobody waits for it: what is left, the next entry deletes. What
// there is to delete follows from rows and the entry's time alone.
func (m *Machine) sweep() {
	due := uint32(m.counters.timeMS / SweepIntervalMS) //nolint:gosec // Good for two thousand years.
	if due <= m.counters.swept {
		return
	}
	left := maxTrimmed
	for id := uint32(1); id < m.counters.nextQueue && left > 0; id++ {
		if q := m.queues[id]; q != nil {
			left -= m.trim(q, left)
		}
	}
	if left <= 0 {
		m.out.Unswept = m.out.effects
		return
	}
	m.counters.swept = due
	m.forgetArrivals()
	m.sweepRound()
}

// forgetArrivals deletes whole days of arrivals.
func (m *Machine) forgetArrivals() {
	day := dayOf(m.counters.timeMS - ArrivalRetentionMS)
	if day > m.counters.arrivalFloor {
		must(m.tx.DeleteRange(arrivalDay(nil, m.counters.arrivalFloor), arrivalDay(nil, day)))
		m.counters.arrivalFloor = day
	}
}

// sweepRound goes on round the islands and the streams.
func (m *Machine) sweepRound() {
	var row sweepRow
	if value, found := m.get([]byte{kindSweep}); found {
		row.read(value)
	}
	was := row
	m.sweepIslands(&row)
	m.sweepStreams(&row)
	if row != was {
		m.set(append(m.scratch.key[:0], kindSweep), row.append(m.scratch.value[:0]))
	}
}

// sweepStreams deletes what streams keep no longer.
func (m *Machine) sweepStreams(row *sweepRow) {
	type streamOf struct {
		tenant uint32
		client string
	}
	var found []streamOf
	from := append(keyStream(nil, row.tenant, row.client), 0) // Behind the last one.
	must(m.tx.Scan(from, after([]byte{kindStream}), func(key, _ []byte) (bool, error) {
		found = append(found, streamOf{u32At(key, 1), string(key[5:])})
		return len(found) < maxStreamsSwept, nil
	}))
	row.tenant, row.client = 0, ""
	for _, of := range found {
		m.sweepStream(of.tenant, of.client)
	}
	if len(found) == maxStreamsSwept {
		last := found[len(found)-1]
		row.tenant, row.client = last.tenant, last.client
	}
}

// sweepStream forgets devices, then deletes what those that are left have
// acknowledged, and what is too old.
func (m *Machine) sweepStream(tenant uint32, client string) {
	s, found := m.stream(tenant, client)
	if !found {
		return
	}
	devices, oldest := len(s.devices), s.oldest
	s.forgetDevices(m.counters.timeMS - DeviceRetentionMS)
	if len(s.devices) > 0 {
		m.trimStream(s, s.slowest())
	}
	m.trimStream(s, m.lastExpired(s))
	if len(s.devices) != devices || s.oldest != oldest {
		m.saveStream(tenant, client, s)
	}
}

// forgetDevices drops the cursors of devices that were not seen since.
func (s *streamRow) forgetDevices(sinceMS int64) {
	kept := s.devices[:0]
	for _, d := range s.devices {
		if d.seenMS > sinceMS {
			kept = append(kept, d)
		}
	}
	s.devices = kept
}

// lastExpired is the last notification of a stream that is too old, 0 for none.
func (m *Machine) lastExpired(s *streamRow) (last uint64) {
	if s.oldest > s.head {
		return 0
	}
	count, end := 0, after(appendU64([]byte{kindNotification}, s.id))
	must(m.tx.Scan(keyNotification(nil, s.id, s.oldest), end, func(_, value []byte) (bool, error) {
		r := openRow(value)
		n := r.Notification()
		closeRow(&r)
		if m.counters.timeMS-n.TimeMS < StreamRetentionMS {
			return false, nil
		}
		last, count = n.Seq, count+1
		return count < maxExpired, nil
	}))
	return last
}
