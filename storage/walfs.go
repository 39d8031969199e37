package storage

import (
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// markerPrefix begins the names of Pebble's markers, which say in their names what
// other file counts, as the manifest. Pebble creates that file, then the marker,
// and then syncs the directory: a crash in between may leave a marker of a file
// that is not there, and a store that cannot be opened any more. File systems
// that keep the order of such changes spare one that; POSIX does not promise it.
const markerPrefix = "marker."

// walSuffix ends the name of every write-ahead log file of Pebble.
const walSuffix = ".log"

// walWatch sees every write and sync of the write-ahead log where it happens.
// Pebble itself reports a failed background write only with a later commit,
// and a hung sync never.
type walWatch struct {
	fail    func(error)
	started time.Time
	// busySince is when the operation under way began, in nanoseconds after
	// started; 0 when there is none. Pebble's log writer has one goroutine.
	busySince atomic.Int64
}

func (w *walWatch) stall() time.Duration {
	since := w.busySince.Load()
	if since == 0 {
		return 0
	}
	return time.Since(w.started) - time.Duration(since)
}

func (w *walWatch) begin() {
	w.busySince.CompareAndSwap(0, max(1, int64(time.Since(w.started))))
}

func (w *walWatch) end(err error) {
	w.busySince.Store(0)
	if err != nil {
		w.fail(err)
	}
}

// watchedFS hands out watched files for the write-ahead log.
type watchedFS struct {
	vfs.FS

	watch *walWatch
	zeros []byte
}

func watchWAL(fs vfs.FS, s *Store) vfs.FS {
	return &watchedFS{FS: fs, watch: &s.wal, zeros: make([]byte, zeroAhead)}
}

// Create implements vfs.FS.
func (f *watchedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(f.PathBase(name), markerPrefix) {
		if err := f.syncDirectory(f.PathDir(name)); err != nil {
			return nil, err
		}
	}
	file, err := f.FS.Create(name, category)
	return f.opened(name, file, err, false)
}

// ReuseForWrite implements vfs.FS: Pebble recycles old log files with it.
func (f *watchedFS) ReuseForWrite(oldName, newName string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldName, newName, category)
	return f.opened(newName, file, err, true)
}

// Unwrap implements vfs.FS.
func (f *watchedFS) Unwrap() vfs.FS { return f.FS }

// syncDirectory makes durable which files there are.
func (f *watchedFS) syncDirectory(name string) error {
	directory, err := f.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

func (f *watchedFS) opened(name string, file vfs.File, err error, reused bool) (vfs.File, error) {
	if !strings.HasSuffix(name, walSuffix) {
		return file, err
	}
	if err != nil {
		f.watch.fail(err)
		return nil, err
	}
	return &watchedFile{File: file, watch: f.watch, zeros: f.zeros, reused: reused}, nil
}

// zeroAhead is how far a new write-ahead log file is filled with zeros ahead of
// what is written. A sync that makes a file longer writes its inode too and
// takes twice as long as one that overwrites; this way one in many does. Pebble
// reads a log up to the first chunk that is not one, as it must for the files
// that it reuses, which are long enough already. It begins after the first sync:
// a file that holds zeros holds a record, too.
const zeroAhead = 256 << 10

type watchedFile struct {
	vfs.File

	watch  *walWatch
	zeros  []byte // shared by all files
	reused bool
	synced bool
	// written and filled are offsets; Pebble's log writer has one goroutine.
	written, filled int64
}

// Write implements vfs.File.
func (f *watchedFile) Write(p []byte) (int, error) {
	f.watch.begin()
	n, err := f.File.Write(p)
	f.written += int64(n)
	if err == nil && f.synced && !f.reused && f.written > f.filled {
		if _, err = f.WriteAt(f.zeros, f.written); err == nil {
			f.filled = f.written + zeroAhead
		}
	}
	f.watch.end(err)
	return n, err
}

// Sync implements vfs.File.
func (f *watchedFile) Sync() error {
	f.watch.begin()
	err := f.File.Sync()
	f.watch.end(err)
	return err
}

// SyncData implements vfs.File.
func (f *watchedFile) SyncData() error {
	f.watch.begin()
	err := f.File.SyncData()
	f.synced = f.synced || err == nil && f.written > 0
	f.watch.end(err)
	return err
}

// SyncTo implements vfs.File.
func (f *watchedFile) SyncTo(length int64) (fullSync bool, err error) {
	f.watch.begin()
	fullSync, err = f.File.SyncTo(length)
	f.watch.end(err)
	return fullSync, err
}
