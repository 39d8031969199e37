package cluster

import (
	"time"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/transport"
)

const (
	// balanceInterval is how often a node looks whether it leads a group that
	// another node should.
	balanceInterval = 5 * time.Second
	// balanceAfter is how long leadership and the link to the other node must have
	// lasted before it moves.
	balanceAfter = 10 * time.Second
	// balancePause is how long a group is left alone after its leadership did not
	// move: meanwhile it takes no commands.
	balancePause = time.Minute
)

// balancer moves leaderships back to where they are spread evenly: to the first
// of each group's founders. Elections leave them anywhere, and after a restart
// the node that was away leads nothing.
type balancer struct {
	looked time.Time
	// since is when each group was first seen to be led here, without a break.
	since map[uint32]time.Time
	// paused is until when a group is left alone.
	paused map[uint32]time.Time
}

func newBalancer() *balancer {
	return &balancer{since: make(map[uint32]time.Time), paused: make(map[uint32]time.Time)}
}

// next is a group led here whose leadership should move, and where to.
func (b *balancer) next(now time.Time, c *Cluster) (g *Group, to transport.NodeID) {
	f := c.formation.Load()
	if f == nil || now.Sub(b.looked) < balanceInterval {
		return nil, ""
	}
	b.looked = now
	for _, candidate := range c.allGroups() {
		id := candidate.config.id
		first := transport.NodeID(founders(f, id)[0])
		if candidate.serving.Load() == 0 || string(first) == c.config.Self.ID {
			delete(b.since, id)
			continue
		}
		if _, known := b.since[id]; !known {
			b.since[id] = now
		}
		linked, up := c.linkedSince(first)
		if g == nil && up && now.Sub(linked) >= balanceAfter && now.Sub(b.since[id]) >= balanceAfter && now.After(b.paused[id]) {
			g, to = candidate, first
		}
	}
	if g != nil {
		b.paused[g.config.id] = now.Add(balancePause)
	}
	return g, to
}

// linkedSince is when the link to a peer came up.
func (c *Cluster) linkedSince(peer transport.NodeID) (since time.Time, up bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	since, up = c.mu.linked[peer]
	return since, up
}

// handOver moves the group's leadership to another replica. Commands that come
// meanwhile are sent again by their lanes.
func (g *Group) handOver(to transport.NodeID) {
	select {
	case a := <-answerOf(g.raft.LeadershipTransferToServer(raft.ServerID(to), raft.ServerAddress(to))):
		g.config.logger.Info("a leadership moves to where it began", "group", g.config.id, "to", string(to), "error", a.err)
	case <-g.stop:
	}
}
