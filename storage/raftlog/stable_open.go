package raftlog

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// boltLockWait is how long a start waits for another process to let go of the file.
const boltLockWait = time.Second

// OpenStable opens the bolt file at path and creates it when there is none. A
// store without an incarnation is given this one; a different one is
// ErrIncarnation. Passing 0 does neither: a node does so first, to find out
// whether the file is the one its other storage belongs to, since a file that is
// new although the rest is not means that votes were lost.
func OpenStable(path string, incarnation uint64) (*Stable, error) {
	rows, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		// The free list is rebuilt at open instead of written with every vote.
		BoltOptions: &bbolt.Options{
			Timeout:        boltLockWait,
			NoFreelistSync: true,
			FreelistType:   bbolt.FreelistMapType,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("open stable store %s: %w", path, err)
	}
	if err := syncDirectory(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	s := newStable(rows)
	if err := s.claim(incarnation); err != nil {
		return nil, errors.Join(fmt.Errorf("open stable store %s: %w", path, err), rows.Close())
	}
	return s, nil
}

// NewMemoryStable returns a Stable that keeps its rows in memory, for tests.
// CrashClone gives what a crash would leave of it.
func NewMemoryStable() *Stable {
	return newStable(&memoryRows{byKey: make(map[string][]byte)})
}

// CrashClone returns a store with what was durable at this moment: everything
// but a vote's term without its candidate. Only one of NewMemoryStable has it;
// any other returns nil.
func (s *Stable) CrashClone() *Stable {
	memory, ok := s.rows.(*memoryRows)
	if !ok {
		return nil
	}
	memory.mu.Lock()
	defer memory.mu.Unlock()
	return newStable(&memoryRows{byKey: maps.Clone(memory.byKey)})
}

func newStable(rows rowStore) *Stable {
	return &Stable{rows: rows, groups: make(map[uint32]*groupStable)}
}

func (s *Stable) claim(incarnation uint64) error {
	if incarnation == 0 {
		return nil
	}
	number, found, err := s.Incarnation()
	switch {
	case err != nil:
		return err
	case !found:
		return s.SetIncarnation(incarnation)
	case number != incarnation:
		return fmt.Errorf("%w: it is %#x, not %#x", ErrIncarnation, number, incarnation)
	default:
		return nil
	}
}

// syncDirectory makes the file's name durable; bolt syncs only what is in it.
func syncDirectory(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // The path is the operator's.
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// memoryRows is durable as soon as Set returns, as bolt is.
type memoryRows struct {
	mu    sync.Mutex
	byKey map[string][]byte
}

// Get implements rowStore.
func (m *memoryRows) Get(key []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	value, found := m.byKey[string(key)]
	if !found {
		return nil, ErrKeyNotFound
	}
	return slices.Clone(value), nil
}

// Set implements rowStore.
func (m *memoryRows) Set(key, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.byKey[string(key)] = slices.Clone(value)
	return nil
}

// Close implements rowStore.
func (m *memoryRows) Close() error { return nil }
