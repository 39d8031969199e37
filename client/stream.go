package client

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// stream is the client's notifications between the socket and Listen. The queue
// is of the current socket: when that is lost, the queue is, and the next socket
// begins again behind the last notification that was handled. So nothing is
// kept that the node would not send again, and what comes twice is known by its
// number.
type stream struct {
	initial  Resume
	ackDelay time.Duration
	wake     chan struct{} // room for one

	mu        sync.Mutex // guards the rest; before outbox.mu
	session   *session
	ready     bool // the session was told that somebody listens
	items     []item
	listening bool
	closed    error

	// Where the stream stands: everything up to position of epoch is handled.
	known    bool
	epoch    string
	position uint64
	acked    uint64 // of epoch
	pending  int    // acknowledgements that nobody was nudged for
	timer    *time.Timer
}

// item is one of notification, gap and synced.
type item struct {
	session      *session
	seq          uint64 // the stream is at seq once the item is handled
	notification *Notification
	gap          *Gap
}

func newStream(o *Options) *stream {
	return &stream{initial: o.Resume, ackDelay: o.AckDelay, wake: make(chan struct{}, 1)}
}

// resume is where the next session is to begin.
func (s *stream) resume() wire.Resume {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known {
		return wire.Resume{Kind: wire.ResumeAfter, Epoch: []byte(s.epoch), Seq: s.position}
	}
	return s.initial.fields()
}

// fields are the resume as the protocol has it.
func (r Resume) fields() wire.Resume {
	switch {
	case r.live:
		return wire.Resume{Kind: wire.ResumeLive}
	case r.epoch != "":
		return wire.Resume{Kind: wire.ResumeAfter, Epoch: []byte(r.epoch), Seq: r.seq}
	default:
		return wire.Resume{}
	}
}

func (s *stream) attach(next *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session, s.ready, s.items = next, false, nil
	if s.initial.live && !s.known {
		// What comes after this moment counts, on the next socket too.
		s.known, s.epoch, s.position = true, next.epoch, next.seq
	}
	if s.acked > 0 && s.epoch == next.epoch {
		next.out.acknowledge(s.acked)
	}
	s.sayReady()
}

func (s *stream) detach() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session, s.items = nil, nil
}

// sayReady lets the node deliver, once somebody listens.
func (s *stream) sayReady() {
	if s.session != nil && s.listening && !s.ready {
		s.ready = true
		s.session.out.add(wire.AppendReady(s.session.out.blank(), &wire.Ready{}))
	}
}

// listen begins a Listen.
func (s *stream) listen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed != nil:
		return s.closed
	case s.listening:
		return ErrListening
	}
	s.listening = true
	s.sayReady()
	return nil
}

func (s *stream) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listening = false
}

func (s *stream) close(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = err
	if s.timer != nil {
		s.timer.Stop()
	}
	s.signal()
}

func (s *stream) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// receive queues what the node sent; it runs on the reading goroutine.
func (s *stream) receive(m *wire.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session == nil {
		return
	}
	i := item{session: s.session}
	switch m.Type { //nolint:exhaustive // nothing else comes here
	case wire.TypeNotify:
		i.seq, i.notification = m.Notify.Seq, notificationOf(&m.Notify)
	case wire.TypeGap:
		i.seq, i.gap = m.Gap.To, &Gap{From: m.Gap.From, To: m.Gap.To, Reason: m.Gap.Reason.String()}
	case wire.TypeSynced:
		i.seq = m.Synced.Seq
	}
	if len(s.items) > 2*s.session.window+64 {
		s.session.end(fmt.Errorf("client: %s sends more notifications than the window allows", s.session.url))
		return
	}
	s.items = append(s.items, i)
	s.signal()
}

// next waits for the next item that was not handled. The item stays in the
// queue until done.
func (s *stream) next(ctx context.Context) (item, error) {
	for {
		s.mu.Lock()
		for len(s.items) > 0 && s.handled(&s.items[0]) {
			s.items = s.items[1:]
		}
		if len(s.items) > 0 && s.closed == nil {
			i := s.items[0]
			s.mu.Unlock()
			return i, ctx.Err()
		}
		closed := s.closed
		s.mu.Unlock()
		if closed != nil {
			return item{}, closed
		}
		select {
		case <-s.wake:
		case <-ctx.Done():
			return item{}, ctx.Err()
		}
	}
}

// handled tells whether a notification came before, over another socket.
func (s *stream) handled(i *item) bool {
	return i.notification != nil && s.known && i.session.epoch == s.epoch && i.seq <= s.position
}

// done takes a handled item off the queue.
func (s *stream) done(i *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.items) > 0 && i.session == s.session {
		s.items = s.items[1:]
	}
	switch {
	case i.gap != nil && i.gap.Reason == wire.GapEpoch.String():
		// The numbers begin anew; what the gap names is of the old ones.
	case !s.known:
		s.known, s.epoch, s.position = true, i.session.epoch, i.seq
	case s.epoch != i.session.epoch:
		s.epoch, s.position, s.acked = i.session.epoch, i.seq, 0
	default:
		s.position = max(s.position, i.seq)
	}
}

// ackShare: this part of the window is acknowledged without waiting for more.
const ackShare = 4

// ack acknowledges everything up to seq of the epoch.
func (s *stream) ack(epoch string, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.epoch != epoch && s.known {
		return // of a stream that is no more
	}
	s.acked = max(s.acked, seq)
	if s.session == nil || s.session.epoch != epoch {
		return // The next session is told.
	}
	s.session.out.acknowledge(s.acked)
	s.pending++
	switch {
	case s.ackDelay < 0 || s.pending >= max(s.session.window/ackShare, 1):
		s.pending = 0
		s.session.out.nudge()
	case s.pending > 1:
	case s.timer == nil:
		s.timer = time.AfterFunc(s.ackDelay, s.flush)
	default:
		s.timer.Reset(s.ackDelay)
	}
}

// flush is the timer's: what waited has waited long enough.
func (s *stream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = 0
	if s.session != nil {
		s.session.out.nudge()
	}
}
