package transport

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// conn is a connection of frames: one goroutine reads it, one writes it, and
// any number append to its buffer, which the writer swaps and writes whole.
type conn struct {
	raw      net.Conn
	peer     NodeID
	counters *kindCounters
	frames   *frameReader // owned by run's goroutine

	limit  int           // of the outgoing buffer, 0: none
	wake   chan struct{} // the buffer is no longer empty
	done   chan struct{} // closed with the connection
	onTick func()        // called by the writer every PingInterval
	faults frameFaults   // only in a Network

	mu struct {
		sync.Mutex

		out    []byte // complete frames, except between begin and end
		start  int    // where the frame that is being appended begins
		frames int
		cause  error // why it was closed
	}
}

// frameFaults decides what becomes of one Raft frame: how many copies are
// written, each after its delay.
type frameFaults func() []time.Duration

func newConn(raw net.Conn, peer NodeID, counters *kindCounters, frameLimit int) *conn {
	return &conn{
		raw: raw, peer: peer, counters: counters,
		frames: newFrameReader(silenceReader{raw}, frameLimit, readBufferBytes),
		wake:   make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// begin locks the buffer and appends a frame's head. The caller appends the
// body to the result and must call end. size is the body's, for the bound. With
// an error nothing is locked: errFull, or why the connection was closed.
func (c *conn) begin(kind frameKind, size int) ([]byte, error) {
	c.mu.Lock()
	switch {
	case c.mu.cause != nil:
		defer c.mu.Unlock()
		return nil, c.mu.cause
	case c.limit > 0 && len(c.mu.out)+size+frameHead > c.limit:
		c.mu.Unlock()
		return nil, errFull
	}
	c.mu.start = len(c.mu.out)
	return beginFrame(c.mu.out, kind), nil
}

// end completes the frame and wakes the writer.
func (c *conn) end(b []byte) {
	endFrame(b, c.mu.start)
	c.mu.out = b
	c.mu.frames++
	if c.faults != nil {
		c.applyFaults()
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *conn) send(kind frameKind, body []byte) error {
	b, err := c.begin(kind, len(body))
	if err != nil {
		return err
	}
	c.end(append(b, body...))
	return nil
}

// close is idempotent; the first cause stands.
func (c *conn) close(cause error) {
	c.mu.Lock()
	first := c.mu.cause == nil
	if first {
		c.mu.cause = cause
		c.mu.out = nil
	}
	c.mu.Unlock()
	if first {
		close(c.done)
		_ = c.raw.Close()
	}
}

func (c *conn) cause() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.cause
}

// run reads until the connection ends, and returns why, with the writer ended.
func (c *conn) run(receive func(kind frameKind, body []byte) error) error {
	var writer sync.WaitGroup
	writer.Go(c.write)
	err := c.read(receive)
	c.close(err)
	writer.Wait()
	return c.cause()
}

func (c *conn) read(receive func(kind frameKind, body []byte) error) error {
	for {
		kind, body, err := c.frames.next()
		if err != nil {
			return silence(err)
		}
		c.counters.read(frameHead + len(body))
		if kind == framePing {
			continue
		}
		if err := receive(kind, body); err != nil {
			return err
		}
	}
}

// write is the writer. It has no write deadline: a peer that lives but reads
// slowly is pressure, and one that is dead is silent, which the reader notices.
func (c *conn) write() {
	ticker := time.NewTicker(PingInterval)
	defer ticker.Stop()
	var spare []byte
	quiet := false // nothing was written since the last tick
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
			if c.onTick != nil {
				c.onTick()
			}
			if !quiet {
				quiet, spare = true, nil // What a burst left behind is not kept.
				c.shrink()
				continue
			}
			if c.ping() != nil {
				return
			}
		case <-c.wake:
			quiet = false
		}
		out, frames := c.swap(spare)
		if len(out) == 0 {
			continue
		}
		if _, err := c.raw.Write(out); err != nil {
			c.close(err)
			return
		}
		c.counters.wrote(frames, len(out))
		spare = nil
		if cap(out) <= maxSpareBuffer {
			spare = out[:0]
		}
	}
}

// shrink gives up an empty buffer.
func (c *conn) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.mu.out) == 0 {
		c.mu.out = nil
	}
}

// ping passes by the bound and the faults.
func (c *conn) ping() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.cause != nil {
		return c.mu.cause
	}
	start := len(c.mu.out)
	c.mu.out = beginFrame(c.mu.out, framePing)
	endFrame(c.mu.out, start)
	c.mu.frames++
	return nil
}

func (c *conn) swap(spare []byte) (out []byte, frames int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.cause != nil || len(c.mu.out) == 0 {
		return nil, 0 // The spare buffer stays the writer's.
	}
	out, frames = c.mu.out, c.mu.frames
	c.mu.out, c.mu.frames = spare, 0
	return out, frames
}

// applyFaults replaces the frame just appended by its copies. The lock is held.
func (c *conn) applyFaults() {
	copies := c.faults()
	frame := append([]byte(nil), c.mu.out[c.mu.start:]...)
	c.mu.out = c.mu.out[:c.mu.start]
	c.mu.frames--
	for _, delay := range copies {
		if delay == 0 {
			c.mu.out = append(c.mu.out, frame...)
			c.mu.frames++
			continue
		}
		time.AfterFunc(delay, func() { c.inject(frame) })
	}
}

func (c *conn) inject(frame []byte) {
	c.mu.Lock()
	if c.mu.cause == nil {
		c.mu.out = append(c.mu.out, frame...)
		c.mu.frames++
	}
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// silenceReader bounds each read, not each frame: the time in which a handler
// blocks the reader is not silence of the other side.
type silenceReader struct{ raw net.Conn }

func (s silenceReader) Read(b []byte) (int, error) {
	if err := s.raw.SetReadDeadline(time.Now().Add(SilenceLimit)); err != nil {
		return 0, err
	}
	return s.raw.Read(b)
}

func silence(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errSilent
	}
	if err == io.EOF { //nolint:errorlint // The contract of io.Reader: never wrapped.
		return net.ErrClosed
	}
	return err
}
