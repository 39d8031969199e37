package cluster

import (
	"sync"
	"time"

	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm/command"
)

const (
	// ChunkInterval is how long a worker's chunks gather; the first is sent at once.
	ChunkInterval = 25 * time.Millisecond
	// MaxTailBytes is how much of a stream the worker's node keeps, to say it again to
	// another leader.
	MaxTailBytes = 128 << 10
	// sayAgain is after how long a piece is sent again that nobody answered, and
	// closingTime how long a stream that was closed may take to be sent.
	sayAgain    = time.Second
	closingTime = AnswerTimeout
)

// source carries what one worker writes of one stream to the partition's leader:
// one piece at a time, each answered, with whatever gathered meanwhile. A worker is
// never held up: what the tail cannot keep is lost to readers.
type source struct {
	id      uint64
	lease   command.LeaseID
	name    string
	tenant  string // whose job it must be, empty for anybody's
	cluster *Cluster

	mu struct {
		sync.Mutex

		kind tokens.Kind
		// tail is the last bytes written, base where they begin; sent is up to where
		// they are on their way.
		base, sent uint64
		tail       []byte
		// final ends the stream, finalSent means that this is on its way.
		final, finalSent bool
		generation       uint64
		// waiting means that a piece is not answered yet; at is when it was sent.
		waiting bool
		at      time.Time
		timer   *time.Timer
		begun   bool
		// dead means that nobody takes it, closed that its worker is through with it.
		dead, closed bool
		closedAt     time.Time
	}
}

// WriteTokens opens a worker's end of a token stream. Where a tenant is named, another's
// lease is lost.
func (c *Cluster) WriteTokens(lease command.LeaseID, name, tenant string) TokenWriter {
	s := &source{id: c.nextID.Add(1), lease: lease, name: name, tenant: tenant, cluster: c}
	c.tokens.add(s)
	if l := c.laneOf(s.partition()); l != nil {
		_, generation, _ := l.current()
		s.register(generation)
	}
	return s
}

// Write implements TokenWriter.
func (s *source) Write(offset uint64, kind TokenKind, data []byte, final bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.dead || s.mu.closed {
		return false
	}
	if s.mu.kind == 0 {
		s.mu.kind = kind
	}
	end := s.mu.base + uint64(len(s.mu.tail))
	switch {
	case s.mu.final:
		return true
	case !s.mu.begun, offset > end:
		s.mu.base, s.mu.sent, s.mu.tail = offset, offset, s.mu.tail[:0]
	case offset+uint64(len(data)) <= end:
		data = nil
	default:
		data = data[end-offset:]
	}
	s.mu.begun, s.mu.final = true, final
	s.keepLocked(data)
	s.sendLocked(false)
	return true
}

// Close implements TokenWriter.
func (s *source) Close(final bool) {
	s.mu.Lock()
	s.mu.closed, s.mu.closedAt = true, time.Now()
	s.mu.final = s.mu.final || final && s.mu.begun
	s.sendLocked(true)
	over := s.overLocked()
	s.mu.Unlock()
	if over {
		s.end()
	}
}

func (s *source) partition() uint32 { return uint32(s.lease.Event.Partition) }

// keepLocked adds to the tail. What it has no room for any more is forgotten, sent or
// not: half of the tail, so that not every write moves the rest.
func (s *source) keepLocked(data []byte) {
	s.mu.tail = append(s.mu.tail, data...)
	if over := len(s.mu.tail) - MaxTailBytes; over > 0 {
		forgotten := min(max(over, MaxTailBytes/2), len(s.mu.tail))
		s.mu.tail = s.mu.tail[:copy(s.mu.tail, s.mu.tail[forgotten:])]
		s.mu.base += uint64(forgotten)
		s.mu.sent = max(s.mu.sent, s.mu.base)
	}
}

