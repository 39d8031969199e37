package gateway

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const hasEpoll = true

// poller watches sockets with one epoll, which is itself watched by Go's: one parked
// goroutine waits for all of them, and no thread. It lends a goroutine to a
// connection whose socket has something, and never runs a handler itself.
//
// Sockets are registered once, edge-triggered, for everything. An event carries the
// number and the generation of a slot, so that one which is still on its way when its
// socket is gone finds nothing, also when the descriptor is in use again.
type poller struct {
	once  sync.Once
	epoll *os.File // nil where there is none to be had
	fd    int
	work  sync.WaitGroup
	idle  chan *polledSocket // to goroutines that have nothing to do
	done  chan struct{}
	spare chan struct{} // a place for each of those

	mu     sync.Mutex // guards the rest
	slots  []pollSlot
	free   []int32
	closed bool
	// ended are sockets whose other side is gone, in line; enders how many goroutines
	// work for them.
	ended  []*polledSocket
	enders int
}

type pollSlot struct {
	socket     *polledSocket // nil where it is free
	generation int32
}

const (
	// spareGoroutines is how many wait for work, with the stacks that they have grown.
	spareGoroutines = 64
	// endEvents say that the other side is gone, or has no more to say.
	endEvents = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
	// eventsAtOnce is how many events are taken with one call.
	eventsAtOnce = 256
	pollEvents   = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET
)

// open makes the epoll when the first socket comes.
func (p *poller) open(g *Gateway) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		if err = unix.SetNonblock(fd, true); err != nil {
			_ = unix.Close(fd)
		}
	}
	if err != nil {
		g.logger.Error("connections have a goroutine each: there is no epoll to be had", "error", err)
		return
	}
	p.epoll, p.fd = os.NewFile(uintptr(fd), "epoll"), fd
	p.idle, p.done, p.spare = make(chan *polledSocket), make(chan struct{}), make(chan struct{}, spareGoroutines)
	raw, err := p.epoll.SyscallConn()
	if err != nil {
		g.logger.Error("connections have a goroutine each: the epoll cannot be waited for", "error", err)
		_ = p.epoll.Close()
		p.epoll = nil
		return
	}
	p.work.Go(func() { p.poll(raw) })
}

// close ends the poller's goroutines. There must be no sockets any more.
func (p *poller) close() {
	p.once.Do(func() {})
	if p.epoll == nil {
		return
	}
	close(p.done)
	p.mu.Lock()
	p.closed = true
	_ = p.epoll.Close()
	p.mu.Unlock()
	p.work.Wait()
}

// takeOver takes a socket away from the net package, whose share of the memory that a
// connection needs is larger than ours. It returns nil where that cannot be done:
// then conn is as it was.
func (p *poller) takeOver(g *Gateway, conn net.Conn) polledConn {
	plain, ok := conn.(*boundedTCP)
	if !ok {
		return nil
	}
	p.once.Do(func() { p.open(g) })
	if p.epoll == nil {
		return nil
	}
	fd, err := duplicate(plain)
	if err != nil {
		g.logger.Warn("a connection has a goroutine of its own: its socket cannot be taken over", "error", err)
		return nil
	}
	s := &polledSocket{gateway: g, fd: fd}
	s.state.Store(stateBusy)
	if err := p.add(s); err != nil {
		_ = unix.Close(fd)
		g.logger.Warn("a connection has a goroutine of its own: its socket cannot be watched", "error", err)
		return nil
	}
	s.places = plain.handOver()
	return s
}

// duplicate is a descriptor of the same socket, which does not block either.
func duplicate(conn *boundedTCP) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	if failed := raw.Control(func(from uintptr) {
		fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0)
	}); failed != nil {
		return -1, failed
	}
	return fd, err
}

func (p *poller) add(s *polledSocket) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return ErrClosed
	}
	if last := len(p.free) - 1; last >= 0 {
		s.slot, p.free = p.free[last], p.free[:last]
	} else {
		s.slot = int32(len(p.slots)) //nolint:gosec // no more than descriptors
		p.slots = append(p.slots, pollSlot{})
	}
	slot := &p.slots[s.slot]
	slot.generation++
	slot.socket = s
	event := unix.EpollEvent{Events: pollEvents, Fd: s.slot, Pad: slot.generation}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, s.fd, &event); err != nil {
		p.removeLocked(s)
		return fmt.Errorf("adding to the epoll: %w", err)
	}
	return nil
}

// remove forgets a socket. Closing its descriptor is what ends the watch.
func (p *poller) remove(s *polledSocket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.removeLocked(s)
}

func (p *poller) removeLocked(s *polledSocket) {
	p.slots[s.slot].socket = nil
	p.free = append(p.free, s.slot)
}

// poll runs until the epoll is closed.
func (p *poller) poll(raw syscall.RawConn) {
	events := make([]unix.EpollEvent, eventsAtOnce)
	sockets := make([]*polledSocket, eventsAtOnce)
	_ = raw.Read(func(fd uintptr) bool {
		for {
			n, err := unix.EpollWait(int(fd), events, 0)
			switch {
			case errors.Is(err, unix.EINTR):
			case err != nil:
				return true
			case n == 0: // Go's own epoll is edge-triggered: one waits after finding nothing.
				return false
			default:
				p.deliver(events[:n], sockets)
			}
		}
	})
}

// deliver tells sockets of their events.
func (p *poller) deliver(events []unix.EpollEvent, sockets []*polledSocket) {
	p.mu.Lock()
	for i := range events {
		slot := &p.slots[events[i].Fd]
		sockets[i] = nil
		if slot.generation == events[i].Pad {
			sockets[i] = slot.socket
		}
	}
	p.mu.Unlock()
	for i := range events {
		switch s := sockets[i]; {
		case s == nil || !s.notify(events[i].Events):
		case events[i].Events&endEvents != 0:
			p.end(s)
		default:
			p.lend(s)
		}
	}
	clear(sockets[:len(events)])
}

// end puts a connection in line whose other side is gone.
func (p *poller) end(s *polledSocket) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(p.ended, s)
	if p.enders < maxEnds {
		p.enders++
		p.work.Go(p.serveEnded)
	}
}

// serveEnded works for those in line, one after the other. Who has something to do for
// a living connection goes before it each time.
func (p *poller) serveEnded() {
	for s := p.nextEnded(); s != nil; s = p.nextEnded() {
		s.run()
		runtime.Gosched()
	}
}

func (p *poller) nextEnded() *polledSocket {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.ended) == 0 {
		p.ended = nil
		p.enders--
		return nil
	}
	s := p.ended[0]
	p.ended[0] = nil
	p.ended = p.ended[1:]
	return s
}

// lend gives a connection a goroutine: one that waits for work, or a new one.
func (p *poller) lend(s *polledSocket) {
	select {
	case p.idle <- s:
	default:
		p.work.Go(func() { p.serve(s) })
	}
}

// serve works for one connection after the other. Who finds no place to wait ends.
func (p *poller) serve(s *polledSocket) {
	for {
		s.run()
		select {
		case p.spare <- struct{}{}:
		default:
			return
		}
		select {
		case s = <-p.idle:
			<-p.spare
		case <-p.done:
			return
		}
	}
}
