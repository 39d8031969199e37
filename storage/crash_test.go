package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// hookFS calls hook around every write and sync of a log or manifest file.
type hookFS struct {
	vfs.FS

	hook func(operation, name string) error
}

func (f *hookFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file), err
}

func (f *hookFS) ReuseForWrite(o, n string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(o, n, c)
	return f.wrap(n, file), err
}

func (f *hookFS) Unwrap() vfs.FS { return f.FS }

func (f *hookFS) wrap(name string, file vfs.File) vfs.File {
	if file == nil || !strings.HasSuffix(name, ".log") {
		return file
	}
	return &hookFile{File: file, fs: f, name: name}
}

type hookFile struct {
	vfs.File

	fs   *hookFS
	name string
}

func (f *hookFile) Write(p []byte) (int, error) {
	if err := f.fs.hook("write", f.name); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *hookFile) Sync() error { return errors.Join(f.fs.hook("sync", f.name), f.File.Sync()) }

func (f *hookFile) SyncData() error {
	return errors.Join(f.fs.hook("sync", f.name), f.File.SyncData())
}

// crashPoint is a disk as some crash left it, and what had been promised by then.
type crashPoint struct {
	fs       *CrashFS
	promised uint64
	keep     int
}

// crasher collects crash points at the disk's own operations.
type crasher struct {
	fs       *CrashFS
	every    int
	promised atomic.Uint64

	mu     sync.Mutex
	count  int
	points []crashPoint
}

func (c *crasher) hook(string, string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	if c.count%c.every != 0 {
		return nil
	}
	keep := []int{0, 30, 70, 100}[len(c.points)%4]
	promised := c.promised.Load()
	c.points = append(c.points, crashPoint{c.fs.Clone(keep, uint64(c.count)), promised, keep})
	return nil
}

func (c *crasher) open(t *testing.T, dirFS FS) *Store {
	t.Helper()
	return must(Open("data", Options{
		FS: &hookFS{FS: dirFS, hook: c.hook}, CacheBytes: 1 << 20, MemTableBytes: 64 << 10,
		OnFatal: func(err error) { t.Error(err) },
	}))
}

// TestCrashKeepsPromises appends, applies and truncates as raft does, and loses
// power at many operations of the disk.
func TestCrashKeepsPromises(t *testing.T) {
	const entries = 400
	c := &crasher{fs: NewCrashFS(), every: 7}
	s := c.open(t, c.fs.FS())
	st, log := must(s.OpenState(1)), must(s.Log(1))
	rng := rand.New(rand.NewPCG(1, 2))
	for next := uint64(1); next <= entries; {
		last := min(next+uint64(rng.IntN(8)), entries)
		check(t, log.AppendSynced(logRows(next, last, strings.Repeat("x", rng.IntN(2000)))))
		c.promised.Store(last)
		tx := st.Begin()
		for i := next; i <= last; i++ {
			apply(tx, i, []change{{opSet, fmt.Sprintf("k%02d", i%17), fmt.Sprint(i)}})
		}
		check(t, tx.Commit())
		next = last + 1
		if first, _ := log.Bounds(); rng.IntN(10) == 0 && first+20 < last {
			check(t, log.DeleteRange(first, last-20))
		}
	}
	closeTest(t, s)
	for i, point := range c.points {
		t.Run(fmt.Sprintf("%d-keep%d", i, point.keep), func(t *testing.T) { checkCrashPoint(t, point) })
	}
	if len(c.points) < 20 {
		t.Fatalf("only %d crash points", len(c.points))
	}
}

func checkCrashPoint(t *testing.T, point crashPoint) {
	t.Helper()
	s := openTest(t, point.fs)
	defer closeTest(t, s)
	st, log := must(s.OpenState(1)), must(s.Log(1))
	first, last := log.Bounds()
	applied := st.Applied().Index
	if last < point.promised {
		t.Fatalf("the log ends at %d, promised was %d", last, point.promised)
	}
	if applied > last || (first > 0 && applied+1 < first) {
		t.Fatalf("applied %d outside the log %d..%d", applied, first, last)
	}
	for i := first; i != 0 && i <= last; i++ {
		if row, err := log.Get(i); err != nil || !bytes.HasSuffix(row, fmt.Appendf(nil, "-%d", i)) {
			t.Fatalf("entry %d: %.40q %v", i, row, err)
		}
	}
	rows := map[string]string{}
	for i := uint64(1); i <= applied; i++ {
		rows[fmt.Sprintf("k%02d", i%17)] = fmt.Sprint(i)
	}
	if got, want := dump(t, st), render(rows, "", "~"); got != want {
		t.Fatalf("the state at %d is %q, not %q", applied, got, want)
	}
	// It goes on from there.
	check(t, log.AppendSynced(logRows(last+1, last+1, "after")))
}

