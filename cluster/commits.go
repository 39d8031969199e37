package cluster

import (
	"slices"
	"sync/atomic"

	"github.com/batonmq/baton/fsm/command"
)

// How far a named follower is, as the state keeps it: commits while it lives, and the
// last ones when it ends.

// Commit implements Follower.
func (f *follower) Commit(cursor []byte) error {
	positions, err := parseCursor(cursor, f.cluster.Epoch(0), f.spec.Channel, f.cluster.Partitions())
	if err != nil {
		return err
	}
	f.mu.Lock()
	for p := range f.mu.feeds {
		if feed := &f.mu.feeds[p]; positions[p] > feed.committed && !f.mu.closed {
			feed.committed = positions[p]
			f.cluster.SubmitLazy(uint32(p), f.commitOf(positions[p]))
		}
	}
	f.mu.out = slices.DeleteFunc(f.mu.out, func(m mark) bool { return m.position <= positions[m.partition] })
	f.mu.Unlock()
	f.deliver()
	return nil
}

// Close implements Follower. What was committed is said once more, with answers
// waited for: the commits before may have been lost with a link or a leader.
func (f *follower) Close(to Replier, slot uint64) {
	f.cluster.forgetFollower(f.id)
	last := &lastCommits{to: to, slot: slot}
	last.left.Store(1)
	f.delivering.Lock()
	f.mu.Lock()
	for p := range f.mu.feeds {
		f.leaveLocked(p, last)
	}
	f.mu.closed = true
	f.mu.Unlock()
	f.delivering.Unlock()
	last.Reply(0, &command.Result{})
}

// leaveLocked ends a partition's part.
func (f *follower) leaveLocked(partition int, last *lastCommits) {
	feed := &f.mu.feeds[partition]
	feed.piece = nil
	if f.mu.closed {
		return
	}
	if feed.want != nil && f.cluster.wants.leave(f, feed.want) {
		f.cluster.unask(feed.want)
	}
	if feed.committed > feed.kept {
		last.left.Add(1)
		f.cluster.Submit(partitionGroup(partition)-1, f.commitOf(feed.committed), last, 0)
	}
}

func (f *follower) commitOf(position uint64) []byte {
	return f.nameCommand(position, command.FollowCommit)
}

func (f *follower) nameCommand(position uint64, begin command.FollowBegin) []byte {
	c := command.CommitFollower{
		Route:  command.Route{SlotMap: command.SlotMapVersion},
		Tenant: f.spec.Tenant, Channel: f.spec.Channel, Name: f.spec.Name, Position: position, Begin: begin,
	}
	return c.Append(nil)
}

// lastCommits is a Replier that answers another one when all partitions have
// answered, with the first refusal if there is one.
type lastCommits struct {
	to     Replier
	slot   uint64
	left   atomic.Int32
	refuse atomic.Pointer[command.Result]
}

// Reply implements Replier.
func (l *lastCommits) Reply(_ uint64, result *command.Result) {
	if result.Reason != command.Done {
		refused := *result
		l.refuse.CompareAndSwap(nil, &refused)
	}
	if l.left.Add(-1) > 0 || l.to == nil {
		return
	}
	if refused := l.refuse.Load(); refused != nil {
		l.to.Reply(l.slot, refused)
		return
	}
	l.to.Reply(l.slot, &command.Result{})
}
