package raftlog

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/storage"
)

var (
	// ErrNotApplied says that a local snapshot is ahead of the state: what follows
	// the applied index (no-ops, barriers) must stay in the log until a command
	// has been applied behind it.
	ErrNotApplied = errors.New("snapshot is ahead of the applied state")
	// ErrMismatch says that a received stream is not the snapshot it was announced as.
	ErrMismatch = errors.New("snapshot stream is not what was announced")
)

var _ raft.SnapshotSink = (*sink)(nil)

// sink is a local snapshot until the first byte, and a received one from then on.
type sink struct {
	store  *SnapshotStore
	meta   raft.SnapshotMeta
	writer *storage.StageWriter
	bytes  int64
	closed bool
}

// ID implements raft.SnapshotSink.
func (k *sink) ID() string { return k.meta.ID }

// Write implements io.Writer.
func (k *sink) Write(p []byte) (int, error) {
	if k.writer == nil {
		writer, err := k.store.state.StageWriter()
		if err != nil {
			return 0, err
		}
		k.writer = writer
	}
	n, err := k.writer.Write(p)
	k.bytes += int64(n)
	return n, err
}

// Close implements io.Closer. Raft closes a local sink twice when Persist does too.
func (k *sink) Close() error {
	if k.closed {
		return nil
	}
	k.closed = true
	if k.writer == nil {
		return k.closeLocal()
	}
	staged, err := k.writer.Finish()
	if err != nil {
		return err
	}
	if err := k.check(staged.Applied()); err != nil {
		return errors.Join(err, staged.Discard())
	}
	k.meta.Size = k.bytes
	k.store.keep(received{meta: k.meta, staged: staged})
	k.store.logger.Info("received a snapshot", "group", k.store.state.Group(),
		"index", k.meta.Index, "term", k.meta.Term, "bytes", k.bytes)
	return nil
}

// Cancel implements raft.SnapshotSink.
func (k *sink) Cancel() error {
	if k.closed || k.writer == nil {
		return nil
	}
	k.closed = true
	return k.writer.Abort()
}

func (k *sink) closeLocal() error {
	if applied := k.store.state.Applied().Index; applied < k.meta.Index {
		return fmt.Errorf("%w: %d, applied %d", ErrNotApplied, k.meta.Index, applied)
	}
	k.store.keepLocal(k.meta.ID)
	return nil
}

func (k *sink) check(a storage.Applied) error {
	if a.Index != k.meta.Index || a.Term != k.meta.Term || a.ConfigurationIndex != k.meta.ConfigurationIndex {
		return fmt.Errorf("%w: it is (%d, %d, %d), announced was (%d, %d, %d)", ErrMismatch, a.Index, a.Term,
			a.ConfigurationIndex, k.meta.Index, k.meta.Term, k.meta.ConfigurationIndex)
	}
	configuration, err := decodeConfiguration(a.Configuration)
	if err != nil {
		return err
	}
	if !bytes.Equal(raft.EncodeConfiguration(configuration), raft.EncodeConfiguration(k.meta.Configuration)) {
		return fmt.Errorf("%w: it has another configuration", ErrMismatch)
	}
	return nil
}
