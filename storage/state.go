package storage

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/batonmq/baton/internal/invariants"
)

// State is the rows of one replicated group, in its live epoch. Views may be
// taken by any goroutine; transactions and Staged.Commit belong to the one that
// applies the log.
type State struct {
	store *Store
	group uint32

	// tx is the transaction under way; there is one at a time, so it is reused.
	tx Tx

	live struct {
		mu sync.Mutex
		// epoch and applied are what Pebble holds: whoever writes them there holds
		// the lock meanwhile, so a view taken under it has both of one moment.
		epoch   uint32
		applied Applied
		// nextEpoch is above every epoch that was ever staged.
		nextEpoch uint32
		stage     *StageWriter
	}
}

// OpenState opens the state of a group, and removes what a crash may have left
// of a snapshot that was being received. There may be one State of a group at a
// time; it needs no closing.
func (s *Store) OpenState(group uint32) (*State, error) {
	epoch, err := s.liveEpoch(group)
	if err != nil {
		return nil, err
	}
	applied, err := getApplied(s.db, group, epoch)
	if err != nil {
		return nil, err
	}
	if err := s.removeOtherEpochs(group, epoch); err != nil {
		return nil, err
	}
	st := &State{store: s, group: group}
	st.live.epoch, st.live.nextEpoch = epoch, epoch+1
	st.live.applied = applied
	st.tx.state = st
	return st, nil
}

// DropGroup removes the state and the log of a group, synced. No State of the
// group may be used afterwards.
func (s *Store) DropGroup(group uint32) error {
	log, err := s.Log(group)
	if err != nil {
		return err
	}
	log.writing.Lock()
	defer log.writing.Unlock()
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }() // A batch holds no resource whose release can fail.
	for _, kind := range [...]byte{kindApplied, kindConfiguration, kindEpoch, kindLog, kindState} {
		prefix := groupKey(kind, group)
		if err := b.DeleteRange(prefix, successor(prefix), nil); err != nil {
			return wrap("drop group", err)
		}
	}
	if err := s.commit(b, pebble.Sync); err != nil {
		return fmt.Errorf("drop group %d: %w", group, err)
	}
	log.emptied()
	return nil
}

// Applied returns how far the state has come, as of the last commit.
func (st *State) Applied() Applied {
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	return st.live.applied
}

// Epoch returns the physical epoch of the rows. It rises with every installed
// snapshot and means nothing outside this package.
func (st *State) Epoch() uint32 {
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	return st.live.epoch
}

// Group returns the number of the group.
func (st *State) Group() uint32 { return st.group }

// Begin starts a transaction. It must end with Commit or Discard before the
// next one begins.
func (st *State) Begin() *Tx {
	invariants.Check(!st.tx.open, "group %d has one transaction at a time", st.group)
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	st.tx.begin(st.live.epoch, st.live.applied)
	return &st.tx
}

// View pins the rows as they are now. It must be closed.
func (st *State) View() *View {
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	return &View{
		store:    st.store,
		snapshot: st.store.db.NewSnapshot(),
		prefix:   epochKey(kindState, st.group, st.live.epoch),
		applied:  st.live.applied,
	}
}

// Install replaces the state by a snapshot stream: Stage and Staged.Commit in one.
func (st *State) Install(r io.Reader) error {
	staged, err := st.Stage(r)
	if err != nil {
		return err
	}
	return staged.Commit()
}

func (s *Store) liveEpoch(group uint32) (uint32, error) {
	epoch := uint32(firstEpoch)
	_, err := getWith(s.db, groupKey(kindEpoch, group), func(row []byte) error {
		if len(row) != 5 || row[0] != rowVersion {
			return fmt.Errorf("read epoch of group %d: %w", group, ErrCorrupt)
		}
		epoch = binary.BigEndian.Uint32(row[1:])
		return nil
	})
	return epoch, err
}

// removeOtherEpochs looks before it deletes: a tombstone per start would pile up.
func (s *Store) removeOtherEpochs(group, live uint32) error {
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }() // A batch holds no resource whose release can fail.
	for _, kind := range perEpoch() {
		all := groupKey(kind, group)
		kept := epochKey(kind, group, live)
		for _, bounds := range [...][2][]byte{{all, kept}, {successor(kept), successor(all)}} {
			some, err := s.anyRow(bounds[0], bounds[1])
			if err != nil {
				return err
			}
			if !some {
				continue
			}
			if err := b.DeleteRange(bounds[0], bounds[1], nil); err != nil {
				return wrap("remove leftovers", err)
			}
		}
	}
	if b.Empty() {
		return nil
	}
	return s.commit(b, pebble.NoSync)
}

func (s *Store) anyRow(from, to []byte) (bool, error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return false, wrap("look for rows", err)
	}
	some := it.First()
	return some, wrap("look for rows", it.Close())
}