// overLocked tells whether nothing is left to be done.
func (s *source) overLocked() bool {
	left := s.mu.sent < s.mu.base+uint64(len(s.mu.tail)) || s.mu.final && !s.mu.finalSent
	return s.mu.closed && (s.mu.dead || !s.mu.waiting && !left || time.Since(s.mu.closedAt) > closingTime)
}

func (s *source) end() {
	s.cluster.tokens.removeSource(s.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mu.dead, s.mu.tail = true, nil
	if s.mu.timer != nil {
		s.mu.timer.Stop()
	}
}

// sendLocked sends a piece, if there is one, none is on its way, and the last one is
// ChunkInterval ago, or it is urgent; else it sees to it that it is sent then.
//
//nolint:revive // The flag says when.
func (s *source) sendLocked(urgent bool) {
	left := s.mu.sent < s.mu.base+uint64(len(s.mu.tail)) || s.mu.final && !s.mu.finalSent
	if s.mu.dead || !left || s.mu.waiting || s.mu.generation == 0 {
		return
	}
	if rest := ChunkInterval - time.Since(s.mu.at); rest > 0 && !urgent {
		s.laterLocked(rest)
		return
	}
	data := s.mu.tail[s.mu.sent-s.mu.base:]
	data = data[:min(len(data), tokens.MaxPieceBytes)]
	end := s.mu.sent + uint64(len(data))
	w := tokens.Write{
		Source: s.id, Lease: s.lease, Tenant: s.tenant, Name: s.name, Kind: s.mu.kind, Offset: s.mu.sent, Base: s.mu.base, Data: data,
		Final: s.mu.final && end == s.mu.base+uint64(len(s.mu.tail)),
	}
	s.mu.waiting, s.mu.at = true, time.Now()
	frame := appendWrite(appendFrame(nil, frameWrite, s.partition()+1, s.mu.generation), &w)
	if s.cluster.tellChunk(s.partition()+1, s.mu.generation, frame) == nil {
		s.mu.sent, s.mu.finalSent = end, w.Final
	}
	s.laterLocked(sayAgain)
}

// laterLocked wakes the source after a while.
func (s *source) laterLocked(after time.Duration) {
	if s.mu.timer == nil {
		s.mu.timer = time.AfterFunc(after, s.wake)
		return
	}
	s.mu.timer.Reset(after)
}

// wake sends what gathered, or again what nobody answered.
func (s *source) wake() {
	s.mu.Lock()
	if s.mu.waiting && time.Since(s.mu.at) >= sayAgain {
		s.rewindLocked()
	}
	s.sendLocked(s.mu.closed)
	over := s.overLocked()
	s.mu.Unlock()
	if over {
		s.end()
	}
}

// rewindLocked has everything that is kept sent again: the answer tells what of it
// the leader has.
func (s *source) rewindLocked() {
	s.mu.waiting, s.mu.finalSent, s.mu.sent = false, false, s.mu.base
}

// took takes the leader's answer: how far the stream is there.
func (s *source) took(f *frame) {
	how, end := tokens.Status(f.Byte()), f.Uint()
	s.mu.Lock()
	if f.Err() != nil || f.generation != s.mu.generation || !s.mu.waiting {
		s.mu.Unlock()
		return
	}
	s.mu.waiting = false
	if how == tokens.Taken {
		// Behind what was sent, something is missing there: it is sent again. Beyond it,
		// another node has sent what this worker says again.
		known := s.mu.base + uint64(len(s.mu.tail))
		if end < s.mu.sent {
			s.mu.finalSent = false
		}
		s.mu.sent = min(max(end, s.mu.base), known)
		s.sendLocked(s.mu.closed)
	} else {
		s.mu.dead, s.mu.tail = true, nil
	}
	over := s.overLocked() || s.mu.dead
	s.mu.Unlock()
	if over {
		s.end()
	}
}

// register says everything that is kept to a new leader, or again to one whose
// connection was lost.
func (s *source) register(generation uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if generation < s.mu.generation || generation == 0 {
		return
	}
	s.mu.generation = generation
	s.rewindLocked()
	s.sendLocked(true)
}
