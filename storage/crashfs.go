package storage

import (
	"math/rand/v2"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// CrashFS is a file system in memory that can lose power. It is for tests, of
// this package and of those above it.
type CrashFS struct {
	memory *vfs.MemFS
}

// NewCrashFS returns an empty one.
func NewCrashFS() *CrashFS { return &CrashFS{memory: vfs.NewCrashableMem()} }

// FS returns what Options.FS takes.
func (c *CrashFS) FS() FS { return c.memory }

// Clone returns the files as a crash at this moment would leave them: whatever
// was synced, and each unsynced block with a chance of keepPercent. The original
// goes on as if nothing had happened. The same seed keeps the same blocks only if
// the files are the same.
func (c *CrashFS) Clone(keepPercent int, seed uint64) *CrashFS {
	return &CrashFS{memory: c.memory.CrashClone(vfs.CrashCloneCfg{
		UnsyncedDataPercent: keepPercent,
		RNG:                 rand.New(rand.NewPCG(seed, 0)), //nolint:gosec // A test wants the same crash again.
	})}
}
