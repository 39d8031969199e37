package storage

import (
	"log/slog"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/batonmq/baton/internal/invariants"
)

const (
	// DefaultCacheBytes is what the block cache has beside the memtables when Options names nothing.
	DefaultCacheBytes = 64 << 20
	// DefaultMemTableBytes is the size of one memtable when Options names none.
	DefaultMemTableBytes = 32 << 20
	// MaxKeyBytes bounds a logical key, so that a snapshot stream's reader can bound its memory.
	MaxKeyBytes = 64 << 10
	// MaxValueBytes bounds the value of a state row, for the same reason.
	MaxValueBytes = 64 << 20
	// MaxConfigurationBytes bounds an encoded Raft configuration.
	MaxConfigurationBytes = 1 << 20
)

// FS is the file system seam. NewCrashFS makes one that can lose power.
type FS = vfs.FS

// Options configures Open. The zero value is a store on the disk with default sizes.
type Options struct {
	// FS is where the files live; nil means the disk.
	FS FS
	// CacheBytes is what the block cache may take beside the memtables, of which
	// there are up to four; 0 means DefaultCacheBytes.
	CacheBytes int64
	// MemTableBytes is the size of one memtable; 0 means DefaultMemTableBytes.
	MemTableBytes int64
	// Logger receives the engine's events; nil means none are logged.
	Logger *slog.Logger
	// OnFatal is called once, on a goroutine of its own, when a write or sync of
	// the write-ahead log or manifest has failed. It should end the process. If it
	// returns, every further write returns ErrFailed. Nil means invariants.Failf,
	// which on that goroutine ends the process too.
	OnFatal func(error)
}

func (o Options) withDefaults() Options {
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = DefaultMemTableBytes
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.OnFatal == nil {
		o.OnFatal = func(err error) {
			invariants.Failf("an acknowledged write stays written: %v", err)
		}
	}
	return o
}
