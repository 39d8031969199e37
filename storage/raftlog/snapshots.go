package raftlog

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

// LiveID is the id under which List offers the state itself.
const LiveID = "live"

// ErrUnknownSnapshot says that no snapshot has this id, or that it was opened already.
var ErrUnknownSnapshot = errors.New("unknown snapshot")

var _ raft.SnapshotStore = (*SnapshotStore)(nil)

// SnapshotOptions configures NewSnapshotStore.
type SnapshotOptions struct {
	// Logger reports received snapshots; nil means it does not.
	Logger *slog.Logger
}

// SnapshotStore makes the state of one group look like raft's snapshots. It is
// safe for concurrent use.
type SnapshotStore struct {
	state  *storage.State
	logger *slog.Logger

	mu sync.Mutex
	// created numbers sinks; local is the id of the last local one; staged holds
	// received snapshots between the sink's Close and Open.
	created uint64
	local   string
	staged  map[string]received
}

// received is a verified snapshot that waits for FSM.Restore.
type received struct {
	meta   raft.SnapshotMeta
	staged *storage.Staged
}

// NewSnapshotStore makes the snapshot store of a state.
func NewSnapshotStore(state *storage.State, o SnapshotOptions) *SnapshotStore {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &SnapshotStore{state: state, logger: logger, staged: make(map[string]received)}
}

// Create implements raft.SnapshotStore, for a local snapshot and for one that is
// about to be received: the first byte tells which.
//
//nolint:revive // Raft's interface has six parameters.
func (s *SnapshotStore) Create(version raft.SnapshotVersion, index, term uint64,
	configuration raft.Configuration, configurationIndex uint64, _ raft.Transport,
) (raft.SnapshotSink, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.created++
	return &sink{store: s, meta: raft.SnapshotMeta{
		Version:            version,
		ID:                 fmt.Sprintf("%d-%d-%d", term, index, s.created),
		Index:              index,
		Term:               term,
		Configuration:      configuration,
		ConfigurationIndex: configurationIndex,
	}}, nil
}

// List implements raft.SnapshotStore: the state as it is now, or nothing when
// nothing is applied. Size is 0 here; Open knows it.
func (s *SnapshotStore) List() ([]*raft.SnapshotMeta, error) {
	applied := s.state.Applied()
	if applied.Index == 0 {
		return nil, nil
	}
	meta, err := describe(applied)
	if err != nil {
		return nil, err
	}
	return []*raft.SnapshotMeta{meta}, nil
}

// Open implements raft.SnapshotStore. For a received snapshot it returns a
// *Staged, once; for any other a stream of the state as it is now.
func (s *SnapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	s.mu.Lock()
	waiting, isStaged := s.staged[id]
	delete(s.staged, id)
	isLive := id == LiveID || (id != "" && id == s.local)
	s.mu.Unlock()
	switch {
	case isStaged:
		return &waiting.meta, &Staged{staged: waiting.staged}, nil
	case isLive:
		return openLive(s.state)
	default:
		return nil, nil, fmt.Errorf("open snapshot %q: %w", id, ErrUnknownSnapshot)
	}
}

// keep remembers a received snapshot; older ones were superseded by it.
func (s *SnapshotStore) keep(r received) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.staged)
	s.staged[r.meta.ID] = r
}

func (s *SnapshotStore) keepLocal(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.local = id
}

// describe turns Applied into raft's metadata.
func describe(a storage.Applied) (*raft.SnapshotMeta, error) {
	configuration, err := decodeConfiguration(a.Configuration)
	if err != nil {
		return nil, err
	}
	return &raft.SnapshotMeta{
		Version:            raft.SnapshotVersionMax,
		ID:                 LiveID,
		Index:              a.Index,
		Term:               a.Term,
		Configuration:      configuration,
		ConfigurationIndex: a.ConfigurationIndex,
	}, nil
}

// decodeConfiguration is raft's, which panics at what it cannot read.
func decodeConfiguration(encoded []byte) (configuration raft.Configuration, err error) {
	if len(encoded) == 0 {
		return raft.Configuration{}, nil
	}
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%w: configuration: %v", storage.ErrCorrupt, reason)
		}
	}()
	return raft.DecodeConfiguration(encoded), nil
}
