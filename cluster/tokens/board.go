package tokens

import (
	"sync"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Pusher carries a board's answers. Calls never block; an error means that the node
// was certainly not reached.
type Pusher interface {
	// PushPiece answers a reader.
	PushPiece(node string, piece *Piece) error
	// PushTook answers a write: the ring has everything up to end.
	PushTook(node string, source uint64, status Status, end uint64) error
	// Announce tells the sockets of the owner's client of a stream.
	Announce(owner fsm.Owner, id ID)
}

// Config is what a board works with.
type Config struct {
	Pusher Pusher
	// Holds tells whether a lease is in force.
	Holds func(command.LeaseID) bool
	// Owner is whose an event is; false when there is no such event.
	Owner func(command.EventID) (fsm.Owner, bool)
	Now   func() time.Time
}

// Stats are what a board has, and what it refused since it was made.
type Stats struct {
	Streams, Bytes, Readers int
	Refused                 uint64
}

// Board is the streams of one partition. It is safe for concurrent use.
type Board struct {
	config Config
	news   news

	mu struct {
		sync.Mutex

		leading bool
		streams map[ID]*stream
		byEvent map[command.EventID][]*stream
		// readers says for which stream a reader waits.
		readers map[readerKey]ID
		bytes   int
		refused uint64
		swept   time.Time
		// crowded is when no room could be made: that is not tried again at once.
		crowded time.Time
	}
}

// New returns a board that takes nothing until Lead.
func New(config Config) *Board {
	b := &Board{config: config}
	b.resetLocked()
	return b
}

// Lead begins with nothing.
func (b *Board) Lead() { b.reset(true) }

// Resign forgets everything.
func (b *Board) Resign() { b.reset(false) }

// Stats are the board's numbers now.
func (b *Board) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Stats{Streams: len(b.mu.streams), Bytes: b.mu.bytes, Readers: len(b.mu.readers), Refused: b.mu.refused}
}

// Tick learns what happened to the leases, and once a second forgets what was kept
// long enough.
func (b *Board) Tick(now time.Time) {
	b.mu.Lock()
	b.learnLocked()
	if now.Sub(b.mu.swept) < time.Second {
		b.mu.Unlock()
		return
	}
	b.mu.swept = now
	var old []*stream
	for _, s := range b.mu.streams {
		if now.Sub(s.touched) >= KeepTimeout {
			old = append(old, s)
		}
	}
	b.mu.Unlock()
	for _, s := range old {
		b.expire(s, now)
	}
}

func (b *Board) reset(leading bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.resetLocked()
	b.mu.leading = leading
}

func (b *Board) resetLocked() {
	b.mu.streams = make(map[ID]*stream)
	b.mu.byEvent = make(map[command.EventID][]*stream)
	b.mu.readers = make(map[readerKey]ID)
	b.mu.bytes = 0
	b.news.reset()
}

// addLocked makes a stream; nil when there is no room.
func (b *Board) addLocked(id ID) *stream {
	if len(b.mu.streams) >= MaxStreams && !b.evictLocked(nil) {
		b.mu.refused++
		return nil
	}
	s := &stream{id: id, waiting: make(map[readerKey]Want), touched: b.config.Now()}
	b.mu.streams[id] = s
	b.mu.byEvent[id.Event] = append(b.mu.byEvent[id.Event], s)
	b.news.watch(id.Event)
	return s
}

// removeLocked ends a stream: its readers are told.
func (b *Board) removeLocked(s *stream) {
	for key, w := range s.waiting {
		delete(b.mu.readers, key)
		_ = b.config.Pusher.PushPiece(key.node, &Piece{Reader: key.reader, Turn: w.Turn, Gone: true}) // Lost, the reader asks again.
	}
	delete(b.mu.streams, s.id)
	b.mu.bytes -= len(s.ring.data)
	var rest []*stream
	for _, other := range b.mu.byEvent[s.id.Event] {
		if other != s {
			rest = append(rest, other)
		}
	}
	if b.mu.byEvent[s.id.Event] = rest; len(rest) == 0 {
		delete(b.mu.byEvent, s.id.Event)
		b.news.unwatch(s.id.Event)
	}
}

// evictLocked removes the stream that ended first, but not one that is written just
// now; false when none has ended.
func (b *Board) evictLocked(but *stream) bool {
	now := b.config.Now()
	if now.Sub(b.mu.crowded) < crowdedTime {
		return false
	}
	var oldest *stream
	for _, s := range b.mu.streams {
		if s != but && (s.ended || s.lost) && (oldest == nil || s.touched.Before(oldest.touched)) {
			oldest = s
		}
	}
	if oldest == nil {
		b.mu.crowded = now
		return false
	}
	b.removeLocked(oldest)
	return true
}

// expire forgets a stream that nothing happened to, unless its job is still worked
// on, or somebody waits for it to begin.
func (b *Board) expire(s *stream, now time.Time) {
	b.mu.Lock()
	lease, over := s.lease, s.ended || s.lost
	b.mu.Unlock()
	working := !over && lease.Fence != 0 && b.config.Holds(lease)
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.mu.streams[s.id] != s || now.Sub(s.touched) < KeepTimeout || s.lease != lease:
	case working, !over && !s.begun() && len(s.waiting) > 0:
		s.touched = now
	default:
		b.removeLocked(s)
	}
}
