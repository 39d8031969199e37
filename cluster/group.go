package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
)

// groupConfig is what a replicated group is made of.
type groupConfig struct {
	// id is 0 for meta and partition+1 for a partition.
	id         uint32
	partitions uint32
	node       string
	store      *storage.Store
	stable     *raftlog.Stable
	transport  raft.Transport
	tuning     Tuning
	wallClock  func() time.Time
	open       func(*storage.View) (machine, error)
	// duty is nil for meta.
	duty  func(*Group, *storage.State) *duty.Duty
	board func(*Group) *tokens.Board
	// leads is called when this node begins to serve a generation of the group.
	leads  func(group uint32, generation uint64)
	onMeta func(*fsm.Outcome)
	// letters counts what an entry did to dead letters; nil for meta.
	letters func(changes []fsm.LetterChange)
	logger  *slog.Logger
}

// Group is one replicated group on this node: its Raft, its state, its batcher
// and, for a partition, its leader's duties.
type Group struct {
	config  groupConfig
	raft    *raft.Raft
	log     *raftlog.LogStore
	state   *storage.State
	replica *replica
	batcher *batcher
	duty    *duty.Duty
	// board has the partition's token streams; nil for meta.
	board *tokens.Board
	// ends has those who wait for the ends of runs.
	ends runEnds

	// leading is true from the moment Raft says so; serving is the generation
	// whose LeaderStart was applied here, 0 for none.
	// pushing is the same, a moment earlier: what the duties push carries it.
	leading atomic.Bool
	serving atomic.Uint64
	pushing atomic.Uint64

	// uses is what is in use of limits, as the last entry left it.
	uses atomic.Pointer[fsm.LimitUse]

	// hungry has the followers fed.
	hungry chan struct{}

	stop    chan struct{}
	running sync.WaitGroup
}

// packedEntry is what an entry in flight carries of its group's credit.
type packedEntry struct{ packed duty.Packed }

func openGroup(config groupConfig) (*Group, error) {
	g := &Group{config: config, hungry: make(chan struct{}, 1), stop: make(chan struct{})}
	var err error
	if g.state, err = config.store.OpenState(config.id); err != nil {
		return nil, err
	}
	if g.log, err = raftlog.NewLogStore(config.store, config.id); err != nil {
		return nil, err
	}
	if config.duty != nil {
		g.duty = config.duty(g, g.state)
		g.board = config.board(g)
	}
	g.replica = &replica{
		group: config.id, log: g.log, state: g.state, open: config.open, logger: config.logger,
		leading: &g.leading, applied: g.applied, failed: g.quarantine,
	}
	if err = g.replica.load(); err != nil {
		return nil, err
	}
	snapshots := raftlog.NewSnapshotStore(g.state, raftlog.SnapshotOptions{Logger: config.logger})
	g.raft, err = raft.NewRaft(g.raftConfig(), g.replica, g.log, config.stable.Group(config.id), snapshots, config.transport)
	if err != nil {
		return nil, fmt.Errorf("group %d: start raft: %w", config.id, err)
	}
	g.batcher = newBatcher(g)
	g.running.Add(1)
	go g.watchLeadership()
	if g.duty != nil {
		g.running.Go(g.feedFollowers)
	}
	return g, nil
}

// Propose implements duty.Proposer: a command of the leader's own.
func (g *Group) Propose(encoded []byte) {
	g.batcher.add(proposal{encoded: encoded})
}

// Wake implements duty.Proposer.
func (g *Group) Wake() { g.batcher.press() }

