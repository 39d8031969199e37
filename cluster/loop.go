package cluster

import (
	"sync"

	"github.com/batonmq/baton/transport"
)

// loop carries frames from this node to itself, in order, on a goroutine of
// its own: so that a sender under a lock never runs the receiver.
type loop struct {
	self    transport.NodeID
	handle  func(transport.NodeID, []byte)
	wake    chan struct{}
	stop    chan struct{}
	running sync.WaitGroup
	// limit bounds the bytes that wait, 0 for no bound.
	limit int

	mu struct {
		sync.Mutex

		frames []byte
		ends   []int
	}
}

func newLoop(self transport.NodeID, handle func(transport.NodeID, []byte)) *loop {
	l := &loop{self: self, handle: handle, wake: make(chan struct{}, 1), stop: make(chan struct{})}
	l.running.Add(1)
	go l.run()
	return l
}

// send is for frames that nobody drops: of a loop without a limit.
func (l *loop) send(frame []byte) { _ = l.offer(frame) }

// offer sends a frame, or returns transport.ErrLinkFull.
func (l *loop) offer(frame []byte) error {
	l.mu.Lock()
	if l.limit > 0 && len(l.mu.frames)+len(frame) > l.limit {
		l.mu.Unlock()
		return transport.ErrLinkFull
	}
	l.mu.frames = append(l.mu.frames, frame...)
	l.mu.ends = append(l.mu.ends, len(l.mu.frames))
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

func (l *loop) run() {
	defer l.running.Done()
	var frames []byte
	var ends []int
	for {
		select {
		case <-l.stop:
			return
		case <-l.wake:
		}
		l.mu.Lock()
		frames, l.mu.frames = l.mu.frames, frames[:0]
		ends, l.mu.ends = l.mu.ends, ends[:0]
		l.mu.Unlock()
		start := 0
		for _, end := range ends {
			l.handle(l.self, frames[start:end])
			start = end
		}
	}
}

func (l *loop) close() {
	close(l.stop)
	l.running.Wait()
}
