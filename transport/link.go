package transport

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"sync/atomic"
	"time"
)

// linkKey names a link: there is one of kindLink with each peer, and one of
// kindChunks beside it.
type linkKey struct {
	peer NodeID
	kind connKind
}

// link is the wish for a link with one peer, and the link itself while it is
// up. The node with the smaller id dials.
type link struct {
	linkKey

	t *TCP
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
		for _, kind := range [...]connKind{kindLink, kindChunks} {
			key := linkKey{peer, kind}
			if peer == t.config.Self || t.mu.links[key] != nil {
				continue
			}
			l := t.newLinkLocked(key)
			if t.config.Self < peer {
				started = append(started, l)
			}
		}
	}
	for key, l := range t.mu.links {
		if !wanted[key.peer] {
			delete(t.mu.links, key)
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

func (t *TCP) newLinkLocked(key linkKey) *link {
	turn := t.mu.turns[key]
	if turn == nil {
		turn = make(chan struct{}, 1)
		turn <- struct{}{}
		t.mu.turns[key] = turn
	}
	l := &link{linkKey: key, t: t, turn: turn, removed: make(chan struct{})}
	t.mu.links[key] = l
	return l
}

// Send appends a copy of the frame to the link's buffer and wakes its writer.
// Frames arrive in the order sent, all of them until LinkDown. It never waits.
// Errors: ErrLinkDown, ErrLinkFull, ErrFrameTooLarge; with any of them nothing
// was sent.
func (t *TCP) Send(to NodeID, frame []byte) error {
	return t.send(linkKey{to, kindLink}, MaxLinkFrame, frame)
}

// SendChunk is Send over the peer's other connection, which holds nothing else
// up, and whose buffer is small: what finds no room there is the caller's to drop.
func (t *TCP) SendChunk(to NodeID, frame []byte) error {
	return t.send(linkKey{to, kindChunks}, MaxChunkFrame, frame)
}

func (t *TCP) send(to linkKey, most int, frame []byte) error {
	if len(frame) > most {
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
func (t *TCP) link(key linkKey) *link {
	if table := t.linkTable.Load(); table != nil {
		return (*table)[key]
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
		raw, err := l.t.connectPeer(l.peer, l.kind)
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
	l := t.link(linkKey{hello.sender, hello.kind})
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

// run is a link from up to down. The caller has taken the turn.
func (l *link) run(raw net.Conn) {
	defer func() { l.turn <- struct{}{} }()
	t := l.t
	most, limit := MaxLinkFrame, MaxLinkBuffer
	if l.kind == kindChunks {
		most, limit = MaxChunkFrame, MaxChunkBuffer
	}
	c := newConn(raw, l.peer, &t.counters.kinds[l.kind], most)
	c.limit = limit
	l.conn.Store(c)
	select {
	case <-l.removed: // It may have looked for a connection before there was one.
		c.close(errRemoved)
	default:
	}
	l.up()
	err := c.run(func(kind frameKind, body []byte) error {
		if kind == frameData {
			l.receive(body)
		}
		return nil // Another kind is a later version's: skipped.
	})
	l.conn.Store(nil)
	t.logger.Debug("link down", "peer", string(l.peer), "kind", l.kind.String(), "error", err)
	l.down()
}

func (l *link) up() {
	if l.kind == kindChunks {
		l.t.config.Chunks.ChunksUp(l.peer)
		return
	}
	l.t.counters.linksUp.Add(1)
	l.t.config.Handler.LinkUp(l.peer)
}

func (l *link) receive(body []byte) {
	if l.kind == kindChunks {
		l.t.config.Chunks.ReceiveChunk(l.peer, body)
		return
	}
	l.t.config.Handler.Receive(l.peer, body)
}

func (l *link) down() {
	if l.kind == kindChunks {
		return // Nobody counts on what was sent over it.
	}
	l.t.counters.linksUp.Add(-1)
	l.t.config.Handler.LinkDown(l.peer)
}
