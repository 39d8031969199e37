package transport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"sync/atomic"
	"time"
)

// link is the wish for a link with one peer, and the link itself while it is
// up. The node with the smaller id dials.
type link struct {
	t    *TCP
	peer NodeID
	// turn holds one token, taken by the goroutine that runs a connection of
	// this peer from before LinkUp until after LinkDown. It belongs to the
	// peer, not to this wish for it: a peer that is removed and added again
	// waits for its LinkDown.
	turn    chan struct{}
	removed chan struct{} // closed by SetPeers

	conn atomic.Pointer[conn] // up; nil: down
}

// SetPeers replaces the set of nodes that links are kept up with. A link with
// a node that is no longer among them goes down; a link comes up only when
// both nodes have named each other. This node itself is skipped.
func (t *TCP) SetPeers(peers []NodeID) {
	wanted := make(map[NodeID]bool, len(peers))
	t.mu.Lock()
	if t.mu.closed {
		t.mu.Unlock()
		return
	}
	var started, ended []*link
	for _, peer := range peers {
		wanted[peer] = true
		if peer == t.config.Self || t.mu.links[peer] != nil {
			continue
		}
		l := t.newLinkLocked(peer)
		if t.config.Self < peer {
			started = append(started, l)
		}
	}
	for peer, l := range t.mu.links {
		if !wanted[peer] {
			delete(t.mu.links, peer)
			ended = append(ended, l)
		}
	}
	table := maps.Clone(t.mu.links)
	t.linkTable.Store(&table)
	t.mu.Unlock()
	for _, l := range ended {
		close(l.removed)
		l.breakUp(errRemoved)
	}
	for _, l := range started {
		t.spawn(l.keepUp)
	}
}

func (t *TCP) newLinkLocked(peer NodeID) *link {
	turn := t.mu.turns[peer]
	if turn == nil {
		turn = make(chan struct{}, 1)
		turn <- struct{}{}
		t.mu.turns[peer] = turn
	}
	l := &link{t: t, peer: peer, turn: turn, removed: make(chan struct{})}
	t.mu.links[peer] = l
	return l
}

// Send appends a copy of the frame to the link's buffer and wakes its writer.
// Frames arrive in the order sent, all of them until LinkDown. It never waits.
// Errors: ErrLinkDown, ErrLinkFull, ErrFrameTooLarge; with any of them nothing
// was sent.
func (t *TCP) Send(to NodeID, frame []byte) error {
	if len(frame) > MaxLinkFrame {
		return fmt.Errorf("frame of %d bytes: %w", len(frame), ErrFrameTooLarge)
	}
	l := t.link(to)
	if l == nil {
		return ErrLinkDown
	}
	c := l.conn.Load()
	if c == nil {
		return ErrLinkDown
	}
	switch err := c.send(frameData, frame); {
	case err == nil:
		return nil
	case errors.Is(err, errFull):
		return ErrLinkFull
	}
	return ErrLinkDown
}

// link takes no lock: it is on the way of every frame.
func (t *TCP) link(peer NodeID) *link {
	if table := t.linkTable.Load(); table != nil {
		return (*table)[peer]
	}
	return nil
}

func (l *link) breakUp(cause error) {
	if c := l.conn.Load(); c != nil {
		c.close(cause)
	}
}

// keepUp dials until the peer is removed.
func (l *link) keepUp() {
	failures := 0
	for {
		raw, err := l.t.connectPeer(l.peer, kindLink)
		if err == nil {
			began := time.Now()
			if l.takeTurn(nil) {
				l.run(raw)
			}
			l.t.drop(raw)
			if time.Since(began) > maxLinkBackoff {
				failures = 0
			}
		}
		if !l.t.pause(l.t.backoff(failures, maxLinkBackoff), l.removed) {
			return
		}
		failures++
	}
}

// serveLink is the accepting side. A new connection means that the peer has
// given up the old one: it is broken, and its LinkDown comes first.
func (t *TCP) serveLink(raw net.Conn, hello *greeting) {
	l := t.link(hello.sender)
	var refused *RefusedError
	switch {
	case hello.sender >= t.config.Self:
		refused = &RefusedError{Reason: RefusedNotOurDialer, Message: "the node with the smaller id dials"}
	case l == nil:
		refused = &RefusedError{Reason: RefusedNotPeer, Message: string(hello.sender) + " is not a peer here"}
	}
	if refused != nil {
		_ = t.answer(raw, refused)
		return
	}
	l.breakUp(errReplaced)
	timer := time.NewTimer(GreetingTimeout / 2) // The dialing side still waits for the answer.
	defer timer.Stop()
	if !l.takeTurn(timer.C) {
		_ = t.answer(raw, &RefusedError{Reason: RefusedUnavailable, Message: "the last link is still being taken down"})
		return
	}
	if t.welcome(raw) != nil {
		l.turn <- struct{}{}
		return
	}
	l.run(raw)
}

func (l *link) takeTurn(timeout <-chan time.Time) bool {
	select {
	case <-l.removed:
		return false
	default:
	}
	select {
	case <-l.turn:
		return true
	case <-l.removed:
	case <-timeout:
	case <-l.t.life.Done():
	}
	return false
}

// run is a link from LinkUp to LinkDown. The caller has taken the turn.
func (l *link) run(raw net.Conn) {
	defer func() { l.turn <- struct{}{} }()
	t := l.t
	c := newConn(raw, l.peer, &t.counters.kinds[kindLink], MaxLinkFrame)
	c.limit = MaxLinkBuffer
	l.conn.Store(c)
	select {
	case <-l.removed: // It may have looked for a connection before there was one.
		c.close(errRemoved)
	default:
	}
	t.counters.linksUp.Add(1)
	t.config.Handler.LinkUp(l.peer)
	err := c.run(func(kind frameKind, body []byte) error {
		if kind == frameData {
			t.config.Handler.Receive(l.peer, body)
		}
		return nil // Another kind is a later version's: skipped.
	})
	l.conn.Store(nil)
	t.counters.linksUp.Add(-1)
	t.logger.Debug("link down", "peer", string(l.peer), "error", err)
	t.config.Handler.LinkDown(l.peer)
}
