package sim

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

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
	disk    *storage.CrashFS
	votes   *raftlog.Stable
	// skew is how far its wall clock is ahead.
	skew atomic.Int64

	mu struct {
		sync.Mutex

		life *life // nil while there is none
	}
}

// life is one process of a node.
type life struct {
	node *node
	// over is closed when the process ends, one way or the other: whoever was
	// connected to it notices.
	over    chan struct{}
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

// start begins a process on what the disk has.
func (n *node) start() {
	l := &life{node: n, over: make(chan struct{})}
	e := n.episode
	logger := slog.New(&complaints{episode: e, life: l})
	var err error
	l.store, err = storage.Open("data", storage.Options{
		FS: n.disk.FS(), CacheBytes: 1 << 20, MemTableBytes: 256 << 10, Logger: logger,
		OnFatal: func(err error) { e.faultf("%s: its storage failed: %v", n.id, err) },
	})
	if err != nil {
		e.faultf("%s: its disk cannot be opened: %v", n.id, err)
		return
	}
	l.cluster = cluster.New(cluster.Config{
		Self: e.member(n.id), Store: l.store, Stable: n.votes, Tuning: e.plan.tuning, Logger: logger, WallClock: n.now,
	})
	l.link = e.network.Join(transport.Config{
		Self: transport.NodeID(n.id), ClusterID: l.cluster.ClusterID, Handler: l.cluster,
		SnapshotGuard: l.cluster.SnapshotGuard, Durable: l.cluster, Logger: logger,
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
	n.mu.Lock()
	n.mu.life = l
	n.mu.Unlock()
}

// stop ends the process as a SIGTERM does.
func (n *node) stop() {
	l := n.take()
	if l == nil {
		return
	}
	close(l.over)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	l.close(ctx)
}

// crash takes the power away. Of what was not synced, the disk keeps a part. The
// order matters: nothing that is said after the disk is copied may be heard.
func (n *node) crash(keepPercent int, seed uint64) {
	l := n.take()
	if l == nil {
		return
	}
	close(l.over)
	e := n.episode
	e.reach.setDead(n.id, true)
	disk := n.disk.Clone(keepPercent, seed)
	votes := n.votes.CrashClone()
	// The process goes on in a world of its own until it has ended.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l.close(ctx)
	n.disk, n.votes = disk, votes
	e.reach.setDead(n.id, false)
}

func (n *node) take() *life {
	n.mu.Lock()
	defer n.mu.Unlock()
	l := n.mu.life
	n.mu.life = nil
	return l
}

func (l *life) close(ctx context.Context) {
	if ctx.Err() != nil {
		_ = l.link.Close() // First: nobody waits for a peer that cannot answer.
	}
	_ = l.cluster.Stop(ctx) // A crash has no errors.
	_ = l.link.Close()
	_ = l.store.Close()
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
func (c *complaints) Handle(_ context.Context, r slog.Record) error { //nolint:gocritic // The interface wants a value.
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
