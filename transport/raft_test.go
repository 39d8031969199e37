package transport

import (
	"fmt"
	"testing"

	"github.com/hashicorp/raft"
)

// TestGroupsElectReplicateAndSurviveACut runs real Rafts over one connection per direction.
func TestGroupsElectReplicateAndSurviveACut(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		const groups = 4
		c := startCluster(t, n, groups)
		defer c.stop(t)
		for g := range uint32(groups) {
			for i := range 20 {
				c.commit(t, g, fmt.Sprint(i))
			}
		}
		n.breakAll()
		for g := range uint32(groups) {
			c.commit(t, g, "after")
			c.converge(t, g, 21)
		}
	})
}

// TestLeadershipTransfer moves a leader by TimeoutNow.
func TestLeadershipTransfer(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		c := startCluster(t, n, 1)
		defer c.stop(t)
		c.commit(t, 0, "x")
		c.converge(t, 0, 1)
		old := c.leader(t, 0)
		eventually(t, "the leadership moves", func() bool {
			return old.raft.LeadershipTransfer().Error() == nil
		})
		eventually(t, "another one leads", func() bool {
			return old.raft.State() == raft.Follower && c.leader(t, 0) != old
		})
	})
}

// TestSnapshotBringsANewNodeUp adds a node whose entries are no longer in the log.
func TestSnapshotBringsANewNodeUp(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		c := startCluster(t, n, 1)
		defer c.stop(t)
		for i := range 200 {
			c.commit(t, 0, fmt.Sprintf("%d %0200d", i, i))
		}
		leader := c.leader(t, 0)
		config := leader.raft.ReloadableConfig()
		config.TrailingLogs = 1
		must(t, leader.raft.ReloadConfig(config))
		must(t, leader.raft.Snapshot().Error())

		fresh := n.join(t, Config{Self: "d.1"})
		fresh.Start()
		c.nodes["d.1"] = fresh
		r := startReplica(t, fresh, "d.1", 0, nil)
		c.groups[0] = append(c.groups[0], r)
		must(t, leader.raft.AddNonvoter("d.1", "d.1", 0, deadline).Error())
		c.commit(t, 0, "after")
		c.converge(t, 0, 201)
		if stats := c.nodes[leader.id].Stats(); stats.Snapshot.Dialed == 0 {
			t.Fatalf("no snapshot was sent: %+v", stats)
		}
	})
}
