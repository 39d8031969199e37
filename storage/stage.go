package storage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2"

	"github.com/batonmq/baton/internal/invariants"
)

// stageBatchBytes is how much of a snapshot goes into one batch. It is small,
// so that a sync of another group never waits behind much more than this.
const stageBatchBytes = 256 << 10

// StageWriter receives a snapshot stream into an epoch of its own, where nobody
// sees it. It belongs to one goroutine and ends with Finish or Abort. A newer
// StageWriter of the same state supersedes it.
type StageWriter struct {
	state   *State
	epoch   uint32
	decoder decoder
	applied Applied
	batch   *pebble.Batch
	key     []byte
}

// Staged is a snapshot that has arrived whole, and is not visible yet.
type Staged struct {
	writer *StageWriter
}

// StageWriter starts to receive a snapshot stream.
func (st *State) StageWriter() (*StageWriter, error) {
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	if err := st.dropStage(); err != nil {
		return nil, err
	}
	w := &StageWriter{state: st, epoch: st.live.nextEpoch, batch: st.store.db.NewBatch()}
	w.key = epochKey(kindState, st.group, w.epoch)
	w.decoder.onHeader = func(a Applied) error {
		w.applied = a
		return nil
	}
	w.decoder.onRow = w.row
	st.live.nextEpoch++
	st.live.stage = w
	return w, nil
}

// Stage receives a whole stream. Nothing of it remains when it returns an error.
func (st *State) Stage(r io.Reader) (*Staged, error) {
	w, err := st.StageWriter()
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(w, r); err != nil {
		return nil, errors.Join(fmt.Errorf("receive snapshot of group %d: %w", st.group, err), w.Abort())
	}
	return w.Finish()
}

// Write takes the next bytes of the stream.
func (w *StageWriter) Write(p []byte) (int, error) {
	if err := w.decoder.write(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Finish verifies the trailer. On an error everything received is removed.
func (w *StageWriter) Finish() (*Staged, error) {
	err := w.decoder.finish()
	if err == nil {
		err = putApplied(w.batch, w.state.group, w.epoch, w.applied)
	}
	if err == nil {
		err = putConfiguration(w.batch, w.state.group, w.epoch, w.applied)
	}
	if err == nil {
		err = w.flush()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("finish snapshot of group %d: %w", w.state.group, err), w.Abort())
	}
	return &Staged{writer: w}, nil
}

// Abort removes what was received.
func (w *StageWriter) Abort() error {
	w.state.live.mu.Lock()
	defer w.state.live.mu.Unlock()
	if w.state.live.stage != w {
		return nil
	}
	return w.state.dropStage()
}

// Applied returns what the header of the stream said.
func (s *Staged) Applied() Applied { return s.writer.applied }

// Discard removes the staged rows. After Commit it does nothing.
func (s *Staged) Discard() error { return s.writer.Abort() }

// Commit makes the staged rows the state, in one synced batch that also removes
// the old rows and the whole log of the group: the entries in it are either part
// of the snapshot or about to be sent again, and a log that ends before the
// snapshot begins would have a hole with the next append. No transaction may be
// open. ErrSuperseded says that the staged rows are gone.
func (s *Staged) Commit() error {
	w := s.writer
	st := w.state
	log, err := st.store.Log(st.group)
	if err != nil {
		return err
	}
	log.writing.Lock()
	defer log.writing.Unlock()
	st.live.mu.Lock()
	defer st.live.mu.Unlock()
	invariants.Check(!st.tx.open, "group %d: no snapshot is installed during a transaction", st.group)
	if st.live.stage != w {
		return fmt.Errorf("install snapshot of group %d: %w", st.group, ErrSuperseded)
	}
	if err := st.flip(w.epoch); err != nil {
		return fmt.Errorf("install snapshot of group %d: %w", st.group, err)
	}
	st.live.epoch, st.live.applied, st.live.stage = w.epoch, w.applied, nil
	log.emptied()
	return nil
}

func (w *StageWriter) row(key, value []byte) error {
	w.key = append(w.key[:epochKeyBytes], key...)
	if err := w.batch.Set(w.key, value, nil); err != nil {
		return wrap("stage row", err)
	}
	if w.batch.Len() < stageBatchBytes {
		return nil
	}
	return w.flush()
}

// flush holds the lock while it writes, so that no row of a superseded writer
// can arrive after its epoch was removed.
func (w *StageWriter) flush() error {
	w.state.live.mu.Lock()
	defer w.state.live.mu.Unlock()
	if w.state.live.stage != w {
		return ErrSuperseded
	}
	err := w.state.store.commit(w.batch, pebble.NoSync)
	_ = w.batch.Close() // A batch holds no resource whose release can fail.
	w.batch = w.state.store.db.NewBatch()
	return err
}

// dropStage removes the rows of the staging epoch, if there is one. The lock is held.
func (st *State) dropStage() error {
	w := st.live.stage
	if w == nil {
		return nil
	}
	st.live.stage = nil
	b := st.store.db.NewBatch()
	defer func() { _ = b.Close() }() // A batch holds no resource whose release can fail.
	if err := deleteEpoch(b, st.group, w.epoch); err != nil {
		return err
	}
	return st.store.commit(b, pebble.NoSync)
}

// flip is the one batch that makes an epoch the live one. Both locks are held.
func (st *State) flip(epoch uint32) error {
	b := st.store.db.NewBatch()
	defer func() { _ = b.Close() }() // A batch holds no resource whose release can fail.
	row := binary.BigEndian.AppendUint32([]byte{rowVersion}, epoch)
	if err := b.Set(groupKey(kindEpoch, st.group), row, nil); err != nil {
		return wrap("set epoch", err)
	}
	if err := deleteEpoch(b, st.group, st.live.epoch); err != nil {
		return err
	}
	log := groupKey(kindLog, st.group)
	if err := b.DeleteRange(log, successor(log), nil); err != nil {
		return wrap("delete log", err)
	}
	return st.store.commit(b, pebble.Sync)
}

func deleteEpoch(b *pebble.Batch, group, epoch uint32) error {
	for _, kind := range perEpoch() {
		prefix := epochKey(kind, group, epoch)
		if err := b.DeleteRange(prefix, successor(prefix), nil); err != nil {
			return wrap("delete epoch", err)
		}
	}
	return nil
}
