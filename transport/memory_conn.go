package transport

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// streamWindow is how much a stream holds before its writer waits.
const streamWindow = 1 << 20

// stream is one direction of a connection. The network's lock guards it.
type stream struct {
	n    *Network
	way  direction
	cond *sync.Cond // of the network's lock

	chunks []chunk
	size   int // bytes in chunks
	last   time.Time

	written bool  // closed by the writer: its end comes after the data
	unread  bool  // closed by the reader: the writer notices, unless the way back is cut
	reset   error // broken: both sides notice at once

	readBy, writeBy time.Time // deadlines
}

type chunk struct {
	data []byte
	at   time.Time // when it has arrived
}

func (n *Network) newStreamLocked(way direction) *stream {
	s := &stream{n: n, way: way, cond: sync.NewCond(&n.mu)}
	n.mu.streams[s] = struct{}{}
	return s
}

func (s *stream) resetLocked(err error) {
	if s.reset == nil {
		s.reset = err
	}
	s.chunks, s.size = nil, 0
	delete(s.n.mu.streams, s)
	s.cond.Broadcast()
}

// waitLocked returns after a change, and at the latest at until (zero: never).
func (s *stream) waitLocked(until time.Time) {
	if !until.IsZero() {
		timer := time.AfterFunc(time.Until(until), func() {
			s.n.mu.Lock()
			defer s.n.mu.Unlock()
			s.cond.Broadcast()
		})
		defer timer.Stop()
	}
	s.cond.Wait()
}

func expired(deadline time.Time) bool {
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

func (s *stream) read(b []byte) (int, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	for {
		cut := s.n.mu.cuts[s.way]
		until := s.readBy
		switch {
		case s.unread:
			return 0, net.ErrClosed
		case s.reset != nil:
			return 0, s.reset
		case expired(s.readBy):
			return 0, os.ErrDeadlineExceeded
		case cut:
		case len(s.chunks) > 0 && !s.chunks[0].at.After(time.Now()):
			return s.takeLocked(b), nil
		case len(s.chunks) > 0:
			if at := s.chunks[0].at; until.IsZero() || at.Before(until) {
				until = at
			}
		case s.written:
			return 0, io.EOF
		}
		s.waitLocked(until)
	}
}

func (s *stream) takeLocked(b []byte) int {
	n := 0
	for len(s.chunks) > 0 && n < len(b) && !s.chunks[0].at.After(time.Now()) {
		first := &s.chunks[0]
		k := copy(b[n:], first.data)
		n += k
		first.data = first.data[k:]
		if len(first.data) == 0 {
			s.chunks = s.chunks[1:]
		}
	}
	s.size -= n
	s.cond.Broadcast()
	return n
}

func (s *stream) write(b []byte) (int, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	done := 0
	for done < len(b) {
		switch {
		case s.reset != nil:
			return done, s.reset
		case s.written:
			return done, net.ErrClosed
		case s.unread && s.n.mu.cuts[direction{s.way.to, s.way.from}]:
			return len(b), nil
		case s.unread:
			return done, errReset
		case expired(s.writeBy):
			return done, os.ErrDeadlineExceeded
		case s.size >= streamWindow:
			s.waitLocked(s.writeBy)
			continue
		}
		k := min(len(b)-done, streamWindow-s.size)
		at := time.Now().Add(s.n.delayLocked(s.way))
		if at.Before(s.last) {
			at = s.last // A stream stays in order.
		}
		s.last = at
		s.chunks = append(s.chunks, chunk{data: append([]byte(nil), b[done:done+k]...), at: at})
		s.size += k
		done += k
		s.cond.Broadcast()
	}
	return done, nil
}

// memoryConn is one end of a connection.
type memoryConn struct{ read, write *stream }

// Read implements net.Conn.
func (c *memoryConn) Read(b []byte) (int, error) { return c.read.read(b) }

// Write implements net.Conn.
func (c *memoryConn) Write(b []byte) (int, error) { return c.write.write(b) }

// Close implements net.Conn. The other side reads what was written and then
// the end, once the direction is not cut; its writes fail from then on.
func (c *memoryConn) Close() error {
	n := c.read.n
	n.mu.Lock()
	defer n.mu.Unlock()
	c.write.written = true
	c.write.cond.Broadcast()
	c.read.unread = true
	c.read.chunks, c.read.size = nil, 0
	delete(n.mu.streams, c.read) // Its reader waits for nothing any more.
	c.read.cond.Broadcast()
	return nil
}

// LocalAddr implements net.Conn.
func (c *memoryConn) LocalAddr() net.Addr { return memoryAddress(c.write.way.from) }

// RemoteAddr implements net.Conn.
func (c *memoryConn) RemoteAddr() net.Addr { return memoryAddress(c.write.way.to) }

// SetDeadline implements net.Conn.
func (c *memoryConn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *memoryConn) SetReadDeadline(t time.Time) error {
	c.read.n.mu.Lock()
	defer c.read.n.mu.Unlock()
	c.read.readBy = t
	c.read.cond.Broadcast()
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *memoryConn) SetWriteDeadline(t time.Time) error {
	c.write.n.mu.Lock()
	defer c.write.n.mu.Unlock()
	c.write.writeBy = t
	c.write.cond.Broadcast()
	return nil
}
