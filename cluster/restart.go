package cluster

import (
	"context"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/transport"
)

// SnapshotGuard judges an InstallSnapshot before Raft sees it, which takes every
// snapshot at its word. One that holds nothing new is acknowledged. One that
// contradicts the log here, which goes on beyond it, would leave Raft with the
// index of an entry that is gone (hashicorp/raft #697): it is refused, and the
// group opened anew without those entries, which nobody has applied.
func (c *Cluster) SnapshotGuard(group uint32, request *raft.InstallSnapshotRequest) transport.SnapshotVerdict {
	g := c.group(group)
	if g == nil {
		return transport.Install
	}
	var entry raft.Log
	err := g.log.GetLog(request.LastLogIndex, &entry)
	last, _ := g.log.LastIndex() // It reads two numbers in memory.
	switch {
	case request.LastLogIndex <= g.state.Applied().Index, err == nil && entry.Term == request.LastLogTerm:
		return transport.AcknowledgeStale
	case last > request.LastLogIndex:
		c.running.Go(func() { c.restart(g) })
		return transport.Conflict
	default:
		return transport.Install
	}
}

// restart opens a group anew, with the log cut after what is applied.
func (c *Cluster) restart(g *Group) {
	c.restarting.Lock()
	defer c.restarting.Unlock()
	if c.restarting.closing || c.group(g.config.id) != g {
		return // Somebody was here before.
	}
	logger := c.config.Logger.With("group", g.config.id)
	logger.Warn("a snapshot contradicts the log here: the group is opened anew without what was not applied")
	fresh, err := c.reopen(g)
	if err != nil {
		logger.Error("the group cannot be opened anew: this node goes on without it until it is started again", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.groups[g.config.id] = fresh
}

func (c *Cluster) reopen(g *Group) (*Group, error) {
	c.mu.Lock()
	delete(c.mu.groups, g.config.id)
	c.mu.Unlock()
	if err := g.close(context.Background()); err != nil {
		return nil, fmt.Errorf("close: %w", err)
	}
	last, err := g.log.LastIndex()
	if err == nil {
		err = g.log.DeleteRange(g.state.Applied().Index+1, last)
	}
	if err != nil {
		return nil, fmt.Errorf("cut the log: %w", err)
	}
	return openGroup(c.groupConfig(c.formation.Load(), g.config.id))
}
