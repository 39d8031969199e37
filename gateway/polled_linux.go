package gateway

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// polledSocket is a TCP socket without a goroutine.
//
// Its descriptor is closed in one place, release, when neither the reader nor the
// flusher will use it again; everybody else shuts it down, which wakes both, and does
// so under mu. So nobody ever writes to a descriptor that is somebody else's by now.
type polledSocket struct {
	gateway *Gateway
	owner   *connection // set by start
	places  places
	slot    int32
	// state is how the poller, the reader and the flusher find together.
	state atomic.Uint32

	// The reader's own: it has had all there was.
	dry bool

	mu       sync.Mutex // guards the rest; the reader and the flusher read fd without it
	fd       int        // -1 once it is closed
	writable chan struct{}
}

const (
	// stateBusy means that a goroutine has the reader's part. Who sets it has it.
	stateBusy uint32 = 1 << iota
	// stateNews means that the socket may have something since the reader last looked.
	stateNews
	// stateEnding means that the other side will send no more, or that there is an
	// error: it is to be read to its end.
	stateEnding
	// stateRoom means that the socket may take something since the flusher last tried,
	// stateStalled that the flusher waits for that.
	stateRoom
	stateStalled
	// stateClosed means that nothing is to be read or written any more.
	stateClosed
)

// Write implements socket.
func (s *polledSocket) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if s.state.And(^stateRoom)&stateClosed != 0 {
			return n, net.ErrClosed
		}
		written, err := unix.Write(s.fd, p[n:])
		switch {
		case written > 0:
			n += written
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			s.awaitRoom()
		default:
			return n, err
		}
	}
	return n, nil
}

// CloseWrite half-closes.
func (s *polledSocket) CloseWrite() error { return s.shutdown(unix.SHUT_WR) }

// Close implements socket. The descriptor stays until release.
func (s *polledSocket) Close() error {
	before := s.state.Or(stateClosed)
	err := s.shutdown(unix.SHUT_RDWR)
	if before&stateStalled != 0 {
		s.resume()
	}
	return err
}

// RemoteAddr implements socket. It is asked for seldom, so it is not kept.
func (s *polledSocket) RemoteAddr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	address := &net.TCPAddr{}
	if s.fd < 0 {
		return address
	}
	switch peer, _ := unix.Getpeername(s.fd); peer := peer.(type) {
	case *unix.SockaddrInet4:
		address.IP, address.Port = peer.Addr[:], peer.Port
	case *unix.SockaddrInet6:
		address.IP, address.Port = peer.Addr[:], peer.Port
	}
	return address
}

// notify is the poller's word of what happened to the socket. It returns true where
// the caller is to lend the reader a goroutine.
func (s *polledSocket) notify(events uint32) bool {
	var what uint32
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		what |= stateNews
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		what |= stateEnding
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		what |= stateRoom
	}
	before := s.state.Or(what)
	if what&stateRoom != 0 && before&stateStalled != 0 {
		s.resume()
	}
	return what&stateNews != 0 && s.state.Or(stateBusy)&stateBusy == 0
}

// start implements polledConn.
func (s *polledSocket) start(c *connection, early []byte) {
	s.owner = c
	p := &s.gateway.poller
	p.work.Go(func() {
		c.consumeEarly(early)
		p.serve(s)
	})
}

// run is the reader's part, with a goroutine that is borrowed for it: to the end of
// the connection, or until the socket has no more for now.
func (s *polledSocket) run() {
	for {
		s.state.And(^stateNews)
		if s.owner.advance() {
			s.owner.teardown() // It stays busy: nobody is to come after.
			return
		}
		if s.rest() {
			return
		}
	}
}

// rest gives the reader's part back, unless there is news.
func (s *polledSocket) rest() bool {
	for {
		state := s.state.Load()
		if state&stateNews != 0 {
			return false
		}
		if s.state.CompareAndSwap(state, state&^stateBusy) {
			return true
		}
	}
}

// receive implements receiver. A read that does not fill the workbench has taken all
// there was, and what comes later is news; but an end that was told before is
// still to be read.
func (s *polledSocket) receive() (*workbench, int, error) {
	state := s.state.Load()
	if state&stateClosed != 0 {
		return nil, 0, net.ErrClosed
	}
	if s.dry {
		s.dry = false
		if state&(stateEnding|stateNews) == 0 {
			return nil, 0, errLater
		}
	}
	bench := s.gateway.borrow()
	n, err := readSocket(s.fd, bench.input[:])
	if err != nil {
		s.gateway.giveBack(bench)
		if errors.Is(err, unix.EAGAIN) {
			err = errLater
		}
		return nil, 0, err
	}
	s.dry = n < len(bench.input)
	return bench, n, nil
}

// awaitRoom parks the flusher until the poller says that the socket takes more, or
// that it has ended. The other side is slow, so a channel is made for it.
func (s *polledSocket) awaitRoom() {
	s.mu.Lock()
	if s.state.Or(stateStalled)&(stateRoom|stateClosed) != 0 {
		s.state.And(^stateStalled)
		s.mu.Unlock()
		return
	}
	room := make(chan struct{})
	s.writable = room
	s.mu.Unlock()
	<-room
}

// resume wakes the flusher. It may come late, and to another wait than it was meant
// for: the flusher tries, and waits again.
func (s *polledSocket) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writable != nil {
		s.state.And(^stateStalled)
		close(s.writable)
		s.writable = nil
	}
}

func (s *polledSocket) shutdown(how int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fd < 0 {
		return net.ErrClosed
	}
	return unix.Shutdown(s.fd, how)
}

// release closes the descriptor. The reader calls it when the flusher has ended.
func (s *polledSocket) release() {
	s.mu.Lock()
	fd := s.fd
	s.fd = -1
	s.mu.Unlock()
	if fd < 0 {
		return
	}
	s.gateway.poller.remove(s)
	_ = unix.Close(fd)
	<-s.places
}
