package cluster

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
)

// machine is a group's state machine: a partition's, or meta's.
type machine interface {
	Apply(tx *storage.Tx, data []byte, effects bool) (*fsm.Outcome, error)
}

// chainRing is how many entries back a replica can compare chain hashes.
const chainRing = 4096

// replica is the raft.FSM of one group: it applies batches of entries to the
// group's state, each batch in one transaction, and compares chain hashes with
// the leader's. Its methods run on Raft's FSM goroutine.
type replica struct {
	group  uint32
	log    *raftlog.LogStore
	state  *storage.State
	open   func(*storage.View) (machine, error)
	logger *slog.Logger
	// leading asks for effects; applied is called with each outcome after the
	// commit.
	leading *atomic.Bool
	applied func(*fsm.Outcome)
	// failed is called once when the replica has to stop.
	failed func(error)

	machine machine
	chains  [chainRing]chainAt
	stopped error
}

type chainAt struct{ index, chain uint64 }

// errQuarantined is why a stopped replica answers nothing.
var errQuarantined = errors.New("the replica is quarantined")

// ApplyBatch implements raft.BatchingFSM. Each response is a *fsm.Outcome, or an
// error.
func (r *replica) ApplyBatch(logs []*raft.Log) []any {
	responses := make([]any, len(logs))
	if r.stopped == nil {
		// A leader's Raft counts an entry that is still on its way to the disk here.
		if err := r.log.WaitDurable(logs[len(logs)-1].Index); err != nil {
			r.stop(err)
		}
	}
	if r.stopped == nil {
		if err := r.applyAll(logs, responses); err != nil {
			r.stop(err)
		}
	}
	if r.stopped != nil {
		for i := range responses {
			responses[i] = r.stopped
		}
		return responses
	}
	for _, response := range responses {
		if outcome, ok := response.(*fsm.Outcome); ok {
			r.applied(outcome)
		}
	}
	return responses
}

// errDiverged says that a replica holds another state than its leader.
var errDiverged = errors.New("the replica's state differs from its leader's: restore it from a snapshot of the others")

// Apply implements raft.FSM; Raft calls ApplyBatch instead.
func (r *replica) Apply(log *raft.Log) any { return r.ApplyBatch([]*raft.Log{log})[0] }

// Snapshot implements raft.FSM: the state is its own snapshot.
func (r *replica) Snapshot() (raft.FSMSnapshot, error) { return liveSnapshot{}, nil }

// Restore implements raft.FSM: a received snapshot becomes the state.
func (r *replica) Restore(reader io.ReadCloser) error {
	staged, ok := raftlog.StagedFrom(reader)
	if !ok {
		return errors.New("restore: only a received snapshot can be restored")
	}
	if err := staged.Commit(); err != nil {
		return fmt.Errorf("group %d: make a received snapshot the state: %w", r.group, err)
	}
	r.stopped = nil
	return r.load()
}

// liveSnapshot writes nothing: see raftlog.
type liveSnapshot struct{}

// Persist implements raft.FSMSnapshot.
func (liveSnapshot) Persist(sink raft.SnapshotSink) error { return sink.Close() }

// Release implements raft.FSMSnapshot.
func (liveSnapshot) Release() {}

// load reads the state back: at the start, and after a snapshot.
func (r *replica) load() error {
	view := r.state.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	m, err := r.open(view)
	if err != nil {
		return fmt.Errorf("group %d: %w", r.group, err)
	}
	r.machine = m
	applied := r.state.Applied()
	r.chains[applied.Index%chainRing] = chainAt{applied.Index, applied.Chain}
	return nil
}

// applyAll applies a batch in one transaction, or nothing of it.
func (r *replica) applyAll(logs []*raft.Log, responses []any) (err error) {
	tx := r.state.Begin()
	defer tx.Discard()
	defer invariants.Recover(&err)
	for i, log := range logs {
		tx.BeginEntry(log.Index, log.Term)
		switch log.Type {
		case raft.LogConfiguration:
			tx.SetConfiguration(log.Index, log.Data)
		case raft.LogCommand:
			outcome, err := r.applyOne(tx, log)
			if err != nil {
				return err
			}
			responses[i] = outcome
		case raft.LogNoop, raft.LogAddPeerDeprecated, raft.LogRemovePeerDeprecated, raft.LogBarrier:
		}
		r.chains[log.Index%chainRing] = chainAt{log.Index, tx.EndEntry()}
	}
	return tx.Commit()
}

func (r *replica) applyOne(tx *storage.Tx, log *raft.Log) (*fsm.Outcome, error) {
	if err := r.compare(log); err != nil {
		return nil, err
	}
	outcome, err := r.machine.Apply(tx, log.Data, r.leading.Load())
	if err != nil {
		return nil, fmt.Errorf("apply entry %d: %w", log.Index, err)
	}
	return outcome, nil
}

// compare holds the replica's chain hash against the one in an entry's header.
func (r *replica) compare(log *raft.Log) error {
	index, chain, err := command.PeekCheck(log.Data)
	if err != nil {
		return fmt.Errorf("entry %d cannot be read: %w", log.Index, err)
	}
	own := r.chains[index%chainRing]
	if index == 0 || own.index != index || own.chain == chain {
		return nil
	}
	return fmt.Errorf("%w (entry %d says %016x at %d, here it is %016x)", errDiverged, log.Index, chain, index, own.chain)
}

// stop quarantines the replica: it applies nothing any more.
func (r *replica) stop(err error) {
	r.stopped = fmt.Errorf("%w: %w", errQuarantined, err)
	r.logger.Error("a replica stops: nothing of it is deleted, the others go on",
		"group", r.group, "applied", r.state.Applied().Index, "error", err)
	r.failed(r.stopped)
}
