package raftlog

import (
	"errors"
	"io"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

// ErrStagedRead says that somebody tried to read a received snapshot: its rows
// are in place, and Commit makes them the state.
var ErrStagedRead = errors.New("a received snapshot is committed, not read")

// Staged is what raft passes to FSM.Restore for a received snapshot. Close
// without Commit discards it.
type Staged struct {
	staged *storage.Staged
}

// StagedFrom finds the *Staged in the reader that FSM.Restore is given, under the
// wrappers raft puts around it. It is false for the stream of a live snapshot.
func StagedFrom(r io.ReadCloser) (*Staged, bool) {
	for {
		switch reader := r.(type) {
		case *Staged:
			return reader, true
		case raft.ReadCloserWrapper:
			r = reader.WrappedReadCloser()
		default:
			return nil, false
		}
	}
}

// Commit makes the snapshot the state, durably. No transaction may be open, so
// it is called on the goroutine that applies entries, from FSM.Restore.
func (s *Staged) Commit() error { return s.staged.Commit() }

// Applied returns how far the state will have come after Commit.
func (s *Staged) Applied() storage.Applied { return s.staged.Applied() }

// Read implements io.Reader: it returns ErrStagedRead.
func (s *Staged) Read([]byte) (int, error) { return 0, ErrStagedRead }

// Close implements io.Closer.
func (s *Staged) Close() error { return s.staged.Discard() }

// liveReader streams a pinned view and lets go of it at Close.
type liveReader struct {
	*storage.Stream

	view *storage.View
}

// Close implements io.Closer.
func (r *liveReader) Close() error {
	return errors.Join(r.Stream.Close(), r.view.Close())
}

// openLive pins the state and describes what it pinned.
func openLive(state *storage.State) (*raft.SnapshotMeta, io.ReadCloser, error) {
	view := state.View()
	meta, stream, err := startLive(view)
	if err != nil {
		return nil, nil, errors.Join(err, view.Close())
	}
	return meta, &liveReader{Stream: stream, view: view}, nil
}

func startLive(view *storage.View) (*raft.SnapshotMeta, *storage.Stream, error) {
	meta, err := describe(view.Applied())
	if err != nil {
		return nil, nil, err
	}
	if meta.Size, err = view.StreamBytes(); err != nil {
		return nil, nil, err
	}
	stream, err := view.Stream()
	return meta, stream, err
}