func (g *Group) raftConfig() *raft.Config {
	c := raft.DefaultConfig()
	t := g.config.tuning.withDefaults()
	c.LocalID = raft.ServerID(g.config.node)
	c.HeartbeatTimeout, c.ElectionTimeout = t.HeartbeatTimeout, t.HeartbeatTimeout
	c.LeaderLeaseTimeout = t.HeartbeatTimeout
	c.CommitTimeout = 500 * time.Millisecond
	c.MaxAppendEntries = 64
	c.SnapshotInterval, c.SnapshotThreshold, c.TrailingLogs = t.SnapshotInterval, t.SnapshotEntries, t.TrailingEntries
	c.NoSnapshotRestoreOnStart = true
	c.ShutdownOnRemove = false
	c.NoLegacyTelemetry = true
	c.Logger = hclog.New(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Off})
	if g.config.tuning.RaftLog != nil {
		c.Logger = g.config.tuning.RaftLog(g.config.id)
	}
	return c
}

// Tuning is the numbers of Raft that an operator or a test may change. Zero
// fields are the defaults.
type Tuning struct {
	// HeartbeatTimeout is how long a follower waits for its leader: 750 ms, and by
	// chance up to as much again. A split election costs the same once more.
	HeartbeatTimeout time.Duration
	// SnapshotEntries is after how many entries the log is truncated, 8,192;
	// TrailingEntries how many stay behind for slow followers, 8,192;
	// SnapshotInterval how often that is looked at, 20 s.
	SnapshotEntries, TrailingEntries uint64
	// LogBytes bounds either number where entries are large: DefaultLogBytes.
	LogBytes         uint64
	SnapshotInterval time.Duration
	// RaftLog makes a group's Raft logger; nil means silence.
	RaftLog func(group uint32) hclog.Logger
}

// DefaultHeartbeatTimeout has a new leader serve within 3 s of a loss nearly
// always, and stands a processor that is busy with other things for a while.
const DefaultHeartbeatTimeout = 750 * time.Millisecond

func (t Tuning) withDefaults() Tuning {
	if t.HeartbeatTimeout == 0 {
		t.HeartbeatTimeout = DefaultHeartbeatTimeout
	}
	if t.SnapshotEntries == 0 {
		t.SnapshotEntries = 8192
	}
	if t.TrailingEntries == 0 {
		t.TrailingEntries = 8192
	}
	if t.LogBytes == 0 {
		t.LogBytes = DefaultLogBytes
	}
	if t.SnapshotInterval == 0 {
		t.SnapshotInterval = 20 * time.Second
	}
	return t
}

// bootstrap writes the group's first configuration; doing it again is no error.
func (g *Group) bootstrap(members []string) error {
	var configuration raft.Configuration
	for _, id := range members {
		configuration.Servers = append(configuration.Servers, raft.Server{
			Suffrage: raft.Voter, ID: raft.ServerID(id), Address: raft.ServerAddress(id),
		})
	}
	err := g.raft.BootstrapCluster(configuration).Error()
	if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
		return fmt.Errorf("group %d: bootstrap: %w", g.config.id, err)
	}
	return nil
}

// watchLeadership turns Raft's word into a LeaderStart, or an end of duties.
func (g *Group) watchLeadership() {
	defer g.running.Done()
	for {
		select {
		case <-g.stop:
			return
		case leads := <-g.raft.LeaderCh():
			g.resign()
			if leads {
				g.leading.Store(true)
				g.startLeadership()
			}
		}
	}
}

func (g *Group) resign() {
	g.leading.Store(false)
	g.serving.Store(0)
	if g.duty != nil {
		g.duty.Resign()
		g.board.Resign()
	}
	g.ends.wakeAll()
	g.batcher.flush(statusNotLeader)
}

// startLeadership proposes the LeaderStart; when it is applied here, serving
// begins: see applied.
func (g *Group) startLeadership() {
	start := command.LeaderStart{Node: g.config.node, Partitions: g.config.partitions, Epoch: 1}
	if g.config.id > 0 {
		start.Partition = g.config.id - 1
	}
	clock := entryClock{wall: g.config.wallClock}
	header := command.Header{TimeMS: clock.now(), SlotMap: command.SlotMapVersion}
	g.raft.Apply(command.AppendEntry(nil, &header, [][]byte{start.Append(nil)}), 0)
}

