package storage

import (
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// LogRow is one entry of a group's Raft log as raftlog encodes it.
type LogRow struct {
	Index uint64
	Value []byte
}

// Log is the Raft log of one group: contiguous rows between two bounds. Writers
// wait for one another, not for each other's syncs; readers never wait for a
// sync.
type Log struct {
	store *Store
	group uint32

	// writing is held through a whole write.
	writing sync.Mutex
	// mean is about how large the last thousand or so rows were, in bytes: 0 before
	// there was one since the log was opened.
	mean atomic.Uint64

	// bounds are both 0 when the log is empty.
	bounds struct {
		mu          sync.RWMutex
		first, last uint64
	}

	// synced says which rows a loss of power cannot take. Lock order: synced.mu
	// before bounds.mu.
	synced struct {
		mu      sync.Mutex
		durable uint64
		pending []*pendingSync // in the order written
	}
}

// Log returns the log of a group, the same one for every caller.
func (s *Store) Log(group uint32) (*Log, error) {
	s.logs.mu.Lock()
	defer s.logs.mu.Unlock()
	if l := s.logs.byGroup[group]; l != nil {
		return l, nil
	}
	l := &Log{store: s, group: group}
	if err := l.load(); err != nil {
		return nil, err
	}
	s.logs.byGroup[group] = l
	return l, nil
}

// Bounds returns the first and last index; both are 0 when the log is empty.
func (l *Log) Bounds() (first, last uint64) {
	l.bounds.mu.RLock()
	defer l.bounds.mu.RUnlock()
	return l.bounds.first, l.bounds.last
}

// MeanBytes is about how large an entry is, by those that were written last; 0
// when none was since the log was opened.
func (l *Log) MeanBytes() uint64 { return l.mean.Load() }

// Get returns a copy of the row at index, or ErrNotLogged.
func (l *Log) Get(index uint64) ([]byte, error) {
	if first, last := l.Bounds(); index == 0 || index < first || index > last {
		return nil, fmt.Errorf("entry %d of group %d: %w", index, l.group, ErrNotLogged)
	}
	value, found, err := l.store.get(logKey(l.group, index))
	if err == nil && !found {
		err = ErrNotLogged // Deleted since the bounds were read.
	}
	if err != nil {
		return nil, fmt.Errorf("entry %d of group %d: %w", index, l.group, err)
	}
	return value, nil
}

// Append writes rows in one batch and begins its sync without waiting for it:
// WaitDurable does. The rows must follow the last row without a gap; ErrLogGap
// says that they do not, and nothing was written.
func (l *Log) Append(rows []LogRow) error {
	if len(rows) == 0 {
		return nil
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	first, last := l.Bounds()
	if err := contiguous(rows, last); err != nil {
		return fmt.Errorf("append to the log of group %d: %w", l.group, err)
	}
	b := l.store.db.NewBatchWithSize(batchBytes(rows))
	key := logKey(l.group, 0)
	for _, row := range rows {
		binary.BigEndian.PutUint64(key[groupKeyBytes:], row.Index)
		if err := b.Set(key, row.Value, nil); err != nil {
			return wrap("append", err)
		}
		l.weigh(len(row.Value))
	}
	if err := l.store.begin(b); err != nil {
		return fmt.Errorf("append to the log of group %d: %w", l.group, err)
	}
	if first == 0 {
		first = rows[0].Index
	}
	last = rows[len(rows)-1].Index
	l.setBounds(first, last)
	return l.began(&pendingSync{batch: b, last: last, done: make(chan struct{})})
}

// DeleteRange removes the rows from..to, both included. What remains must be
// contiguous: the range has to reach one end of the log, or ErrLogGap.
//
// It is not synced. Entries that come back after a crash are harmless: at the
// front they are applied already, and at the back the entries that replace
// them carry the sync.
func (l *Log) DeleteRange(from, to uint64) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	first, last := l.Bounds()
	from, to = max(from, first), min(to, last)
	if first == 0 || from > to {
		return nil
	}
	if from > first && to < last {
		return fmt.Errorf("delete %d to %d from the log of group %d: %w", from, to, l.group, ErrLogGap)
	}
	b := l.store.db.NewBatch()
	defer func() { _ = b.Close() }() // A batch holds no resource whose release can fail.
	if err := b.DeleteRange(logKey(l.group, from), logKey(l.group, to+1), nil); err != nil {
		return wrap("delete range", err)
	}
	if err := l.store.commit(b, pebble.NoSync); err != nil {
		return fmt.Errorf("truncate the log of group %d: %w", l.group, err)
	}
	switch {
	case from == first && to == last:
		l.emptied()
	case from == first:
		l.setBounds(to+1, last)
	default:
		l.setBounds(first, from-1)
		l.cutPending(from)
	}
	return nil
}

// weigh moves the mean by a row: by a 256th of the difference, so that a few large
// entries do not change it for long. Invariant: writing is held.
func (l *Log) weigh(bytes int) {
	mean, size := l.mean.Load(), uint64(bytes) //nolint:gosec // Not negative.
	switch {
	case mean == 0:
		mean = size
	case size > mean:
		mean += (size - mean + 255) / 256
	default:
		mean -= (mean - size) / 256
	}
	l.mean.Store(mean)
}

func (l *Log) setBounds(first, last uint64) {
	l.bounds.mu.Lock()
	defer l.bounds.mu.Unlock()
	l.bounds.first, l.bounds.last = first, last
}

// load reads the bounds from the rows.
func (l *Log) load() error {
	prefix := groupKey(kindLog, l.group)
	it, err := l.store.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: successor(prefix)})
	if err != nil {
		return wrap("open the log", err)
	}
	var first, last uint64
	if it.First() {
		first = binary.BigEndian.Uint64(it.Key()[groupKeyBytes:])
	}
	if it.Last() {
		last = binary.BigEndian.Uint64(it.Key()[groupKeyBytes:])
	}
	if err := it.Close(); err != nil {
		return wrap("open the log", err)
	}
	l.setBounds(first, last)
	l.synced.durable = last
	return nil
}

// emptied notes that every row was removed.
func (l *Log) emptied() {
	l.setBounds(0, 0)
	l.cutPending(1)
}

func contiguous(rows []LogRow, last uint64) error {
	expected := last + 1
	if last == 0 {
		expected = rows[0].Index
	}
	for _, row := range rows {
		if row.Index != expected || row.Index == 0 {
			return fmt.Errorf("got %d, expected %d: %w", row.Index, expected, ErrLogGap)
		}
		expected++
	}
	return nil
}

func batchBytes(rows []LogRow) int {
	const perRow = groupKeyBytes + 8 + 16
	total := 16
	for _, row := range rows {
		total += perRow + len(row.Value)
	}
	return total
}