// TestCrashDuringInstall loses power throughout an installation: afterwards the
// state is the old or the new one, whole, and nothing else is left.
func TestCrashDuringInstall(t *testing.T) {
	source := openTest(t, NewCrashFS())
	defer closeTest(t, source)
	big := must(source.OpenState(1))
	for i := range uint64(40) {
		put(t, big, 1000+i, fmt.Sprintf("new%03d", i), strings.Repeat("n", 20000))
	}
	view := big.View()
	defer closeTest(t, view)
	var stream bytes.Buffer
	_ = must(view.WriteTo(&stream))
	newDigest := must(view.Digest())

	c := &crasher{fs: NewCrashFS(), every: 1}
	s := c.open(t, c.fs.FS())
	st, log := must(s.OpenState(1)), must(s.Log(1))
	check(t, log.AppendSynced(logRows(1, 5, "old")))
	put(t, st, 3, "old", "state")
	check(t, s.SetLocal("synced", nil)) // The old state is durable from here on.
	old := st.View()
	oldDigest := must(old.Digest())
	closeTest(t, old)
	c.mu.Lock()
	c.points = nil
	c.mu.Unlock()

	staged := must(st.Stage(&stream))
	if got := st.Applied().Index; got != 3 {
		t.Fatalf("a staged snapshot is visible: applied %d", got)
	}
	for _, keep := range []int{0, 30, 70, 100} {
		c.points = append(c.points, crashPoint{c.fs.Clone(keep, 1), 0, keep})
	}
	check(t, staged.Commit())
	for _, keep := range []int{0, 30, 70, 100} {
		c.points = append(c.points, crashPoint{c.fs.Clone(keep, 1), 1039, keep})
	}
	closeTest(t, s)
	sides := map[uint64]int{}
	for i, point := range c.points {
		t.Run(fmt.Sprintf("%d-keep%d", i, point.keep), func(t *testing.T) {
			sides[checkInstallPoint(t, point, oldDigest, newDigest)]++
		})
	}
	if sides[3] < 4 || sides[1039] < 4 {
		t.Fatalf("crash points on one side only: %v", sides)
	}
}

func checkInstallPoint(t *testing.T, point crashPoint, oldDigest, newDigest uint64) uint64 {
	t.Helper()
	s := openTest(t, point.fs)
	defer closeTest(t, s)
	st, log := must(s.OpenState(1)), must(s.Log(1))
	v := st.View()
	defer closeTest(t, v)
	applied := st.Applied().Index
	first, last := log.Bounds()
	switch {
	case applied == 3 && point.promised == 0:
		if must(v.Digest()) != oldDigest || first != 1 || last != 5 {
			t.Fatalf("the old state is not whole; log %d..%d", first, last)
		}
	case applied == 1039:
		if must(v.Digest()) != newDigest || first != 0 || last != 0 {
			t.Fatalf("the new state is not whole; log %d..%d", first, last)
		}
	default:
		t.Fatalf("applied %d, promised %d", applied, point.promised)
	}
	for _, kind := range perEpoch() {
		kept := epochKey(kind, 1, st.Epoch())
		for _, bounds := range [...][2][]byte{{groupKey(kind, 1), kept}, {successor(kept), successor(groupKey(kind, 1))}} {
			if must(s.anyRow(bounds[0], bounds[1])) {
				t.Fatalf("rows of another epoch are left, kind %c", kind)
			}
		}
	}
	return applied
}

// TestFailedSyncStopsEverything injects one failing sync: OnFatal is called once,
// the caller is told, and nothing is accepted from then on.
func TestFailedSyncStopsEverything(t *testing.T) {
	for _, operation := range []string{"sync", "write"} {
		t.Run(operation, func(t *testing.T) {
			errDisk := errors.New("input/output error")
			var broken atomic.Bool
			fs := &hookFS{FS: NewCrashFS().FS(), hook: func(got, _ string) error {
				if broken.Load() && got == operation {
					return errDisk
				}
				return nil
			}}
			fatal := make(chan error, 2)
			s := must(Open("data", Options{FS: fs, OnFatal: func(err error) { fatal <- err }}))
			log, st := must(s.Log(1)), must(s.OpenState(1))
			check(t, log.AppendSynced(logRows(1, 1, "good")))
			broken.Store(true)
			if err := log.AppendSynced(logRows(2, 2, "bad")); !errors.Is(err, ErrFailed) {
				t.Fatalf("append returned %v", err)
			}
			broken.Store(false)
			if err := <-fatal; !errors.Is(err, ErrFailed) {
				t.Fatalf("OnFatal got %v", err)
			}
			if _, last := log.Bounds(); last != 1 {
				t.Fatalf("a failed append counts: last %d", last)
			}
			if err := log.AppendSynced(logRows(2, 2, "again")); !errors.Is(err, ErrFailed) {
				t.Fatalf("a second append returned %v", err)
			}
			tx := st.Begin()
			apply(tx, 1, nil)
			if err := tx.Commit(); !errors.Is(err, ErrFailed) {
				t.Fatalf("a commit returned %v", err)
			}
			if err := s.Close(); !errors.Is(err, ErrFailed) {
				t.Fatalf("close returned %v", err)
			}
			if len(fatal) != 0 {
				t.Fatal("OnFatal was called twice")
			}
		})
	}
}

// TestCrashesInARow loses power right after a start, before anything is synced,
// and again after the next start: Pebble takes an older log file for damaged that
// does not end cleanly, and an empty one is not out of the way yet.
func TestCrashesInARow(t *testing.T) {
	for seed := range uint64(40) {
		fs := NewCrashFS()
		for crash := range uint64(4) {
			s := openTest(t, fs)
			log := must(s.Log(1))
			_, last := log.Bounds()
			check(t, log.Append(logRows(last+1, last+1, strings.Repeat("x", 40_000))))
			if crash%2 == seed%2 {
				check(t, log.WaitDurable(last+1))
				check(t, log.Append(logRows(last+2, last+2, strings.Repeat("y", 40_000))))
			}
			crashed := fs.Clone([]int{0, 30, 70, 100}[(seed+crash)%4], seed*4+crash)
			check(t, s.Close())
			fs = crashed
		}
	}
}
