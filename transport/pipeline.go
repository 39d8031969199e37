package transport

import (
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// pipeline is one raft.AppendPipeline. Raft sends from one goroutine, takes
// from Consumer in another, and stops taking after a rejected append, while it
// may still be sending: there the library's own pipeline blocks for ever
// (hashicorp/raft #611, #612). Here a rejected or failed append breaks the
// pipeline, and AppendEntries of a broken one returns at once.
//
// Invariant: complete, on the connection's reader, never blocks.
type pipeline struct {
	h    *handle
	conn *raftConn

	ready  chan raft.AppendFuture // in order of completion
	room   chan struct{}          // one slot: something was completed
	broken chan struct{}          // an append was rejected, or failed
	closed chan struct{}          // by Close

	mu struct {
		sync.Mutex

		err      error // why it is broken
		isClosed bool
		waiting  []*appendFuture // sent and not answered, oldest first
		bytes    int             // of the entries in waiting
		overflow []*appendFuture // answered, and did not fit into ready
	}
	pump sync.WaitGroup // moves overflow to ready
}

// appendFuture implements raft.AppendFuture.
type appendFuture struct {
	pipeline *pipeline
	pending  *pendingRequest
	start    time.Time
	args     *raft.AppendEntriesRequest
	resp     *raft.AppendEntriesResponse
	size     int
	finished chan struct{}
	err      error // written before finished is closed
}

var _ raft.AppendPipeline = (*pipeline)(nil)

func newPipeline(h *handle, c *raftConn) *pipeline {
	return &pipeline{
		h: h, conn: c,
		ready: make(chan raft.AppendFuture, MaxInFlight), room: make(chan struct{}, 1),
		broken: make(chan struct{}), closed: make(chan struct{}),
	}
}

// Error waits for the answer. It implements raft.Future.
func (f *appendFuture) Error() error {
	<-f.finished
	return f.err
}

// Start implements raft.AppendFuture.
func (f *appendFuture) Start() time.Time { return f.start }

// Request implements raft.AppendFuture.
func (f *appendFuture) Request() *raft.AppendEntriesRequest { return f.args }

// Response implements raft.AppendFuture.
func (f *appendFuture) Response() *raft.AppendEntriesResponse { return f.resp }

// AppendEntries implements raft.AppendPipeline. It blocks while MaxInFlight
// requests or MaxInFlightBytes are unanswered, never longer than the oldest of
// them may take. It may cut args.Entries, see handle.AppendEntries.
func (p *pipeline) AppendEntries(
	args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) (raft.AppendFuture, error) {
	cutEntries(args)
	p.h.holdCommit(args)
	size := appendSize(args)
	if size > MaxRaftFrame {
		return nil, fmt.Errorf("append of up to %d bytes: %w", size, ErrFrameTooLarge)
	}
	p.h.leads(args.Term)
	f := &appendFuture{
		pipeline: p, start: time.Now(), args: args, resp: resp, size: size, finished: make(chan struct{}),
	}
	f.pending = &pendingRequest{group: p.h.group, reply: resp, future: f}
	if err := p.admit(f); err != nil {
		return nil, err
	}
	err := p.conn.ask(f.pending, &request{
		kind: frameAppend, size: size,
		encode: func(b []byte) []byte { return appendAppend(b, args, p.h.t.config.Self) },
	})
	if err != nil {
		p.fail(err)
		return nil, err
	}
	return f, nil
}

// Consumer implements raft.AppendPipeline. It gives the answered appends only:
// the library counts every future it takes, failed or not, as a contact with
// the peer, which would prolong a leader's lease without one.
func (p *pipeline) Consumer() <-chan raft.AppendFuture { return p.ready }

// Close implements raft.AppendPipeline. What is unanswered fails.
func (p *pipeline) Close() error {
	p.mu.Lock()
	first := !p.mu.isClosed
	p.mu.isClosed = true
	p.mu.Unlock()
	if first {
		close(p.closed)
		p.fail(raft.ErrPipelineShutdown)
	}
	p.pump.Wait()
	return nil
}

// admit waits for room and enters f as sent.
func (p *pipeline) admit(f *appendFuture) error {
	for {
		oldest, ok, err := p.enter(f)
		if ok || err != nil {
			return err
		}
		timer := time.NewTimer(time.Until(oldest.Add(AppendTimeout)))
		select {
		case <-p.room:
		case <-p.broken:
		case <-timer.C:
		case <-p.h.done:
			p.fail(ErrClosed)
		}
		timer.Stop()
	}
}

// enter fails when the oldest append is overdue. Raft sends at least once per
// CommitTimeout, so that nothing else needs to watch the clock.
func (p *pipeline) enter(f *appendFuture) (oldest time.Time, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.err != nil {
		return oldest, false, p.mu.err
	}
	if p.h.isClosed() {
		return oldest, false, ErrClosed
	}
	count := len(p.mu.waiting)
	if count > 0 {
		oldest = p.mu.waiting[0].start
		if time.Since(oldest) >= AppendTimeout {
			p.breakLocked(ErrTimeout)
			return oldest, false, p.mu.err
		}
	} else {
		oldest = time.Now() // Only overflow fills the pipeline: its consumer decides.
	}
	if count+len(p.mu.overflow) >= MaxInFlight || count > 0 && p.mu.bytes+f.size > MaxInFlightBytes {
		return oldest, false, nil
	}
	p.mu.waiting = append(p.mu.waiting, f)
	p.mu.bytes += f.size
	return oldest, true, nil
}

// complete is called once per future, by whoever removed it from the connection.
func (p *pipeline) complete(f *appendFuture, err error) {
	p.mu.Lock()
	p.leaveLocked(f)
	if p.mu.err != nil {
		err = p.mu.err
	}
	f.err = err
	close(f.finished)
	switch {
	case p.mu.err != nil:
	case err != nil:
		p.breakLocked(err)
	default:
		p.deliverLocked(f)
		if !f.resp.Success || f.resp.Term > f.args.Term {
			p.breakLocked(fmt.Errorf("append rejected: %w", ErrPipelineBroken))
		}
	}
	p.mu.Unlock()
	p.signal()
}

func (p *pipeline) signal() {
	select {
	case p.room <- struct{}{}:
	default:
	}
}

func (p *pipeline) leaveLocked(f *appendFuture) {
	for i, waiting := range p.mu.waiting {
		if waiting == f {
			p.mu.waiting = append(p.mu.waiting[:i], p.mu.waiting[i+1:]...)
			p.mu.bytes -= f.size
			return
		}
	}
}

// deliverLocked keeps the order: once one has overflowed, all go that way.
func (p *pipeline) deliverLocked(f *appendFuture) {
	if len(p.mu.overflow) == 0 {
		select {
		case p.ready <- f:
			return
		default:
			p.pump.Go(p.drain)
		}
	}
	p.mu.overflow = append(p.mu.overflow, f)
}

// drain runs while there is overflow. It is also how the rejected append comes
// after those before it, so it goes on when the pipeline breaks.
func (p *pipeline) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.mu.overflow) > 0 {
		first := p.mu.overflow[0]
		p.mu.Unlock()
		delivered := false
		select {
		case p.ready <- first:
			delivered = true
		case <-p.closed:
		case <-p.h.t.life.Done():
		}
		p.mu.Lock()
		if !delivered {
			p.mu.overflow = nil
			return
		}
		p.mu.overflow = p.mu.overflow[1:]
		p.signal()
	}
}

// fail breaks the pipeline and fails what is unanswered.
func (p *pipeline) fail(err error) {
	p.mu.Lock()
	p.breakLocked(err)
	waiting := append([]*appendFuture(nil), p.mu.waiting...)
	p.mu.Unlock()
	for _, f := range waiting {
		if p.conn.forget(f.pending) {
			p.complete(f, err)
		}
	}
}

func (p *pipeline) breakLocked(err error) {
	if p.mu.err == nil {
		p.mu.err = err
		close(p.broken)
	}
}
