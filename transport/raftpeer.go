package transport

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// raftPeer is the way of this node's Raft requests to one other: at most one
// connection, made when a request needs it.
type raftPeer struct {
	t  *TCP
	id NodeID

	mu struct {
		sync.Mutex

		conn     *raftConn
		attempt  chan struct{} // closed when the attempt to connect ends; nil: none
		failures int
		retryAt  time.Time
		err      error // of the last attempt
	}
}

func (t *TCP) peer(id NodeID) *raftPeer {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.mu.peers[id]
	if p == nil {
		p = &raftPeer{t: t, id: id}
		t.mu.peers[id] = p
	}
	return p
}

// forgive ends the wait before the next attempt: the peer has just spoken.
func (t *TCP) forgive(id NodeID) {
	t.mu.Lock()
	p := t.mu.peers[id]
	t.mu.Unlock()
	if p != nil {
		p.mu.Lock()
		p.mu.failures, p.mu.retryAt = 0, time.Time{}
		p.mu.Unlock()
	}
}

// connection returns the one that is up, or waits for an attempt. After a
// failed attempt it fails at once for a while, so that Raft's retries do not spin.
func (p *raftPeer) connection(wait time.Duration, stop <-chan struct{}) (*raftConn, error) {
	c, attempt, err := p.state()
	if c != nil || err != nil {
		return c, err
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-attempt:
		return p.outcome()
	case <-timer.C:
		return nil, fmt.Errorf("connecting to %s: %w", p.id, ErrTimeout)
	case <-stop:
		return nil, ErrClosed
	}
}

func (p *raftPeer) state() (*raftConn, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mu.conn != nil:
		return p.mu.conn, nil, nil
	case p.mu.attempt != nil:
		return nil, p.mu.attempt, nil
	case time.Now().Before(p.mu.retryAt):
		return nil, nil, fmt.Errorf("%s: %w: %w", p.id, ErrUnreachable, p.mu.err)
	}
	attempt := make(chan struct{})
	if !p.t.spawn(func() { p.dial(attempt) }) {
		return nil, nil, ErrClosed
	}
	p.mu.attempt = attempt
	return nil, attempt, nil
}

func (p *raftPeer) outcome() (*raftConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.conn != nil {
		return p.mu.conn, nil
	}
	return nil, fmt.Errorf("%s: %w: %w", p.id, ErrUnreachable, p.mu.err)
}

// dial makes the connection and then is its reader.
func (p *raftPeer) dial(attempt chan struct{}) {
	raw, err := p.t.connectPeer(p.id, kindRaft)
	if err != nil {
		p.settle(nil, err)
		close(attempt)
		return
	}
	defer p.t.drop(raw)
	c := newRaftConn(newConn(raw, p.id, &p.t.counters.kinds[kindRaft], MaxRaftFrame))
	p.t.injectFaults(c.conn)
	p.settle(c, nil)
	close(attempt)
	began := time.Now()
	err = c.conn.run(c.receive)
	p.t.logger.Debug("raft connection ended", "peer", string(p.id), "error", err)
	p.lost(c, err, began)
	c.fail(fmt.Errorf("connection to %s: %w", p.id, err))
}

func (p *raftPeer) settle(c *raftConn, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mu.conn, p.mu.attempt, p.mu.err = c, nil, err
	if err != nil {
		p.mu.retryAt = time.Now().Add(p.t.backoff(p.mu.failures, maxRaftBackoff))
		p.mu.failures++
	}
}

// lost: a connection that lived for a while is replaced at once, one that was
// cut right after the greeting counts as a failed attempt.
func (p *raftPeer) lost(c *raftConn, err error, began time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mu.conn != c {
		return
	}
	p.mu.conn, p.mu.err = nil, err
	if errors.Is(err, errIdle) || time.Since(began) > maxRaftBackoff {
		p.mu.failures = 0
		return
	}
	p.mu.retryAt = time.Now().Add(p.t.backoff(p.mu.failures, maxRaftBackoff))
	p.mu.failures++
}

// injectFaults lets a Network lose, repeat and delay Raft's frames.
func (t *TCP) injectFaults(c *conn) {
	if t.faults != nil {
		c.faults = t.faults(t.config.Self, c.peer)
	}
}