// applied acts on an outcome, after its commit, on the goroutine that applies.
func (g *Group) applied(outcome *fsm.Outcome) {
	if g.config.onMeta != nil {
		g.config.onMeta(outcome)
	}
	if !g.leading.Load() {
		return
	}
	if g.config.letters != nil {
		g.config.letters(outcome.Letters)
	}
	if last := g.uses.Load(); last == nil || *last != outcome.Limits {
		use := outcome.Limits // Not of the outcome, which would be kept whole.
		g.uses.Store(&use)
	}
	if started := outcome.Started; started != nil && started.Node == g.config.node {
		g.pushing.Store(started.Generation)
		if g.duty != nil {
			g.duty.Lead(started)
			g.board.Lead()
		}
		g.serving.Store(started.Generation)
		g.config.leads(g.config.id, started.Generation)
	}
	g.ends.wake(outcome.Runs)
	if g.duty != nil {
		g.duty.Applied(outcome)
		tellBoard(g.board, outcome)
	}
}

func (g *Group) quarantine(error) {
	g.leading.Store(false)
	g.serving.Store(0)
	go g.raft.Shutdown()
}

// tick is the leader's clock: lazy commands, leases and timers. It is called
// every duty.TickInterval.
func (g *Group) tick(now time.Time) {
	if g.serving.Load() == 0 {
		return
	}
	g.batcher.pressLazy()
	if g.duty != nil {
		g.duty.Tick(now)
		g.board.Tick(now)
	}
}

// packEntry attaches credit to an entry and makes its header.
func (g *Group) packEntry(commands [][]byte) (packedEntry, command.Header) {
	applied := g.state.Applied()
	header := command.Header{
		Epoch: 1, SlotMap: command.SlotMapVersion, Generation: g.serving.Load(),
		CheckIndex: applied.Index, CheckChain: applied.Chain,
	}
	var p packedEntry
	if g.duty != nil {
		p.packed = g.duty.Pack(commands)
		header.Offers = p.packed.Offers
		if p.packed.Generation != 0 {
			header.Generation = p.packed.Generation
		}
	}
	return p, header
}

func (g *Group) entryDone(p *packedEntry, applied bool) {
	if g.duty != nil {
		g.duty.Done(&p.packed, applied)
	}
}

// serves tells whether this node serves a generation of the group.
func (g *Group) serves(generation uint64) bool {
	return generation != 0 && g.serving.Load() == generation
}

// submit puts a request's command into the log; done is called once.
func (g *Group) submit(encoded []byte, done func(status, *command.Result)) {
	if !g.batcher.add(proposal{encoded: encoded, done: done}) {
		done(statusOverloaded, nil)
	}
}

// submitLazy puts a command into the log with the next entry that is made; it is
// dropped when too much waits.
func (g *Group) submitLazy(encoded []byte) {
	g.batcher.add(proposal{encoded: encoded, lazy: true})
}

// after calls read when everything accepted before is applied here.
func (g *Group) after(read func(status)) {
	g.submit(nil, func(how status, _ *command.Result) { read(how) })
}

// close stops the group; a leader hands over first, as far as it can.
func (g *Group) close(ctx context.Context) error {
	if ctx.Err() == nil && g.leading.Load() && len(g.raft.GetConfiguration().Configuration().Servers) > 1 {
		select {
		case <-answerOf(g.raft.LeadershipTransfer()): // Whoever is left elects a leader anyway.
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	close(g.stop)
	if !g.batcher.end(ctx) {
		g.config.logger.Warn("a group ends with entries under way whose fate is unknown", "group", g.config.id)
	}
	err := g.raft.Shutdown().Error()
	g.batcher.close()
	g.running.Wait()
	return err
}

// answerOf gives a future's answer on a channel. It is for futures that Raft may
// never answer, as a transfer of the leadership that a shutdown overtakes: the
// goroutine that waits is lost then.
func answerOf(future raft.Future) <-chan answer {
	came := make(chan answer, 1)
	go func() { came <- answer{future.Error()} }()
	return came
}

// answer is a future's.
type answer struct{ err error }
