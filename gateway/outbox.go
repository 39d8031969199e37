package gateway

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

// writeChunk is how much is written under one write deadline.
const writeChunk = 64 << 10

// probeBytes has room for an empty ping.
const probeBytes = 8

// outbox is what waits to be written to one socket. Whoever adds to it and
// finds no flusher at work starts one; the flusher writes all there is with one
// call and ends when there is no more. Nobody who adds ever waits for the socket.
type outbox struct {
	// owner is told how far the socket is, and that nothing more will be written.
	owner *connection
	// flusher is flush as a value, made once: starting it allocates nothing.
	flusher func()
	// encoding is that of the connection; set before the first message.
	encoding wire.Encoding

	// writeSince is when the write under way began, in Unix nanoseconds; 0 for none.
	writeSince atomic.Int64

	mu sync.Mutex // guards the rest
	// room is what the reader waits at, nil until it does.
	room     *sync.Cond
	pending  []byte
	writing  int // bytes in the flusher's hands
	queued   uint64
	written  uint64
	flushing bool
	sealed   bool // the close frame is in; nothing may follow
	broken   bool // nothing can be written any more
	over     bool // the bound was passed: nothing more is taken until the socket is cut
	waiting  bool // the reader waits for room
}

func (o *outbox) init(owner *connection) {
	o.owner = owner
	o.flusher = o.flush
}

func (o *outbox) soft() int { return o.owner.gateway.limits.OutgoingBytes }

// wait waits at room, and wake wakes whoever does. The lock is held at both.
func (o *outbox) wait() {
	if o.room == nil {
		o.room = sync.NewCond(&o.mu)
	}
	o.room.Wait()
}

func (o *outbox) wake() {
	if o.room != nil {
		o.room.Broadcast()
	}
}

// begin locks the outbox and returns its buffer, to which one message is to be
// appended, in the encoding that the buffer names, and given to commit together
// with at. A negative at means that nothing may be written any more: then there
// must be no commit.
func (o *outbox) begin() (buf wire.Buffer, at int) {
	o.mu.Lock()
	if o.sealed || o.broken || o.over {
		o.mu.Unlock()
		return wire.Buffer{}, -1
	}
	at = len(o.pending)
	return o.encoding.On(append(o.buffer(), 0, 0, 0, 0)), at
}

// commit ends what begin began. It returns the position of the message's last
// byte in all that was ever queued, and false when the outbox is over its bound.
func (o *outbox) commit(buf wire.Buffer, at int, t wire.Type) (end uint64, ok bool) {
	o.pending = sealFrame(buf.Bytes, at, opcodeOf(buf.Encoding))
	end, ok = o.added(len(o.pending) - at)
	o.over = !ok
	o.mu.Unlock()
	o.owner.gateway.meter.sent(t)
	return end, ok
}

// control queues a control frame.
func (o *outbox) control(opcode ws.OpCode, payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed || o.broken {
		return
	}
	if o.pending == nil && len(payload) == 0 {
		// Thousands are probed in one moment: not a whole buffer for each.
		o.pending = make([]byte, 0, probeBytes)
	}
	o.pending = append(o.buffer(), 0x80|byte(opcode), byte(len(payload))) //nolint:gosec // at most 125
	o.pending = append(o.pending, payload...)
	o.added(2 + len(payload))
}

// seal queues the close frame, the last there is. An empty body is a close
// without a code.
func (o *outbox) seal(body []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.sealed || o.broken {
		return
	}
	o.pending = append(o.buffer(), 0x80|byte(ws.OpClose), byte(len(body))) //nolint:gosec // at most 125
	o.pending = append(o.pending, body...)
	o.sealed = true
	o.wake()
	o.added(2 + len(body))
}

// abandon gives up what is not written, and waits for the flusher to end. The
// socket must be closed already, or the flusher might not.
func (o *outbox) abandon() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.broken = true
	for o.flushing {
		o.wait()
	}
	o.drop()
}

// awaitSealed waits until the close frame, if there is one, is written or
// cannot be.
func (o *outbox) awaitSealed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.sealed && (!o.broken || o.flushing) {
		o.wait()
	}
}

// waitRoom holds the reader back while more than the soft bound is waiting.
func (o *outbox) waitRoom() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.backlog() > o.soft()/2 && !o.broken && !o.sealed {
		o.waiting = true
		o.wait()
	}
}

// full tells whether the reader should waitRoom.
func (o *outbox) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.backlog() > o.soft()
}

// roomy tells whether there is room for what may as well wait elsewhere. It says no
// long before full does: a follower that takes its events slowly is still read. And of
// a socket that has taken nothing for a moment there is hardly any: thousands may hang.
func (o *outbox) roomy() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.backlog() <= o.soft()/2 && (len(o.pending) <= stalledBytes || !o.stalled())
}

const (
	// stallTime is after how long a write that is under way is taken for one that waits
	// for the other side.
	stallTime = 20 * time.Millisecond
	// stalledBytes is how much may wait behind such a write.
	stalledBytes = 2 << 10
)

func (o *outbox) stalled() bool {
	since := o.writeSince.Load()
	return since != 0 && time.Now().UnixNano()-since > int64(stallTime)
}

// total is how many bytes the socket took so far.
func (o *outbox) total() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.written
}

func (o *outbox) backlog() int { return len(o.pending) + o.writing }

func (o *outbox) buffer() []byte {
	if o.pending == nil {
		o.pending = o.owner.gateway.buffers.get()
	}
	return o.pending
}

func (o *outbox) added(size int) (end uint64, ok bool) {
	o.queued += uint64(size) //nolint:gosec // a length
	if !o.flushing {
		o.flushing = true
		go o.flusher()
	}
	return o.queued, o.backlog() <= o.owner.gateway.limits.MaxOutgoingBytes
}

func (o *outbox) drop() {
	if o.pending != nil {
		o.owner.gateway.buffers.put(o.pending)
		o.pending = nil
	}
}

// flush writes until nothing is left.
func (o *outbox) flush() {
	for {
		o.mu.Lock()
		if o.broken || len(o.pending) == 0 {
			o.rest()
			return
		}
		buf := o.pending
		o.pending, o.writing = nil, len(buf)
		o.mu.Unlock()

		err := o.write(buf)
		size := len(buf)
		o.owner.gateway.buffers.put(buf)
		o.settle(size, err)
	}
}

// rest ends the flusher, whose lock it is given.
func (o *outbox) rest() {
	o.drop()
	if o.sealed && !o.broken {
		o.broken = true
		o.mu.Unlock()
		o.owner.finishWriting(nil)
		o.mu.Lock()
	}
	o.flushing = false
	o.wake()
	o.mu.Unlock()
}

// settle books a write. After an error the outbox is broken: flush ends.
func (o *outbox) settle(size int, err error) {
	o.mu.Lock()
	o.writing = 0
	if err == nil {
		o.written += uint64(size) //nolint:gosec // a length
	} else {
		o.broken = true
	}
	total := o.written
	if o.waiting {
		o.waiting = false
		o.wake()
	}
	o.mu.Unlock()
	if err != nil {
		o.owner.finishWriting(err)
		return
	}
	o.owner.gateway.meter.bytesOut.Add(float64(size))
	o.owner.wrote(total)
}

func (o *outbox) write(buf []byte) error {
	defer o.writeSince.Store(0)
	for len(buf) > 0 {
		part := buf[:min(len(buf), writeChunk)]
		o.writeSince.Store(time.Now().UnixNano())
		if _, err := o.owner.conn.Write(part); err != nil {
			return err
		}
		buf = buf[len(part):]
	}
	return nil
}
