package storage

import (
	"encoding/binary"
	"fmt"
)

// Incarnation returns the random number that marks this node's storage, and
// whether one was ever set.
func (s *Store) Incarnation() (number uint64, found bool, err error) {
	row, found, err := s.get([]byte{kindIncarnation})
	if err != nil || !found {
		return 0, false, err
	}
	if len(row) != 9 || row[0] != rowVersion {
		return 0, false, fmt.Errorf("read incarnation: %w", ErrCorrupt)
	}
	return binary.BigEndian.Uint64(row[1:]), true, nil
}

// SetIncarnation stores the number, synced. Comparing it with the other places
// where it stands is the node's business.
func (s *Store) SetIncarnation(number uint64) error {
	return s.set([]byte{kindIncarnation}, binary.BigEndian.AppendUint64([]byte{rowVersion}, number))
}

// SetLocal stores a small row of this node alone, synced. It is never replicated.
func (s *Store) SetLocal(name string, value []byte) error {
	if len(name) > MaxKeyBytes || len(value) > MaxValueBytes {
		return fmt.Errorf("set local row %q: %w", name, ErrTooLarge)
	}
	return s.set(localKey(name), value)
}

// GetLocal returns a copy of a row that SetLocal stored.
func (s *Store) GetLocal(name string) (value []byte, found bool, err error) {
	return s.get(localKey(name))
}
