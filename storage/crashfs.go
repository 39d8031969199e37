package storage

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// CrashFS is a file system in memory that can lose power. It is for tests, of
// this package and of those above it.
type CrashFS struct {
	memory *vfs.MemFS

	slow struct {
		sync.Mutex

		by func() time.Duration // nil for not
		// under is how many syncs are under way that take their time; idle is closed
		// when there are none.
		under int
		idle  chan struct{}
	}
}

// NewCrashFS returns an empty one.
func NewCrashFS() *CrashFS { return &CrashFS{memory: vfs.NewCrashableMem()} }

// FS returns what Options.FS takes.
func (c *CrashFS) FS() FS { return &slowFS{FS: c.memory, disk: c} }

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

// Slow has each sync of the write-ahead log take as long as by says when it
// begins; nil ends that, and waits for those under way. A writer of a snapshot, an
// opening and a closing of the store wait for a sync with locks held. In a
// testing/synctest bubble, where the time stands still while somebody waits for a
// lock, the disk must not be slow meanwhile; nor may more than a few memtables be
// filled.
func (c *CrashFS) Slow(by func() time.Duration) {
	c.slow.Lock()
	c.slow.by = by
	idle := c.slow.idle
	c.slow.Unlock()
	if by == nil && idle != nil {
		<-idle
	}
}

// slowSyncBytes is how much of a log file is written with slow syncs: near its
// end a sync may be waited for by whoever begins the next file.
const slowSyncBytes = 64 << 10

// sync passes the time of one sync.
func (c *CrashFS) sync(written int) {
	c.slow.Lock()
	if c.slow.by == nil || written > slowSyncBytes {
		c.slow.Unlock()
		return
	}
	if c.slow.under++; c.slow.under == 1 {
		c.slow.idle = make(chan struct{})
	}
	d := c.slow.by()
	c.slow.Unlock()
	time.Sleep(d)
	c.slow.Lock()
	defer c.slow.Unlock()
	if c.slow.under--; c.slow.under == 0 {
		close(c.slow.idle)
		c.slow.idle = nil
	}
}

// slowFS hands out write-ahead logs whose syncs take their time.
type slowFS struct {
	vfs.FS

	disk *CrashFS
}

// Create implements vfs.FS.
func (f *slowFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.opened(name, file, err)
}

// ReuseForWrite implements vfs.FS.
func (f *slowFS) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldName, newName, category)
	return f.opened(newName, file, err)
}

// Unwrap implements vfs.FS.
func (f *slowFS) Unwrap() vfs.FS { return f.FS }

func (f *slowFS) opened(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil || !strings.HasSuffix(name, walSuffix) {
		return file, err
	}
	return &slowFile{File: file, disk: f.disk}, nil
}

type slowFile struct {
	vfs.File

	disk    *CrashFS
	written int // by Pebble's log writer, which has one goroutine
}

// Write implements vfs.File.
func (f *slowFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written += n
	return n, err
}

// Sync implements vfs.File.
func (f *slowFile) Sync() error {
	f.disk.sync(f.written)
	return f.File.Sync()
}

// SyncData implements vfs.File.
func (f *slowFile) SyncData() error {
	f.disk.sync(f.written)
	return f.File.SyncData()
}
