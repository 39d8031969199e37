package client

import (
	"net"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/transport/wire"
)

const (
	// frameTarget is how many bytes of messages share a frame; a larger message
	// has one of its own.
	frameTarget = 16 << 10
	// writeTimeout is how long the socket may take what is written at once.
	writeTimeout = 30 * time.Second
	// keptBuffer is how large a buffer is kept between writes.
	keptBuffer = 256 << 10
)

// outbox collects messages for one socket, and writes them: whatever comes
// together while the last write is under way, or while the reader still has
// answers to hand out, goes out as one. It needs no bound of its own: requests
// are bounded by the node's limits, acknowledgements and renewals coalesce.
type outbox struct {
	wake chan struct{} // room for one
	// encoding is the session's.
	encoding wire.Encoding
	// maxFrame is how long a frame may be; set before use.
	maxFrame int

	mu       sync.Mutex // guards the rest
	messages []byte     // separated by newlines where they are JSON
	cuts     []int      // where a frame ends, besides the last one
	start    int        // of the last frame
	control  []byte     // whole control frames, which go first
	ack      uint64     // to be acknowledged; 0 for nothing
	corked   bool       // the reader is at it: it will wake the writer
	dirty    bool       // something came while corked
	finished bool       // nothing more is taken; a close frame ends it all
}

func newOutbox(encoding wire.Encoding) *outbox {
	return &outbox{wake: make(chan struct{}, 1), maxFrame: frameTarget, encoding: encoding}
}

// blank is what a message for the session is appended to.
func (o *outbox) blank() wire.Buffer { return o.encoding.On(nil) }

// add queues one message.
func (o *outbox) add(message wire.Buffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished {
		return
	}
	o.append(message.Bytes)
	o.signal()
}

// offer is add for what may be lost; false when more than limit bytes wait.
func (o *outbox) offer(message wire.Buffer, limit int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished || len(o.messages)+len(message.Bytes) > limit {
		return false
	}
	o.append(message.Bytes)
	o.signal()
	return true
}

// acknowledge queues the acknowledgement of everything up to seq. It waits for
// something else to be written, or for a nudge.
func (o *outbox) acknowledge(seq uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ack = max(o.ack, seq)
}

// pong queues the answer to a ping frame.
func (o *outbox) pong(payload []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.control = appendFrame(o.control, ws.OpPong, payload)
	o.signal()
}

// nudge has what waits written now.
func (o *outbox) nudge() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.signal()
}

// finish lets the writer end after everything queued, and last, by a close frame.
func (o *outbox) finish(last wire.Buffer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.finished {
		return
	}
	if last.Bytes != nil {
		o.takeAck()
		o.append(last.Bytes)
	}
	o.finished, o.corked = true, false
	o.signal()
}

// cork holds the writer back while the reader hands out what it has read;
// uncork lets it go.
func (o *outbox) cork() {
	o.mu.Lock()
	o.corked = !o.finished
	o.mu.Unlock()
}

func (o *outbox) uncork() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.corked = false
	if o.dirty {
		o.signal()
	}
}

func (o *outbox) append(message []byte) {
	switch at := len(o.messages); {
	case at == o.start:
	case at-o.start+1+len(message) > min(frameTarget, o.maxFrame):
		o.cuts = append(o.cuts, at)
		o.start = at
	case o.encoding == wire.JSON:
		o.messages = append(o.messages, '\n')
	}
	o.messages = append(o.messages, message...)
}

func (o *outbox) signal() {
	if o.corked {
		o.dirty = true
		return
	}
	o.dirty = false
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) takeAck() {
	if o.ack == 0 {
		return
	}
	o.append(wire.AppendAck(o.blank(), &wire.Ack{Seq: o.ack}).Bytes)
	o.ack = 0
}

// take moves what is queued into frames appended to dst. last means that
// nothing follows.
func (o *outbox) take(dst []byte) (frames []byte, last bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.finished {
		o.takeAck()
	}
	dst = append(dst, o.control...)
	o.control = o.control[:0]
	from := 0
	for _, cut := range append(o.cuts, len(o.messages)) {
		if cut > from {
			dst = appendFrame(dst, opcodeOf(o.encoding), o.messages[from:cut])
		}
		from = cut
	}
	o.messages, o.cuts, o.start = o.messages[:0], o.cuts[:0], 0
	if cap(o.messages) > keptBuffer {
		o.messages = nil
	}
	return dst, o.finished
}

// write is the writing goroutine: until the outbox is finished, the socket
// fails or ended is closed.
func (o *outbox) write(conn net.Conn, ended <-chan struct{}) error {
	var buf []byte
	for {
		select {
		case <-ended:
			return nil
		case <-o.wake:
		}
		var last bool
		buf, last = o.take(buf[:0])
		if last {
			buf = appendFrame(buf, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
		}
		if len(buf) == 0 {
			continue
		}
		if err := conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return err
		}
		if _, err := conn.Write(buf); err != nil || last {
			return err
		}
		if cap(buf) > 2*keptBuffer {
			buf = nil
		}
	}
}
