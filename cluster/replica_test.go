package cluster

import (
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
)

// brittle is a machine that breaks at an entry of its choice.
type brittle struct {
	machine

	fails, violates bool
}

var errBrittle = errors.New("the machine broke")

// Apply implements machine.
func (b *brittle) Apply(tx *storage.Tx, data []byte, effects bool) (*fsm.Outcome, error) {
	outcome, err := b.machine.Apply(tx, data, effects)
	invariants.Check(!b.violates, "a planted violation")
	if b.fails {
		return nil, errBrittle
	}
	return outcome, err
}

// copyOf is a replica on a disk of its own, without a Raft: the test is the log.
type copyOf struct {
	*replica

	machine  *brittle
	outcomes int
	failures []error
}

func newCopy(t *testing.T) *copyOf {
	t.Helper()
	store, err := storage.Open("data", storage.Options{
		FS: storage.NewCrashFS().FS(), CacheBytes: 4 << 20, MemTableBytes: 16 << 20,
		OnFatal: func(err error) { t.Errorf("storage failed: %v", err) },
	})
	check(t, err)
	t.Cleanup(func() { check(t, store.Close()) })
	state, err := store.OpenState(1)
	check(t, err)
	log, err := raftlog.NewLogStore(store, 1)
	check(t, err)
	c := &copyOf{machine: &brittle{}}
	c.replica = &replica{
		group: 1, log: log, state: state, leading: new(atomic.Bool), logger: slog.New(slog.DiscardHandler),
		open: func(view *storage.View) (machine, error) {
			m, err := openPartition(view)
			c.machine.machine = m
			return c.machine, err
		},
		applied: func(*fsm.Outcome) { c.outcomes++ },
		failed:  func(err error) { c.failures = append(c.failures, err) },
	}
	check(t, c.load())
	configuration := raft.EncodeConfiguration(raft.Configuration{Servers: []raft.Server{{ID: "n1", Address: "n1"}}})
	c.apply(t, &raft.Log{Index: 1, Term: 1, Type: raft.LogConfiguration, Data: configuration})
	c.apply(t, entry(2, 0, 0, start()))
	return c
}

// entry is a leader's entry of one publish, or of a LeaderStart; it says what its leader's
// chain is at an index.
func entry(index, checkIndex, chain uint64, commands ...[]byte) *raft.Log {
	header := command.Header{TimeMS: 1000 + int64(index), Generation: 1, SlotMap: command.SlotMapVersion, CheckIndex: checkIndex, CheckChain: chain}
	return &raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: command.AppendEntry(nil, &header, commands)}
}

func start() []byte {
	return (&command.LeaderStart{Node: "n1", Partitions: 1, Epoch: 1}).Append(nil)
}

func publish() []byte {
	return (&command.Publish{
		Route: command.Route{Slot: command.SlotOf("t", "k"), SlotMap: command.SlotMapVersion},
		Event: command.Event{Channel: "work", Tenant: "t", Key: "k", ClientID: "ann", Payload: command.Payload{Codec: command.CodecBytes}},
	}).Append(nil)
}

// apply logs entries and applies them in one batch.
func (c *copyOf) apply(t *testing.T, entries ...*raft.Log) []any {
	t.Helper()
	check(t, c.log.StoreLogs(entries))
	return c.ApplyBatch(entries)
}

// at is how far the replica is, and what it is there.
func (c *copyOf) at() chainAt { return chainAt{c.state.Applied().Index, c.state.Applied().Chain} }

// quarantined wants the replica to have stopped at an index, once, for a reason,
// and to apply nothing more.
func (c *copyOf) quarantined(t *testing.T, at uint64, why error, responses []any) {
	t.Helper()
	for _, response := range responses {
		if err, ok := response.(error); !ok || !errors.Is(err, errQuarantined) || why != nil && !errors.Is(err, why) {
			t.Errorf("the response is %v, want %v", response, why)
		}
	}
	chain, outcomes := c.state.Applied().Chain, c.outcomes
	last, err := c.log.LastIndex()
	check(t, err)
	next := c.apply(t, entry(last+1, 0, 0, publish()))
	if err, ok := next[0].(error); !ok || !errors.Is(err, errQuarantined) {
		t.Errorf("then the response is %v", next[0])
	}
	if got := c.state.Applied(); got.Index != at || got.Chain != chain || c.outcomes != outcomes {
		t.Errorf("a quarantined replica is at %d, with %d outcomes more", got.Index, c.outcomes-outcomes)
	}
	if len(c.failures) != 1 {
		t.Errorf("it failed %d times: %v", len(c.failures), c.failures)
	}
}

