package fsm

import (
	"bytes"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// world is one replica of a partition: a machine over rows in memory.
type world struct {
	tb      testing.TB
	store   *storage.Store
	state   *storage.State
	machine *Machine
	// index is the Raft index of the last entry, group the group its rows are in.
	index uint64
	group uint32
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	store, err := storage.Open("data", storage.Options{
		FS: storage.NewCrashFS().FS(), CacheBytes: 4 << 20, MemTableBytes: 4 << 20,
		OnFatal: func(err error) { tb.Errorf("storage failed: %v", err) },
	})
	check(tb, err)
	w := &world{tb: tb, store: store, group: 1}
	w.state, err = store.OpenState(w.group)
	check(tb, err)
	w.reopen()
	return w
}

func (w *world) close() { check(w.tb, w.store.Close()) }

// reopen reads the machine back from its rows, as after a restart.
func (w *world) reopen() {
	w.tb.Helper()
	w.read(func(view *storage.View) {
		machine, err := Open(view)
		check(w.tb, err)
		w.machine = machine
	})
}

// reinstall sends the state through a snapshot into another group, as to a
// replica that fell behind, and goes on there.
func (w *world) reinstall() {
	w.tb.Helper()
	var stream bytes.Buffer
	w.read(func(view *storage.View) {
		_, err := view.WriteTo(&stream)
		check(w.tb, err)
	})
	w.group++
	other, err := w.store.OpenState(w.group)
	check(w.tb, err)
	check(w.tb, other.Install(&stream))
	w.state = other
	w.reopen()
}

func (w *world) read(fn func(view *storage.View)) {
	w.tb.Helper()
	view := w.state.View()
	fn(view)
	check(w.tb, view.Close())
}

// apply applies entries in one transaction, with the effects a leader asks for,
// and returns their outcomes.
func (w *world) apply(effects bool, entries ...[]byte) []*Outcome {
	w.tb.Helper()
	outcomes, err := w.tryApply(effects, entries...)
	check(w.tb, err)
	return outcomes
}

func (w *world) tryApply(effects bool, entries ...[]byte) ([]*Outcome, error) {
	w.tb.Helper()
	tx := w.state.Begin()
	defer tx.Discard()
	var outcomes []*Outcome
	for _, entry := range entries {
		w.index++
		tx.BeginEntry(w.index, 1)
		outcome, err := w.machine.Apply(tx, entry, effects)
		if err != nil {
			return nil, err
		}
		tx.EndEntry()
		outcomes = append(outcomes, outcome)
	}
	return outcomes, tx.Commit()
}

// digest is a hash of all rows, chain the chain hash of all changes.
func (w *world) digest() (digest, chain uint64) {
	w.tb.Helper()
	w.read(func(view *storage.View) {
		var err error
		digest, err = view.Digest()
		check(w.tb, err)
		chain = view.Applied().Chain
	})
	return digest, chain
}

// entryOf is an encoded entry.
func entryOf(header command.Header, commands ...interface{ Append([]byte) []byte }) []byte {
	encoded := make([][]byte, len(commands))
	for i, c := range commands {
		encoded[i] = c.Append(nil)
	}
	return command.AppendEntry(nil, &header, encoded)
}

// firstLeader is the command that makes this the only partition.
func firstLeader() *command.LeaderStart {
	return &command.LeaderStart{Node: "n1", Partition: 0, Partitions: 1, Epoch: 1}
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
