package raftlog

import (
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

var (
	_ raft.LogStore          = (*LogStore)(nil)
	_ raft.MonotonicLogStore = (*LogStore)(nil)
)

// LogStore is the Raft log of one group. It is safe for concurrent use.
type LogStore struct {
	log *storage.Log

	// recent holds rows that are written, synced or not. It may hold rows that are
	// deleted too, which the bounds hide; it forgets them before their indexes come
	// back.
	recent struct {
		mu   sync.RWMutex
		ring ring
	}
}

// NewLogStore opens the log of a group.
func NewLogStore(s *storage.Store, group uint32) (*LogStore, error) {
	log, err := s.Log(group)
	if err != nil {
		return nil, fmt.Errorf("open log store of group %d: %w", group, err)
	}
	return &LogStore{log: log}, nil
}

// IsMonotonic implements raft.MonotonicLogStore: indexes have no gaps. Raft then
// empties the log after a restored snapshot, which Staged.Commit has done already.
func (l *LogStore) IsMonotonic() bool { return true }

// FirstIndex implements raft.LogStore; 0 when the log is empty.
func (l *LogStore) FirstIndex() (uint64, error) {
	first, _ := l.log.Bounds()
	return first, nil
}

// LastIndex implements raft.LogStore; 0 when the log is empty.
func (l *LogStore) LastIndex() (uint64, error) {
	_, last := l.log.Bounds()
	return last, nil
}

// GetLog implements raft.LogStore. It returns raft.ErrLogNotFound for an index
// outside the log. The entry's bytes must not be changed.
func (l *LogStore) GetLog(index uint64, entry *raft.Log) error {
	row, err := l.row(index)
	if errors.Is(err, storage.ErrNotLogged) {
		return raft.ErrLogNotFound // Raft compares it with ==.
	}
	if err != nil {
		return err
	}
	return decodeEntry(index, row, entry)
}

// StoreLog implements raft.LogStore.
func (l *LogStore) StoreLog(entry *raft.Log) error {
	return l.StoreLogs([]*raft.Log{entry})
}

// StoreLogs implements raft.LogStore: one batch. The entries must follow the
// last one without a gap, or storage.ErrLogGap.
//
// Commands are written when it returns, and synced later: who acts on them
// (answers an append, applies an entry, tells a follower that it is committed)
// waits with WaitDurable, or asks Durable. What else there is (configurations, a
// new leader's first entry) is synced when it returns, and everything before it:
// it is rare, and Raft itself acts on it.
func (l *LogStore) StoreLogs(entries []*raft.Log) error {
	rows := make([]storage.LogRow, len(entries))
	onlyCommands := true
	for i, entry := range entries {
		row, err := encodeEntry(entry)
		if err != nil {
			return err
		}
		rows[i] = storage.LogRow{Index: entry.Index, Value: row}
		onlyCommands = onlyCommands && entry.Type == raft.LogCommand
	}
	if err := l.append(rows); err != nil {
		return err
	}
	l.remember(rows)
	if onlyCommands || len(rows) == 0 {
		return nil
	}
	return l.log.WaitDurable(rows[len(rows)-1].Index)
}

// Entries is how many entries there are.
func (l *LogStore) Entries() uint64 {
	first, last := l.log.Bounds()
	if first == 0 {
		return 0
	}
	return last - first + 1
}

// MeanBytes is about how large an entry is; 0 when that is not known yet.
func (l *LogStore) MeanBytes() uint64 { return l.log.MeanBytes() }

// Durable is the index up to which the log is synced.
func (l *LogStore) Durable() uint64 { return l.log.Durable() }

// WaitDurable returns when the entries up to index are synced, or are not in
// the log any more; an error says that they never will be.
func (l *LogStore) WaitDurable(index uint64) error {
	return l.log.WaitDurable(index)
}

// DeleteRange implements raft.LogStore; both ends are included.
func (l *LogStore) DeleteRange(from, to uint64) error {
	return l.log.DeleteRange(from, to)
}

// append first empties the ring when rows do not follow it: then a conflict or an
// installed snapshot has removed what it holds, and until remember is called a
// reader would be given an entry that is gone.
func (l *LogStore) append(rows []storage.LogRow) error {
	l.recent.mu.Lock()
	if len(rows) > 0 && rows[0].Index != l.recent.ring.last+1 {
		l.recent.ring.clear()
	}
	l.recent.mu.Unlock()
	return l.log.Append(rows)
}

func (l *LogStore) remember(rows []storage.LogRow) {
	l.recent.mu.Lock()
	defer l.recent.mu.Unlock()
	for _, row := range rows {
		l.recent.ring.add(row.Index, row.Value)
	}
}

// row looks into the ring only for indexes within the bounds, see recent.
func (l *LogStore) row(index uint64) ([]byte, error) {
	if first, last := l.log.Bounds(); index >= first && index <= last {
		l.recent.mu.RLock()
		row, ok := l.recent.ring.get(index)
		l.recent.mu.RUnlock()
		if ok {
			return row, nil
		}
	}
	return l.log.Get(index)
}
