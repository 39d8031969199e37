package raftlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/raft"
)

var (
	// ErrKeyNotFound is what raft expects for a key that was never set: it compares
	// the text, so it is never wrapped.
	ErrKeyNotFound = errors.New("not found")
	// ErrIncarnation says that a stable store belongs to another incarnation.
	ErrIncarnation = errors.New("stable store of another incarnation")
	// ErrStableFailed says that an earlier write failed; nothing more is written.
	ErrStableFailed = errors.New("stable store has failed")
)

// rowStore is what a Stable needs: rows that are durable when set returns.
// A missing row is ErrKeyNotFound.
type rowStore interface {
	Get(key []byte) ([]byte, error)
	Set(key, value []byte) error
	Close() error
}

// Stable keeps term and votes of all groups, one row per group, and the node's
// incarnation. It is safe for concurrent use.
type Stable struct {
	rows rowStore

	// mu guards what follows and every write.
	mu      sync.Mutex
	groups  map[uint32]*groupStable
	failed  error
	onFatal func(error)
}

// OnFatal has f called once, on a goroutine of its own, when a write has failed.
// It should end the process: a node that cannot keep its votes may not vote.
func (s *Stable) OnFatal(f func(error)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onFatal = f
}

// Group returns the store of one group, the same one for every caller. If its row
// cannot be read, every call on it returns the error.
func (s *Stable) Group(group uint32) raft.StableStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.groups[group]; g != nil {
		return g
	}
	g := &groupStable{owner: s, key: stableKey(group)}
	row, err := s.rows.Get(g.key)
	switch {
	case err == nil:
		g.durable, err = decodeStable(row)
	case missing(err):
		err = nil
	}
	if err != nil {
		g.broken = fmt.Errorf("read stable row of group %d: %w", group, err)
	}
	s.groups[group] = g
	return g
}

// DropGroup forgets term and votes of a group. Only a group whose member this
// node has ceased to be may be dropped.
func (s *Stable) DropGroup(group uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.set(stableKey(group), encodeStable(stableRow{})); err != nil {
		return fmt.Errorf("drop stable row of group %d: %w", group, err)
	}
	delete(s.groups, group)
	return nil
}

// Incarnation returns the node's random number, and whether one was ever set.
func (s *Stable) Incarnation() (number uint64, found bool, err error) {
	row, err := s.rows.Get(incarnationKey())
	if missing(err) {
		return 0, false, nil
	}
	if err == nil && len(row) != 8 {
		err = ErrBadStable
	}
	if err != nil {
		return 0, false, fmt.Errorf("read incarnation: %w", err)
	}
	return binary.BigEndian.Uint64(row), true, nil
}

// SetIncarnation stores the number.
func (s *Stable) SetIncarnation(number uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.set(incarnationKey(), binary.BigEndian.AppendUint64(nil, number))
}

// Close closes the file.
func (s *Stable) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows.Close()
}

// set writes a row with the lock held. After a failed write nobody knows what
// the file holds, and a second sync would not tell: nothing more is written.
func (s *Stable) set(key, row []byte) error {
	if s.failed != nil {
		return s.failed
	}
	if err := s.rows.Set(key, row); err != nil {
		s.failed = fmt.Errorf("%w: %w", ErrStableFailed, err)
		if s.onFatal != nil {
			go s.onFatal(s.failed)
		}
		return s.failed
	}
	return nil
}

// missing also knows the twin of ErrKeyNotFound that raft-boltdb returns.
func missing(err error) bool { return err != nil && err.Error() == ErrKeyNotFound.Error() }
