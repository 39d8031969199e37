package fsm

import (
	"bytes"
	"testing"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// world is one replica of a partition: a machine over rows in memory.
type world struct {
	tb      tester
	store   *storage.Store
	state   *storage.State
	machine *Machine
	// index is the Raft index of the last entry; groups counts those in use.
	index  uint64
	groups *uint32
}

// tester is what a test of either kind offers.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func openStore(tb testing.TB) *storage.Store {
	tb.Helper()
	store, err := storage.Open("data", storage.Options{
		FS: storage.NewCrashFS().FS(), CacheBytes: 4 << 20, MemTableBytes: 16 << 20,
		OnFatal: func(err error) { tb.Errorf("storage failed: %v", err) },
	})
	check(tb, err)
	tb.Cleanup(func() { check(tb, store.Close()) })
	return store
}

// newWorld begins in a group that nothing was ever written to.
func newWorld(tb tester, store *storage.Store, group *uint32) *world {
	tb.Helper()
	w := &world{tb: tb, store: store, groups: group}
	w.nextGroup()
	w.reopen()
	return w
}

func (w *world) nextGroup() {
	w.tb.Helper()
	*w.groups++
	state, err := w.store.OpenState(*w.groups)
	check(w.tb, err)
	w.state = state
}

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
	w.nextGroup()
	check(w.tb, w.state.Install(&stream))
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

func check(tb tester, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatalf("%v", err)
	}
}

// hasEvent tells whether an event of the tenant is stored here.
func hasEvent(view *storage.View, tenant string, id command.EventID) (bool, error) {
	e, err := readEventOf(view, id)
	return e != nil && e.Tenant == tenant, err
}
