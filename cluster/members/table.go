package members

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// State is what gossip believes of a node. It is a hint, never a decision.
type State uint8

const (
	// Alive: it answers.
	Alive State = iota
	// Suspect: it has not answered this node's pings for a while.
	Suspect
	// Dead: gossip gave it up, or never saw it.
	Dead
	// Left: it said good-bye.
	Left
)

// String is the state in a word.
func (s State) String() string {
	switch s {
	case Alive:
		return "alive"
	case Suspect:
		return "suspect"
	case Dead:
		return "dead"
	case Left:
		return "left"
	}
	return "unknown"
}

// Peer is one line of the member table.
type Peer struct {
	command.Member

	State State
	// Self marks this node.
	Self bool
	// ClusterID is the cluster it says it belongs to, "" while it has none.
	ClusterID string
}

// node is what gossip knows of one ID.
type node struct {
	member  command.Member
	meta    meta
	state   State
	heardAt time.Time // the last answered ping, or the last sign of life
	endedAt time.Time
}

// table joins gossip with the meta group's list. Its lock is a leaf: memberlist
// calls in under its own lock, so nothing may call memberlist while holding it.
type table struct {
	self   string
	forget time.Duration // how long a dead stranger is kept
	mu     struct {
		lock     sync.Mutex
		nodes    map[string]*node
		admitted []command.Member
		// quietSince is when the candidates for founding last changed.
		quietSince time.Time
	}
}

func newTable(self string, forget time.Duration) *table {
	t := &table{self: self, forget: forget}
	t.mu.nodes = map[string]*node{}
	t.mu.quietSince = time.Now()
	return t
}

// full tells whether an unknown node must be turned away.
func (t *table) full(id string) bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	return t.mu.nodes[id] == nil && len(t.mu.nodes) >= MaxTable
}

// seen takes news of a living node, and tells whether the table changed.
func (t *table) seen(member command.Member, m meta) bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	now := time.Now()
	old := t.mu.nodes[member.ID]
	if old != nil && old.state == Alive && old.member == member && old.meta == m {
		old.heardAt = now
		return false
	}
	t.mu.nodes[member.ID] = &node{member: member, meta: m, heardAt: now}
	t.mu.quietSince = now
	return true
}

// gone takes the end of a node.
func (t *table) gone(id string) bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	n := t.mu.nodes[id]
	if n == nil || n.state == Dead || n.state == Left {
		return false
	}
	n.state, n.endedAt = Dead, time.Now()
	if n.meta.leaving {
		n.state = Left
	}
	t.mu.quietSince = n.endedAt
	return true
}

// answered takes an answered ping.
func (t *table) answered(id string) bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	n := t.mu.nodes[id]
	if n == nil {
		return false
	}
	n.heardAt = time.Now()
	if n.state != Suspect {
		return false
	}
	n.state = Alive // Like the suspicion, this does not unsettle the candidates.
	return true
}

// sweep suspects the silent and forgets dead strangers.
func (t *table) sweep(timing *Timing) bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	now, living := time.Now(), 0
	for _, n := range t.mu.nodes {
		if n.state == Alive || n.state == Suspect {
			living++
		}
	}
	// Each round of pings visits every other node once, in a new order.
	patience := time.Duration(2*max(1, living-1))*timing.Probe + timing.ProbeTimeout
	changed := false
	for id, n := range t.mu.nodes {
		switch {
		case id == t.self:
		case n.state == Alive && now.Sub(n.heardAt) > patience:
			n.state, changed = Suspect, true
		case !n.endedAt.IsZero() && now.Sub(n.endedAt) > t.forget && !hasMember(t.mu.admitted, id):
			delete(t.mu.nodes, id)
			changed = true
		}
	}
	return changed
}

func (t *table) setAdmitted(list []command.Member) bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	list = slices.Clone(list)
	sortMembers(list)
	if slices.Equal(list, t.mu.admitted) {
		return false
	}
	t.mu.admitted = list
	return true
}

// peers lists everyone but the members of other clusters.
func (t *table) peers(clusterID string) []Peer {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	list := make([]Peer, 0, len(t.mu.nodes)+len(t.mu.admitted))
	for id, n := range t.mu.nodes {
		if clusterID != "" && n.meta.clusterID != "" && n.meta.clusterID != clusterID {
			continue
		}
		p := Peer{Member: n.member, State: n.state, Self: id == t.self, ClusterID: n.meta.clusterID}
		if i := slices.IndexFunc(t.mu.admitted, func(m command.Member) bool { return m.ID == id }); i >= 0 {
			p.AdmittedMS = t.mu.admitted[i].AdmittedMS
		}
		list = append(list, p)
	}
	for _, m := range t.mu.admitted {
		if t.mu.nodes[m.ID] == nil {
			list = append(list, Peer{Member: m, State: Dead, Self: m.ID == t.self, ClusterID: clusterID})
		}
	}
	slices.SortFunc(list, func(a, b Peer) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// view is what the machine is shown.
func (t *table) view(settle time.Duration) view {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	v := view{settled: time.Since(t.mu.quietSince) >= settle, admitted: t.mu.admitted}
	for _, n := range t.mu.nodes {
		if (n.state == Alive || n.state == Suspect) && !n.meta.leaving {
			v.alive = append(v.alive, candidate{member: n.member, expect: n.meta.expect, cluster: n.meta.clusterID})
		}
	}
	return v
}

func (t *table) peerAddress(id string) (string, bool) {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	if n := t.mu.nodes[id]; n != nil {
		return n.member.PeerAddress, true
	}
	for i := range t.mu.admitted {
		if t.mu.admitted[i].ID == id {
			return t.mu.admitted[i].PeerAddress, true
		}
	}
	return "", false
}

// living are the gossip addresses of the other nodes that gossip reaches.
func (t *table) living() map[string]bool {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	addresses := map[string]bool{}
	for id, n := range t.mu.nodes {
		if id != t.self && (n.state == Alive || n.state == Suspect) {
			addresses[n.member.GossipAddress] = true
		}
	}
	return addresses
}

func (t *table) admittedList() []command.Member {
	t.mu.lock.Lock()
	defer t.mu.lock.Unlock()
	return t.mu.admitted // Replaced as a whole, never changed.
}
