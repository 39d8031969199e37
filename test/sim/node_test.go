package sim

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
	"github.com/batonmq/baton/transport"
)

// node is a computer: a disk, votes and a clock, which outlive the processes that
// run on it one after the other.
type node struct {
	episode *episode
	id      string
	// skew is how far its wall clock is ahead.
	skew atomic.Int64
	// longestSync is how long a sync of its disk takes at most, in nanoseconds; pace
	// draws how long.
	longestSync atomic.Int64
	pace        *rand.Rand // used with the disk's lock held
	// fast means that the process has been sent a snapshot: see judgeSnapshot.
	fast atomic.Bool

	mu struct {
		sync.Mutex

		life  *life // nil while there is none
		disk  *storage.CrashFS
		votes *raftlog.Stable
	}
}

// life is one process of a node.
type life struct {
	node *node
	// over is closed when the process ends, one way or the other: whoever was
	// connected to it notices, and hears nothing of it any more. hearing is held
	// while somebody does.
	over    chan struct{}
	hearing sync.RWMutex
	disk    *storage.CrashFS
	votes   *raftlog.Stable
	cluster *cluster.Cluster
	link    *transport.Memory
	store   *storage.Store
}

// now is the node's wall clock.
func (n *node) now() time.Time { return time.Now().Add(time.Duration(n.skew.Load())) }

// current is the process that runs, nil for none.
func (n *node) current() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.life
}

// hard is the node's disk as it is now, soft its votes.
func (n *node) hard() *storage.CrashFS {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.disk
}

func (n *node) soft() *raftlog.Stable {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.votes
}

// keep is what remains of the node for its next process.
func (n *node) keep(disk *storage.CrashFS, votes *raftlog.Stable) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.disk, n.mu.votes = disk, votes
}

// start begins a process on what the disk has.
func (n *node) start() {
	l := &life{node: n, over: make(chan struct{}), disk: n.hard(), votes: n.soft()}
	e := n.episode
	logger := slog.New(&complaints{episode: e, life: l})
	var err error
	l.store, err = storage.Open("data", storage.Options{
		// Larger memtables than an episode fills: see storage.CrashFS.Slow.
		FS: l.disk.FS(), CacheBytes: 1 << 20, MemTableBytes: 4 << 20, Logger: logger,
		OnFatal: func(err error) { e.faultf("%s: its storage failed: %v", n.id, err) },
	})
	if err != nil {
		e.faultf("%s: its disk cannot be opened: %v", n.id, err)
		return
	}
	l.cluster = cluster.New(cluster.Config{
		Self: e.member(n.id), Store: l.store, Stable: l.votes, Tuning: e.plan.tuning, Logger: logger, WallClock: n.now,
	})
	l.link = e.network.Join(transport.Config{
		Self: transport.NodeID(n.id), ClusterID: l.cluster.ClusterID, Handler: l.cluster,
		SnapshotGuard: l.judgeSnapshot, Durable: l.cluster, Logger: logger,
	})
	table, err := members.New(members.Config{
		Self: e.member(n.id), GossipListen: "127.0.0.1:0", Local: l.store, Call: l.link.Call, Logger: logger,
		Hooks: members.Hooks{
			Formed: l.cluster.Formed, Admit: l.cluster.Admit, Changed: l.cluster.PeersChanged,
		},
	})
	if err != nil {
		e.faultf("%s: its members cannot be made: %v", n.id, err)
		return
	}
	// Gossip needs sockets: the members are those that founded the cluster.
	l.cluster.Start(l.link, table)
	l.link.Start()
	if err := l.cluster.Formed(e.formation(), true); err != nil {
		e.faultf("%s: cannot open its groups: %v", n.id, err)
	}
	n.fast.Store(false)
	n.slowDown()
	n.mu.Lock()
	n.mu.life = l
	n.mu.Unlock()
}

// slowDown gives the disk the pace that the episode has for it.
func (n *node) slowDown() {
	disk := n.hard()
	if longest := n.longestSync.Load(); longest > 0 && !n.fast.Load() {
		disk.Slow(func() time.Duration { return time.Duration(n.pace.Int64N(longest)) })
	} else {
		disk.Slow(nil)
	}
}

// judgeSnapshot has the disk be fast from the first snapshot on that a process is
// sent: see storage.CrashFS.Slow.
func (l *life) judgeSnapshot(group uint32, request *raft.InstallSnapshotRequest) transport.SnapshotVerdict {
	e := l.node.episode
	if !l.ended() {
		l.node.fast.Store(true)
		l.disk.Slow(nil)
	}
	verdict := l.cluster.SnapshotGuard(group, request)
	e.tally.count([]string{"snapshots installed", "snapshots stale", "snapshots in conflict"}[verdict], 1)
	return verdict
}

// stop ends the process as a SIGTERM does.
func (n *node) stop() {
	l := n.take()
	if l == nil {
		return
	}
	l.end()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l.close(ctx)
}

// crash takes the power away. Of what was not synced, the disk keeps a part; what
// was sent may still arrive. The order matters: nothing that is said after the
// disk is copied may be heard.
func (n *node) crash(keepPercent int, seed uint64) {
	l := n.take()
	if l == nil {
		return
	}
	l.end()
	l.link.Unplug(seed%2 == 0)
	disk := l.disk.Clone(keepPercent, seed)
	n.keep(disk, l.votes.CrashClone())
	// The process goes on in a world of its own until it has ended.
	n.episode.ghosts.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		l.close(ctx)
	})
}

func (n *node) take() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.mu.life
	n.mu.life = nil
	return l
}

func (l *life) close(ctx context.Context) {
	_ = l.cluster.Stop(ctx) // A crash has no errors.
	l.disk.Slow(nil)
	_ = l.link.Close()
	_ = l.store.Close()
}

// end ends what others hear of the process.
func (l *life) end() {
	l.hearing.Lock()
	defer l.hearing.Unlock()
	close(l.over)
}

// hear is how a word of the process reaches somebody: not when it is over.
func (l *life) hear(word func()) {
	l.hearing.RLock()
	defer l.hearing.RUnlock()
	if !l.ended() {
		word()
	}
}

// ended tells whether the process is over.
func (l *life) ended() bool {
	select {
	case <-l.over:
		return true
	default:
		return false
	}
}

// complaints is a node's log: an error in it is a fault of the cluster, unless the
// process is at its end.
type complaints struct {
	episode *episode
	life    *life
	with    []slog.Attr
}

// Enabled implements slog.Handler.
func (c *complaints) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelError
}

// Handle implements slog.Handler.
func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	if c.life.ended() {
		return nil
	}
	text := r.Message
	attrs := append([]slog.Attr(nil), c.with...)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	for _, a := range attrs {
		text += " " + a.String()
	}
	c.episode.faultf("%s complains: %s", c.life.node.id, text)
	return nil
}

// WithAttrs implements slog.Handler.
func (c *complaints) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &complaints{episode: c.episode, life: c.life, with: append(append([]slog.Attr(nil), c.with...), attrs...)}
}

// WithGroup implements slog.Handler.
func (c *complaints) WithGroup(string) slog.Handler { return c }

func (e *episode) member(id string) command.Member {
	return command.Member{ID: id, Name: id[:1], PeerAddress: id, GossipAddress: id, ClientURL: "http://" + id, Version: "sim"}
}

func (e *episode) formation() members.Formation {
	f := members.Formation{
		ClusterID: "simulated", Partitions: e.plan.partitions, Replicas: 3, LeaseKey: make([]byte, 32),
	}
	for _, n := range e.nodes {
		f.Members = append(f.Members, e.member(n.id))
	}
	return f
}
