package members

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/batonmq/baton/fsm/command"
)

// ErrNotFormed is returned to a node that asks to join one that has no cluster,
// or does not serve it yet.
var ErrNotFormed = errors.New("members: this node is not part of a cluster yet")

// ErrNotRunning is returned to a node that asks before Start or after Stop.
var ErrNotRunning = errors.New("members: not running")

// Members is one node's view of the cluster and its place in it.
type Members struct {
	config Config
	logger *slog.Logger
	table  *table

	// mu guards the machine; writes to LocalStore happen under it, hooks and calls
	// never do.
	mu struct {
		lock    sync.Mutex
		machine *machine
		// trouble is what ended founding or joining, above all Hooks.Formed's error.
		trouble error
		// serving is true from Start to Stop: nothing is written outside.
		serving bool
	}
	// formation is set once, before Hooks.Formed is called.
	formation atomic.Pointer[Formation]
	// ready is set when Hooks.Formed has succeeded: only then is the cluster shown
	// in gossip, and others admitted.
	ready atomic.Bool

	// address is the gossip address, known from Start on.
	address atomic.Pointer[string]

	wake  chan struct{} // founding: something may be possible now
	dirty chan struct{} // the table has changed

	life struct {
		lock   sync.Mutex
		gossip *gossip
		cancel context.CancelFunc
		ended  bool
	}
	loops sync.WaitGroup
}

// New reads what this node has promised. It opens no socket and starts nothing.
func New(c Config) (*Members, error) {
	if err := c.prepare(); err != nil {
		return nil, err
	}
	if err := checkMeta(&c); err != nil {
		return nil, err
	}
	m := &Members{
		config: c, logger: c.Logger, table: newTable(c.Self.ID, c.Timing.Forget),
		wake: make(chan struct{}, 1), dirty: make(chan struct{}, 1),
	}
	var err error
	if m.mu.machine, err = newMachine(&m.config, rand.Reader); err != nil {
		return nil, err
	}
	if m.mu.machine.row.standing == formed {
		f := m.mu.machine.row.formation
		m.formation.Store(&f)
	}
	return m, nil
}

// Start begins to gossip. A node that belongs to a cluster already, or founds one
// alone, has had Hooks.Formed called when Start returns; its error is Start's. ctx
// bounds the start only: Stop ends what it began.
func (m *Members) Start(ctx context.Context) error {
	m.life.lock.Lock()
	defer m.life.lock.Unlock()
	if m.life.gossip != nil || m.life.ended {
		return errors.New("members: started twice")
	}
	g, err := openGossip(ctx, m)
	if err != nil {
		return err
	}
	if err := m.begin(g); err != nil {
		return errors.Join(err, g.close())
	}
	m.life.gossip = g
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	m.life.cancel = cancel
	m.setServing(true)
	m.loops.Go(func() { m.found(life, g) })
	m.loops.Go(func() { m.seek(life, g) })
	m.loops.Go(func() { m.tell(life) })
	return nil
}

// Stop leaves gossip and returns when every goroutine of this package has ended.
// It takes at most a few seconds (Timing.Leave twice, and a gossip stream's timeout).
func (m *Members) Stop() error {
	m.life.lock.Lock()
	defer m.life.lock.Unlock()
	m.life.ended = true
	if m.life.gossip == nil {
		return nil
	}
	m.setServing(false)
	m.life.cancel()
	m.loops.Wait()
	err := m.life.gossip.close()
	m.life.gossip = nil
	if err != nil {
		return fmt.Errorf("stop gossip: %w", err)
	}
	return nil
}

// ClusterID is this node's cluster, "" until it has one. It is known from New on
// for a node that belongs already.
func (m *Members) ClusterID() string {
	if f := m.formation.Load(); f != nil {
		return f.ClusterID
	}
	return ""
}

// Table lists every known node once, by ID: gossip's, and admitted ones that
// gossip does not know, as dead. Nodes of other clusters are not listed.
func (m *Members) Table() []Peer { return m.table.peers(m.ClusterID()) }

// SetAdmitted takes the members in the meta group's state. Their addresses are
// used where gossip has none.
func (m *Members) SetAdmitted(list []command.Member) {
	if m.table.setAdmitted(list) {
		m.nudge()
	}
}

// PeerAddress is where a node listens for peers: as gossip says, else as admitted,
// else as founded. It implements transport.Resolver but for the type of the id.
func (m *Members) PeerAddress(id string) (string, bool) {
	if address, ok := m.table.peerAddress(id); ok {
		return address, true
	}
	for _, member := range m.bound() {
		if member.ID == id {
			return member.PeerAddress, true
		}
	}
	return "", false
}

// GossipAddress is what others can join; "" before Start.
func (m *Members) GossipAddress() string {
	if address := m.address.Load(); address != nil {
		return *address
	}
	return ""
}

// begin does what needs nobody else.
func (m *Members) begin(g *gossip) error {
	m.mu.lock.Lock()
	m.mu.machine.self.GossipAddress = g.address
	m.address.Store(&g.address)
	alone := m.config.Expect == 1 && m.mu.machine.row.standing != formed
	var err error
	if alone {
		_, err = m.mu.machine.plan(view{settled: true, alive: []candidate{{member: m.mu.machine.self, expect: 1}}})
	}
	m.mu.lock.Unlock()
	if err != nil {
		return err
	}
	return m.enter(g)
}

// shownID is the cluster id in gossip: of a cluster this node can already serve.
func (m *Members) shownID() string {
	if m.ready.Load() {
		return m.ClusterID()
	}
	return ""
}

// bound are the nodes of this node's cluster or promise, as its row knows them.
func (m *Members) bound() []command.Member {
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	if row := &m.mu.machine.row; row.standing == promised {
		return row.promise.members
	}
	return m.mu.machine.row.formation.Members
}

func (m *Members) setServing(serving bool) {
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	m.mu.serving = serving
}

func (m *Members) running() bool {
	m.mu.lock.Lock()
	defer m.mu.lock.Unlock()
	return m.mu.serving
}

// nudge says that the table has changed. It never blocks.
func (m *Members) nudge() {
	poke(m.dirty)
	poke(m.wake)
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
