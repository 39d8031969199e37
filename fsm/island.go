package fsm

// An island is an event that retention has passed by because somebody has it in
// work: it is leased, waits for another attempt, or is a dead letter. Its rows stay
// while those of its neighbours go, and go when a sweep finds it done.

// positions is a set of positions of one sub-queue.
type positions map[uint64]struct{}

func (p positions) has(position uint64) bool {
	_, found := p[position]
	return found
}

// inWork are the positions that some group has in work, from a position to before
// another one.
func (m *Machine) inWork(q *queue, from, to uint64) positions {
	found := make(positions)
	for _, c := range q.cursors {
		for _, kind := range []byte{kindActive, kindParked} {
			lower, upper := jobKey{c.turns.group, q.id, from}, jobKey{c.turns.group, q.id, to}
			must(m.tx.Scan(keyJob(nil, kind, lower), keyJob(nil, kind, upper), func(key, value []byte) (bool, error) {
				if !stateOf(value).over() {
					found[u64At(key, len(key)-8)] = struct{}{}
				}
				return true, nil
			}))
		}
	}
	return found
}

// stateOf is the state in a job's row.
func stateOf(value []byte) jobState {
	if rest := openRest(value); len(rest) > 0 {
		return jobState(rest[0])
	}
	return 0
}

// over tells whether nothing can become of a job any more. A dead one may be
// redriven.
func (s jobState) over() bool { return s == jobCanceled || s == jobLapsed || s == jobRunFailed }

// sweepIslands deletes the islands that are done.
func (m *Machine) sweepIslands(row *sweepRow) {
	var found []jobKey
	from := keyPlace(nil, kindIsland, row.island.queue, row.island.position)
	must(m.tx.Scan(from, after([]byte{kindIsland}), func(key, _ []byte) (bool, error) {
		found = append(found, jobKey{queue: u32At(key, 1), position: u64At(key, 5)})
		return len(found) < maxIslands, nil
	}))
	row.island = jobKey{}
	for _, at := range found {
		if q := m.queues[at.queue]; !m.inWork(q, at.position, at.position+1).has(at.position) {
			m.deleteEvent(q, at.position)
			m.remove(keyPlace(m.scratch.key[:0], kindIsland, q.id, at.position))
		}
	}
	if len(found) == maxIslands {
		row.island = found[len(found)-1]
		row.island.position++
	}
}

// deleteEvent deletes the rows of one event, one by one.
func (m *Machine) deleteEvent(q *queue, position uint64) {
	if e := m.loadEvent(q.id, position); e != nil && e.CorrelationID != "" {
		m.remove(keyLineage(m.scratch.key[:0], q.tenant, digestOf(e.CorrelationID), position))
	}
	for _, kind := range []byte{kindAttempt, kindAck} {
		prefix := keyPlace(nil, kind, q.id, position)
		var keys [][]byte
		must(m.tx.Scan(prefix, after(prefix), func(key, _ []byte) (bool, error) {
			keys = append(keys, append([]byte(nil), key...))
			return true, nil
		}))
		for _, key := range keys {
			m.remove(key)
		}
	}
	for _, c := range q.cursors {
		for _, kind := range []byte{kindParked, kindRevision} {
			m.remove(keyJob(m.scratch.key[:0], kind, jobKey{c.turns.group, q.id, position}))
		}
	}
	m.remove(keyEvent(m.scratch.key[:0], q.id, position))
}
