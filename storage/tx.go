package storage

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/batonmq/baton/internal/invariants"
)

// Tx is one transaction on a State: an indexed batch that reads its own writes.
// It belongs to one goroutine.
type Tx struct {
	state *State
	batch *pebble.Batch
	epoch uint32
	open  bool

	// applied is what Commit will write; chain.value runs ahead of applied.Chain
	// only between BeginEntry and EndEntry.
	applied              Applied
	chain                chainHash
	inEntry              bool
	configurationChanged bool

	// key is the prefix of the live epoch with room behind it for a logical key.
	key    []byte
	closer io.Closer // of the value that Get lent out last

	// scans are the iterators of nested scans, outermost first; the first depth of
	// them are in use.
	scans []*scan
	depth int
}

// Get returns the value of a key, as this transaction has left it. The value
// may be read until the next Get, Commit or Discard, and must not be changed.
func (tx *Tx) Get(key []byte) (value []byte, found bool, err error) {
	if err = tx.giveBack(); err != nil {
		return nil, false, err
	}
	value, closer, err := tx.batch.Get(tx.physical(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, wrap("get", err)
	}
	tx.closer = closer
	return value, true, nil
}

// Set writes one row. It keeps neither slice.
func (tx *Tx) Set(key, value []byte) error {
	if len(key) > MaxKeyBytes || len(value) > MaxValueBytes {
		return fmt.Errorf("set %d + %d bytes: %w", len(key), len(value), ErrTooLarge)
	}
	tx.checkEntry()
	tx.chain.set(key, value)
	return wrap("set", tx.batch.Set(tx.physical(key), value, nil))
}

// Delete removes one row; a row that is not there may be deleted too.
func (tx *Tx) Delete(key []byte) error {
	if len(key) > MaxKeyBytes {
		return fmt.Errorf("delete: %w", ErrTooLarge)
	}
	tx.checkEntry()
	tx.chain.delete(key)
	return wrap("delete", tx.batch.Delete(tx.physical(key), nil))
}

// DeleteRange removes the rows from (included) to (excluded); a nil to means
// the end. It is for large ranges: each one is looked at by later reads until
// compaction has removed it.
func (tx *Tx) DeleteRange(from, to []byte) error {
	if len(from) > MaxKeyBytes || len(to) > MaxKeyBytes {
		return fmt.Errorf("delete range: %w", ErrTooLarge)
	}
	tx.checkEntry()
	tx.chain.deleteRange(from, to)
	if emptyRange(from, to) {
		return nil
	}
	lower, upper := appendBounds(nil, tx.key[:epochKeyBytes], from, to)
	return wrap("delete range", tx.batch.DeleteRange(lower, upper, nil))
}

// BeginEntry starts the changes of one Raft entry. Every change belongs to one,
// and indexes only rise.
func (tx *Tx) BeginEntry(index, term uint64) {
	invariants.Check(tx.open && !tx.inEntry, "group %d: entry %d begins inside another", tx.state.group, index)
	invariants.Check(index > tx.applied.Index, "group %d: entry %d follows %d", tx.state.group, index, tx.applied.Index)
	tx.inEntry = true
	tx.applied.Index, tx.applied.Term = index, term
	tx.chain.begin(index, term)
}

// EndEntry ends the entry and returns the chain hash after it.
func (tx *Tx) EndEntry() (chain uint64) {
	tx.checkEntry()
	tx.inEntry = false
	tx.applied.Chain = tx.chain.end()
	return tx.applied.Chain
}

// SetConfiguration makes an encoded Raft configuration part of what is applied.
func (tx *Tx) SetConfiguration(index uint64, encoded []byte) {
	invariants.Check(tx.open, "group %d: no transaction is open", tx.state.group)
	invariants.Check(len(encoded) <= MaxConfigurationBytes, "group %d: a configuration of %d bytes",
		tx.state.group, len(encoded))
	tx.applied.ConfigurationIndex = index
	tx.applied.Configuration = append([]byte(nil), encoded...)
	tx.configurationChanged = true
}

// Commit writes the changes and Applied in one batch, not synced, and ends the
// transaction whether it fails or not.
func (tx *Tx) Commit() error {
	invariants.Check(tx.open && !tx.inEntry, "group %d commits whole entries", tx.state.group)
	err := tx.write()
	tx.Discard()
	if err != nil {
		return fmt.Errorf("commit group %d: %w", tx.state.group, err)
	}
	return nil
}

// Discard ends the transaction without a trace. After Commit it does nothing.
func (tx *Tx) Discard() {
	if !tx.open {
		return
	}
	_ = tx.giveBack() // Its errors were returned by the reads themselves.
	for _, sc := range tx.scans {
		_ = sc.it.Close() // As above.
	}
	_ = tx.batch.Close() // A batch holds no resource whose release can fail.
	tx.scans = tx.scans[:0]
	tx.batch, tx.depth, tx.open, tx.inEntry = nil, 0, false, false
}

func (tx *Tx) begin(epoch uint32, applied Applied) {
	tx.batch = tx.state.store.db.NewIndexedBatch()
	tx.epoch, tx.applied, tx.chain.value = epoch, applied, applied.Chain
	tx.key = append(tx.key[:0], epochKey(kindState, tx.state.group, epoch)...)
	tx.open, tx.configurationChanged = true, false
}

func (tx *Tx) write() error {
	st := tx.state
	if err := putApplied(tx.batch, st.group, tx.epoch, tx.applied); err != nil {
		return err
	}
	if tx.configurationChanged {
		if err := putConfiguration(tx.batch, st.group, tx.epoch, tx.applied); err != nil {
			return err
		}
	}
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	invariants.Check(st.live.epoch == tx.epoch, "group %d: no snapshot is installed during a transaction", st.group)
	if err := st.store.commit(tx.batch, pebble.NoSync); err != nil {
		return err
	}
	st.live.applied = tx.applied
	return nil
}

// checkEntry spells Check out, whose arguments would be allocated for every row.
func (tx *Tx) checkEntry() {
	if !tx.inEntry {
		invariants.Failf("group %d: every change belongs to a Raft entry", tx.state.group)
	}
}

// physical is valid until the next call.
func (tx *Tx) physical(logical []byte) []byte {
	tx.key = append(tx.key[:epochKeyBytes], logical...)
	return tx.key
}

func (tx *Tx) giveBack() error {
	if tx.closer == nil {
		return nil
	}
	closer := tx.closer
	tx.closer = nil
	return wrap("get", closer.Close())
}
