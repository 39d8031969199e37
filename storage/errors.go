package storage

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

var (
	// ErrFailed says that the write-ahead log failed earlier; the store refuses all further writes.
	ErrFailed = errors.New("storage has failed")
	// ErrClosed says that the store was closed before the call.
	ErrClosed = errors.New("storage is closed")
	// ErrCorrupt says that the disk returned something that was never written.
	ErrCorrupt = errors.New("storage is corrupt")
	// ErrNotLogged says that the log of the group holds no entry at this index.
	ErrNotLogged = errors.New("no log entry at this index")
	// ErrLogGap says that a log write would have left a hole between the first and the last entry.
	ErrLogGap = errors.New("log entries must be contiguous")
	// ErrTooLarge says that a key or value is over MaxKeyBytes or MaxValueBytes.
	ErrTooLarge = errors.New("row is too large")
	// ErrBadStream says that a snapshot stream is truncated, damaged or of an unknown version.
	ErrBadStream = errors.New("bad snapshot stream")
	// ErrSuperseded says that a staged snapshot was discarded, committed, or replaced by a newer one.
	ErrSuperseded = errors.New("staged snapshot is gone")
)

// wrap says what was being done, and turns Pebble's word for corruption into ours.
func wrap(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, pebble.ErrCorruption):
		return fmt.Errorf("%s: %w: %w", doing, ErrCorrupt, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
