package cluster

import (
	"testing"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
	"github.com/batonmq/baton/transport"
)

// Raft implements transport.Transport: a group that nobody talks to.
func (l *links) Raft(uint32) raft.Transport {
	_, t := raft.NewInmemTransport("n1")
	return t
}

// TestSnapshotsAreJudged offers snapshots to a follower whose log goes to 10 and
// of which nothing is applied: what is in the log is acknowledged, what lies
// beyond it is installed, and what contradicts it has the group opened anew
// without the entries that nobody applied.
func TestSnapshotsAreJudged(t *testing.T) {
	e := newEdge(1)
	alone := &members.Formation{Replicas: 1, Members: []command.Member{{ID: "n1"}}}
	e.formation.Store(alone)
	store, err := storage.Open("data", storage.Options{FS: storage.NewCrashFS().FS()})
	check(t, err)
	e.config.Store, e.config.Stable = store, raftlog.NewMemoryStable()
	log, err := raftlog.NewLogStore(store, MetaGroup)
	check(t, err)
	for index := range uint64(10) {
		check(t, log.StoreLog(&raft.Log{Index: index + 1, Term: 1, Type: raft.LogNoop}))
	}
	check(t, e.openGroups(alone))
	defer func() {
		check(t, e.group(MetaGroup).close(t.Context()))
		check(t, store.Close())
	}()
	judge := func(index, term uint64) transport.SnapshotVerdict {
		return e.SnapshotGuard(MetaGroup, &raft.InstallSnapshotRequest{LastLogIndex: index, LastLogTerm: term})
	}
	if verdict := judge(5, 1); verdict != transport.AcknowledgeStale {
		t.Errorf("a snapshot of what is in the log: %v", verdict)
	}
	if verdict := judge(11, 2); verdict != transport.Install {
		t.Errorf("a snapshot beyond the log: %v", verdict)
	}
	if verdict := judge(0, 0); verdict != transport.AcknowledgeStale {
		t.Errorf("a snapshot of what is applied: %v", verdict)
	}
	before := e.group(MetaGroup)
	if verdict := judge(5, 2); verdict != transport.Conflict {
		t.Errorf("a snapshot that contradicts the log: %v", verdict)
	}
	e.running.Wait()
	after := e.group(MetaGroup)
	if after == nil || after == before {
		t.Fatal("the group was not opened anew")
	}
	if last, err := after.log.LastIndex(); err != nil || last != 0 {
		t.Errorf("the log still ends at %d, %v", last, err)
	}
	if verdict := judge(5, 2); verdict != transport.Install {
		t.Errorf("the same snapshot again: %v", verdict)
	}
}
