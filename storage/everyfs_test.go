package storage

import (
	"github.com/cockroachdb/pebble/v2/vfs"
)

// everyFS calls hook before each operation that changes what a crash would leave,
// on whatever file.
type everyFS struct {
	vfs.FS

	hook func(operation string)
}

func (f *everyFS) Unwrap() vfs.FS { return f.FS }

func (f *everyFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.hook("create")
	return f.wrap(f.FS.Create(name, c))
}

func (f *everyFS) ReuseForWrite(o, n string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f.hook("reuse")
	return f.wrap(f.FS.ReuseForWrite(o, n, c))
}

func (f *everyFS) OpenDir(name string) (vfs.File, error) { return f.wrap(f.FS.OpenDir(name)) }

func (f *everyFS) Link(o, n string) error {
	f.hook("link")
	return f.FS.Link(o, n)
}

func (f *everyFS) Rename(o, n string) error {
	f.hook("rename")
	return f.FS.Rename(o, n)
}

func (f *everyFS) Remove(name string) error {
	f.hook("remove")
	return f.FS.Remove(name)
}

func (f *everyFS) wrap(file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &everyFile{File: file, hook: f.hook}, nil
}

type everyFile struct {
	vfs.File

	hook func(operation string)
}

func (f *everyFile) Write(p []byte) (int, error) {
	f.hook("write")
	return f.File.Write(p)
}

func (f *everyFile) WriteAt(p []byte, at int64) (int, error) {
	f.hook("write")
	return f.File.WriteAt(p, at)
}

func (f *everyFile) Sync() error {
	f.hook("sync")
	return f.File.Sync()
}

func (f *everyFile) SyncData() error {
	f.hook("sync")
	return f.File.SyncData()
}

func (f *everyFile) SyncTo(length int64) (bool, error) {
	f.hook("sync")
	return f.File.SyncTo(length)
}
