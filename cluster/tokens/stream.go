package tokens

import (
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// ID names a stream: an event, and a name for the streams of one event beside its
// first, which has none.
type ID struct {
	Event command.EventID
	Name  string
}

// Write is a piece of a stream on its way from a worker's node.
type Write struct {
	Node   string
	Source uint64
	Lease  command.LeaseID
	// Tenant is whose job it must be, or the lease is lost to the writer; empty for
	// anybody's.
	Tenant string
	Name   string
	Kind   Kind
	// Offset is where Data begins, Base the first offset that the node can still
	// send: where the ring lacks what lies before it, that is lost.
	Offset, Base uint64
	Final        bool
	Data         []byte
}

// Status is what became of a write.
type Status byte

// The statuses.
const (
	// Taken: the ring has everything up to the end that the answer names, which may
	// be less or more than was written.
	Taken Status = iota + 1
	// Lost: the lease is not in force; nothing more of it is taken.
	Lost
	// Full: there is no room for one more stream.
	Full
	// Occupied: workers of another group write this stream.
	Occupied
)

// Want is a reader's wish for what follows an offset.
type Want struct {
	Node   string
	Reader uint64
	// Turn comes back in the answer, so that the reader knows which want it is to.
	Turn uint64
	ID   ID
	// Fence is the grant whose bytes the reader has, 0 where it is not known;
	// Attempt is the attempt's number as the client remembers it, or 0.
	Fence   uint64
	Attempt uint32
	Offset  uint64
	// Done means that the reader has all of it: it waits for another attempt, or the
	// end.
	Done bool
	// Settled means that the event has come to its end: the reader is answered at
	// once, with nothing if need be, or that nobody keeps the stream.
	Settled bool
}

// Piece answers a Want.
type Piece struct {
	Reader  uint64
	Turn    uint64
	Fence   uint64
	Attempt uint32
	Offset  uint64
	Kind    Kind
	Final   bool
	// Gone means that the stream is not kept, or not any more; the rest is empty.
	Gone          bool
	CorrelationID string
	Data          []byte
}

// readerKey names a reader.
type readerKey struct {
	node   string
	reader uint64
}

// stream is one stream and those who wait for it.
type stream struct {
	id    ID
	owner fsm.Owner
	// lease is the grant that writes, zero before the first; lost means that it is
	// not in force any more, ended that its worker ended it.
	lease       command.LeaseID
	lost, ended bool
	ring        ring
	kind        Kind
	final       bool
	waiting     map[readerKey]Want
	// touched is when something last happened, announced when the client's sockets
	// were last told.
	touched, announced time.Time
}

func (s *stream) begun() bool { return s.lease.Fence != 0 }

// begin makes the stream that of another grant.
func (s *stream) begin(lease command.LeaseID) {
	s.lease, s.lost, s.ended, s.final = lease, false, false, false
	s.ring.restart(0)
}

// answer is the piece that a want is answered with now; false when it has to wait.
func (s *stream) answer(w *Want) (Piece, bool) {
	if !s.begun() {
		return Piece{}, false
	}
	p := Piece{
		Reader: w.Reader, Turn: w.Turn, Fence: s.lease.Fence, Attempt: s.lease.Attempt, Kind: s.kind, CorrelationID: s.owner.CorrelationID,
	}
	offset := w.Offset
	other := s.writtenByAnother(w)
	switch {
	case other:
		offset = s.ring.base
	case w.Done || offset > s.ring.end():
		return Piece{}, false // A new leader's ring is filled again.
	}
	p.Offset, p.Data = s.ring.from(offset, MaxPieceBytes, s.kind, !s.final)
	p.Final = s.final && p.Offset+uint64(len(p.Data)) == s.ring.end()
	return p, other || len(p.Data) > 0 || p.Final || w.Settled
}

// writtenByAnother tells whether what the reader has is not of the grant that writes.
// Who does not know the attempt, and has more than there is, has another's.
func (s *stream) writtenByAnother(w *Want) bool {
	switch {
	case w.Fence != 0:
		return w.Fence != s.lease.Fence
	case w.Attempt != 0:
		return w.Attempt != s.lease.Attempt
	default:
		return w.Offset > s.ring.end()
	}
}
