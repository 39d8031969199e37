package storage

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// Store is one Pebble with everything of one node in it. It is safe for
// concurrent use; Close must come after all other calls.
type Store struct {
	db      *pebble.DB
	onFatal func(error)
	wal     walWatch
	events  eventCounts

	// Set once, before OnFatal is called, and never cleared.
	failure  atomic.Pointer[error]
	failOnce sync.Once
	// A commit that panicked left Pebble's locks held; closing it would hang.
	wedged atomic.Bool
	closed atomic.Bool

	logs struct {
		mu      sync.Mutex
		byGroup map[uint32]*Log
	}
}

// Open opens the store in dir, and creates it when there is none.
func Open(dir string, o Options) (*Store, error) {
	o = o.withDefaults()
	s := &Store{onFatal: o.OnFatal}
	s.wal.started = time.Now()
	s.wal.fail = s.fail
	s.logs.byGroup = make(map[uint32]*Log)
	db, err := pebble.Open(dir, pebbleOptions(o, s))
	if err != nil {
		return nil, wrap("open storage in "+dir, err)
	}
	s.db = db
	return s, nil
}

// Close syncs the write-ahead log and closes the files. A second call returns
// ErrClosed; a failed store returns ErrFailed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return ErrClosed
	}
	if s.wedged.Load() {
		return s.failed()
	}
	err := wrap("close storage", s.db.Close())
	return errors.Join(s.failed(), err)
}

// WALStall says how long the write or sync of the write-ahead log that is under
// way has taken so far; 0 when there is none. A leader stops its heartbeats
// when it grows, and the node gives up when it grows further.
func (s *Store) WALStall() time.Duration { return s.wal.stall() }

// commit applies a batch, and waits for its sync when o asks for one.
func (s *Store) commit(b *pebble.Batch, o *pebble.WriteOptions) error {
	return s.guarded(func() error { return s.db.Apply(b, o) })
}

// begin applies a batch and begins its sync: Batch.SyncWait waits for it.
func (s *Store) begin(b *pebble.Batch) error {
	return s.guarded(func() error { return s.db.ApplyNoSyncWait(b, pebble.Sync) })
}

// guarded runs a write. Every write of this package goes through here.
func (s *Store) guarded(write func() error) (err error) {
	if err = s.usable(); err != nil {
		return err
	}
	defer func() {
		// Pebble panics when the write-ahead log refuses a record.
		if reason := recover(); reason != nil {
			s.wedged.Store(true)
			s.fail(fmt.Errorf("commit: %v", reason))
			err = s.failed()
		}
	}()
	if err = write(); err != nil {
		return wrap("commit", err)
	}
	// See engineLogger.Fatalf: a nil error alone is no proof of success.
	return s.failed()
}

// set writes one row and syncs it.
func (s *Store) set(key, value []byte) error {
	b := s.db.NewBatch()
	defer func() { _ = b.Close() }() // A batch holds no resource whose release can fail.
	if err := b.Set(key, value, nil); err != nil {
		return wrap("set", err)
	}
	return s.commit(b, pebble.Sync)
}

// get returns a copy of one row.
func (s *Store) get(key []byte) (value []byte, found bool, err error) {
	if s.closed.Load() {
		return nil, false, ErrClosed
	}
	return getCopy(s.db, key)
}

// fail records the first failure and tells the owner. It may be called from
// inside Pebble, hence the goroutine: the owner may do what it likes.
func (s *Store) fail(err error) {
	s.failOnce.Do(func() {
		err = fmt.Errorf("%w: %w", ErrFailed, err)
		s.failure.Store(&err)
		go s.onFatal(err)
	})
}

func (s *Store) failed() error {
	if err := s.failure.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *Store) usable() error {
	if s.closed.Load() {
		return ErrClosed
	}
	return s.failed()
}

// getCopy reads one row from a database or a snapshot of it.
func getCopy(r pebble.Reader, key []byte) (value []byte, found bool, err error) {
	found, err = getWith(r, key, func(v []byte) error {
		value = append([]byte{}, v...)
		return nil
	})
	return value, found, err
}

// getWith lends one row to use, which must not keep it.
func getWith(r pebble.Reader, key []byte, use func(value []byte) error) (found bool, err error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, wrap("get", err)
	}
	err = use(value)
	return true, errors.Join(err, closer.Close())
}
