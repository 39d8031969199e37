package transport

import (
	"encoding/binary"
	"sync"
	"time"
)

// raftConn matches replies to requests on an outgoing `raft` connection.
type raftConn struct {
	conn *conn

	mu struct {
		sync.Mutex

		last    uint64 // the last request id
		pending map[uint64]*pendingRequest
		used    time.Time
		err     error // set once, when the connection has ended
	}
}

// pendingRequest waits for its reply. Whoever removes it from the map, under
// the lock, and nobody else, finishes it.
type pendingRequest struct {
	id       uint64
	group    *group
	reply    any           // filled before it is finished without an error
	finished chan error    // one slot; nil for a pipelined append
	future   *appendFuture // of a pipelined append
}

func newRaftConn(c *conn) *raftConn {
	r := &raftConn{conn: c}
	c.limit = MaxRaftBuffer // Requests that timed out may still be waiting in it.
	r.mu.pending = make(map[uint64]*pendingRequest)
	r.mu.used = time.Now()
	c.onTick = r.closeIdle
	return r
}

// ask sends the request. After nil, p is finished sooner or later, or the
// caller forgets it.
func (c *raftConn) ask(p *pendingRequest, r *request) error {
	if err := c.add(p); err != nil {
		return err
	}
	b, err := c.conn.begin(r.kind, r.size)
	if err != nil {
		if c.forget(p) {
			return err
		}
		return nil // The end of the connection has finished it.
	}
	c.conn.end(r.encode(appendRequestHead(b, p.id, p.group.id)))
	return nil
}

// add numbers the request and expects its reply.
func (c *raftConn) add(p *pendingRequest) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.err != nil {
		return c.mu.err
	}
	c.mu.last++
	p.id = c.mu.last
	c.mu.pending[p.id] = p
	c.mu.used = time.Now()
	return nil
}

// forget reports whether the caller now owns the request.
func (c *raftConn) forget(p *pendingRequest) bool {
	return c.remove(p.id) != nil
}

func (c *raftConn) remove(id uint64) *pendingRequest {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.mu.pending[id]
	delete(c.mu.pending, id)
	return p
}

// receive never blocks: one group's slow reader must not hold back another's replies.
func (c *raftConn) receive(kind frameKind, body []byte) error {
	if kind != frameReply && kind != frameFailure {
		return nil // A later version's frame.
	}
	if len(body) < 8 {
		return ErrMalformed
	}
	p := c.remove(binary.BigEndian.Uint64(body))
	if p == nil {
		return nil // Timed out, or answered twice.
	}
	if kind == frameFailure {
		p.finish(decodeFailure(body[8:]))
		return nil
	}
	term, err := decodeReply(body[8:], p.reply)
	if err == nil {
		raise(&p.group.newest, term)
	}
	p.finish(err)
	return err
}

// fail ends every outstanding request at once.
func (c *raftConn) fail(err error) {
	c.mu.Lock()
	c.mu.err = err
	pending := c.mu.pending
	c.mu.pending = nil
	c.mu.Unlock()
	for _, p := range pending {
		p.finish(err)
	}
}

func (p *pendingRequest) finish(err error) {
	if p.future != nil {
		p.future.pipeline.complete(p.future, err)
		return
	}
	p.finished <- err
}

func (c *raftConn) closeIdle() {
	c.mu.Lock()
	idle := len(c.mu.pending) == 0 && time.Since(c.mu.used) > RaftIdle
	c.mu.Unlock()
	if idle {
		c.conn.close(errIdle)
	}
}