// TestReplicasAgree: batches as they come, both have the same chain, and the
// leader's word on an earlier index is held against the own.
func TestReplicasAgree(t *testing.T) {
	a, b := newCopy(t), newCopy(t)
	a.apply(t, entry(3, 2, a.state.Applied().Chain, publish(), publish()))
	chain := a.state.Applied().Chain
	a.apply(t, entry(4, 3, chain, publish()))
	b.apply(t, entry(3, 2, b.state.Applied().Chain, publish(), publish()), entry(4, 3, chain, publish()))
	if a.at() != b.at() || a.outcomes != 3 || b.outcomes != 3 || len(a.failures)+len(b.failures) > 0 {
		t.Errorf("%+v after %d outcomes, and %+v after %d; failed: %v, %v",
			a.state.Applied(), a.outcomes, b.state.Applied(), b.outcomes, a.failures, b.failures)
	}
}

// TestADivergedReplicaStops: nothing of the entry that shows it is applied, nor of the
// batch that it is in, nor anything after.
func TestADivergedReplicaStops(t *testing.T) {
	c := newCopy(t)
	responses := c.apply(t, entry(3, 0, 0, publish()), entry(4, 2, c.state.Applied().Chain+1, publish()))
	c.quarantined(t, 2, errDiverged, responses)
}

// TestAFailedApplyStops: an error of the machine, a broken invariant, and an entry
// that cannot be read.
func TestAFailedApplyStops(t *testing.T) {
	for name, broken := range map[string]func(*copyOf, *raft.Log) error{
		"an error":     func(c *copyOf, _ *raft.Log) error { c.machine.fails = true; return errBrittle },
		"a violation":  func(c *copyOf, _ *raft.Log) error { c.machine.violates = true; return nil },
		"not an entry": func(_ *copyOf, l *raft.Log) error { l.Data = []byte{0xff}; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCopy(t)
			bad := entry(3, 0, 0, publish())
			why := broken(c, bad)
			responses := c.apply(t, bad)
			c.machine.fails, c.machine.violates = false, false
			c.quarantined(t, 2, why, responses)
		})
	}
}

// TestASnapshotEndsTheQuarantine: a replica that stopped goes on from the state of
// another one, and only from such a snapshot.
func TestASnapshotEndsTheQuarantine(t *testing.T) {
	good, bad := newCopy(t), newCopy(t)
	bad.apply(t, entry(3, 2, bad.state.Applied().Chain+1, publish()))
	good.apply(t, entry(3, 0, 0, publish()))
	if bad.Restore(nil) == nil {
		t.Error("what was not received is restored")
	}
	if err, ok := bad.apply(t, entry(4, 0, 0, publish()))[0].(error); !ok || !errors.Is(err, errDiverged) {
		t.Fatalf("a snapshot that is none ends a quarantine: %v", err)
	}
	check(t, bad.Restore(received(t, good, bad)))
	for _, c := range []*copyOf{good, bad} {
		if _, ok := c.apply(t, entry(4, 3, good.chains[3].chain, publish()))[0].(*fsm.Outcome); !ok {
			t.Errorf("it does not go on: %v", c.failures)
		}
	}
	if good.at() != bad.at() {
		t.Errorf("restored it is at %+v, the other at %+v", bad.state.Applied(), good.state.Applied())
	}
}

// received is a snapshot of one replica, as Raft hands it to the other that
// received it.
func received(t *testing.T, from, to *copyOf) io.ReadCloser {
	t.Helper()
	meta, stream, err := raftlog.NewSnapshotStore(from.state, raftlog.SnapshotOptions{}).Open(raftlog.LiveID)
	check(t, err)
	store := raftlog.NewSnapshotStore(to.state, raftlog.SnapshotOptions{})
	sink, err := store.Create(1, meta.Index, meta.Term, meta.Configuration, meta.ConfigurationIndex, nil)
	check(t, err)
	_, err = io.Copy(sink, stream)
	check(t, errors.Join(err, stream.Close(), sink.Close()))
	_, snapshot, err := store.Open(sink.ID())
	check(t, err)
	return snapshot
}
