package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/storage/raftlog"
	"github.com/batonmq/baton/transport"
)

// MetaGroup is the group that holds what belongs to the whole cluster;
// partition p is group p+1.
const MetaGroup = 0

// sweepInterval is how often couriers and subscriptions look for what nobody
// answered, or could not be told.
const sweepInterval = time.Second

// Config is what a node's Cluster works with.
type Config struct {
	// Self is this member.
	Self   command.Member
	Store  *storage.Store
	Stable *raftlog.Stable
	Tuning Tuning
	Logger *slog.Logger
	// WallClock is what entries are stamped by; nil means time.Now. Terms and
	// timeouts go by the monotonic clock, whatever this one says.
	WallClock func() time.Time
}

// Cluster is one node's part in the cluster. It is safe for concurrent use.
type Cluster struct {
	config    Config
	transport transport.Transport
	members   *members.Members
	loop      *loop

	nextID  atomic.Uint64
	made    time.Time
	letters letterCounts
	// formation is set once, when the node belongs to a cluster.
	formation atomic.Pointer[members.Formation]
	// lanes are made with the formation: one for each group.
	lanes  atomic.Pointer[[]*lane]
	known  knownGroups
	tokens tokenEdge
	spread spread
	wants  wants

	mu struct {
		sync.RWMutex

		groups        map[uint32]*Group
		linked        map[transport.NodeID]time.Time // since when
		subscriptions map[uint64]*subscription
		couriers      map[uint64]*courier
		followers     map[uint64]*follower
		admitted      []command.Member
	}
	stop    chan struct{}
	running sync.WaitGroup
	roster  roster
	// credentials is what this node knows of tokens.
	credentials credentials
	// restarting is held while a group is opened anew; closing means that none will
	// be any more.
	restarting struct {
		sync.Mutex

		closing bool
	}
}

// New returns a Cluster that is not started. Give its methods LinkUp, LinkDown
// and Receive to the transport, then call Start.
func New(config Config) *Cluster {
	if config.WallClock == nil {
		config.WallClock = time.Now
	}
	c := &Cluster{config: config, made: time.Now(), stop: make(chan struct{})}
	c.nextID.Store(firstID())
	c.mu.groups = make(map[uint32]*Group)
	c.mu.linked = make(map[transport.NodeID]time.Time)
	c.mu.subscriptions = make(map[uint64]*subscription)
	c.mu.couriers = make(map[uint64]*courier)
	c.mu.followers = make(map[uint64]*follower)
	c.tokens.init()
	c.wants.init()
	return c
}

// firstID is where the ids of subscriptions and streams begin, and the numbers of
// a lane's requests: elsewhere in each life of the process. The state names the
// holder of a lease by node and subscription, and keeps that through restarts;
// counted from 1 again, another worker's subscription would be taken for it, and
// be given its jobs. And a leader that still leads when a node is back answers
// what the node asked in its former life: with the same numbers, those would be
// taken for answers to other requests.
func firstID() uint64 {
	var random [8]byte
	_, _ = rand.Read(random[:]) // It never fails.
	return binary.BigEndian.Uint64(random[:]) >> 12
}

// Self is this member as it was configured.
func (c *Cluster) Self() command.Member { return c.config.Self }

// SetSelf completes this member's addresses, before Start.
func (c *Cluster) SetSelf(self command.Member) { c.config.Self = self }

// Leading is how many groups this node serves as their leader.
func (c *Cluster) Leading() int {
	count := 0
	for _, g := range c.allGroups() {
		if g.serving.Load() != 0 {
			count++
		}
	}
	return count
}

// RelayBacklog is what waits in the relays of the partitions that this node leads.
func (c *Cluster) RelayBacklog() (sum duty.RelayBacklog) {
	for _, g := range c.allGroups() {
		if g.duty == nil {
			continue
		}
		one := g.duty.RelayBacklog()
		sum.Rows += one.Rows
		sum.Bytes += one.Bytes
		sum.Fullest = max(sum.Fullest, one.Fullest)
	}
	return sum
}

// LimitUse is what is in use of the limits that jobs share, in the partitions that this
// node leads.
func (c *Cluster) LimitUse() (sum fsm.LimitUse) {
	for _, g := range c.allGroups() {
		one := g.uses.Load()
		if one == nil || g.serving.Load() == 0 {
			continue
		}
		sum.Keys += one.Keys
		sum.Paused += one.Paused
		sum.InFlight += one.InFlight
		sum.Waiting += one.Waiting
	}
	return sum
}

// Start begins to work over a transport, with the members of m.
func (c *Cluster) Start(t transport.Transport, m *members.Members) {
	c.transport, c.members = t, m
	c.loop = newLoop(transport.NodeID(c.config.Self.ID), c.Receive)
	c.tokens.loop = newLoop(transport.NodeID(c.config.Self.ID), c.ReceiveChunk)
	c.tokens.loop.limit = maxOwnChunks
	c.running.Add(1)
	go c.sweep()
}

// Stop hands leaderships over and closes the groups. The transport must still
// be up.
func (c *Cluster) Stop(ctx context.Context) error {
	c.restarting.Lock()
	c.restarting.closing = true
	c.restarting.Unlock()
	groups := c.allGroups()
	errs := make([]error, len(groups))
	var closing sync.WaitGroup
	for i, g := range groups {
		closing.Go(func() { errs[i] = g.close(ctx) })
	}
	closing.Wait()
	close(c.stop)
	c.running.Wait()
	c.loop.close()
	c.tokens.loop.close()
	c.tokens.end()
	return errors.Join(errs...)
}

// Formed is the hook of members: this node belongs to a cluster from now on.
//
//nolint:revive // The flag is a fact that members knows.
func (c *Cluster) Formed(f members.Formation, founding bool) error {
	lanes := c.newLanes(f.Partitions + 1)
	c.formation.Store(&f)
	c.lanes.Store(&lanes) // Last: a lane's leader is registered with by partition.
	c.setAdmitted(f.Members)
	if err := c.openGroups(&f); err != nil || !founding {
		return err
	}
	var errs []error
	for _, g := range c.allGroups() {
		errs = append(errs, g.bootstrap(founders(&f, g.config.id)))
	}
	return errors.Join(errs...)
}

// founders are the members that a group's replicas begin on: as many as the
// cluster wants, taken in turn, so that groups spread evenly.
func founders(f *members.Formation, group uint32) []string {
	count := min(int(f.Replicas), len(f.Members))
	if count == 2 {
		count = 1 // Two copies lose their majority with either of them.
	}
	replicas := make([]string, 0, count)
	for i := range count {
		replicas = append(replicas, f.Members[(int(group)+i)%len(f.Members)].ID)
	}
	return replicas
}

// ClusterID is the cluster this node belongs to, empty until there is one.
func (c *Cluster) ClusterID() string {
	if f := c.formation.Load(); f != nil {
		return f.ClusterID
	}
	return ""
}

// Partitions is how many partitions the cluster has, 0 until it is formed.
func (c *Cluster) Partitions() uint32 {
	if f := c.formation.Load(); f != nil {
		return f.Partitions
	}
	return 0
}

// PeersChanged is the hook of members: links follow the table.
func (c *Cluster) PeersChanged() {
	if c.formation.Load() == nil {
		return
	}
	var peers []transport.NodeID
	seen := map[string]bool{c.config.Self.ID: true}
	table := c.members.Table()
	for _, peer := range table {
		if !seen[peer.ID] && peer.State != members.Left && !replaced(table, &peer) {
			seen[peer.ID] = true
			peers = append(peers, transport.NodeID(peer.ID))
		}
	}
	c.transport.SetPeers(peers)
}

// replaced tells whether another member answers at a dead one's address now, as
// one does whose data directory is new: nobody is to be reached there.
func replaced(table []members.Peer, dead *members.Peer) bool {
	return dead.State == members.Dead && slices.ContainsFunc(table, func(p members.Peer) bool {
		return p.State == members.Alive && p.PeerAddress == dead.PeerAddress
	})
}

func (c *Cluster) newLanes(groups uint32) []*lane {
	lanes := make([]*lane, groups)
	for i := range lanes {
		lanes[i] = newLane(uint32(i), firstID(), c.send)
	}
	return lanes
}

// openGroups opens the groups of which this node holds a replica.
func (c *Cluster) openGroups(f *members.Formation) error {
	for id := range f.Partitions + 1 {
		if !slices.Contains(founders(f, id), c.config.Self.ID) {
			continue
		}
		g, err := openGroup(c.groupConfig(f, id))
		if err != nil {
			return fmt.Errorf("open group %d: %w", id, err)
		}
		c.mu.Lock()
		c.mu.groups[id] = g
		c.mu.Unlock()
	}
	return nil
}

func (c *Cluster) setAdmitted(admitted []command.Member) {
	c.mu.Lock()
	c.mu.admitted = admitted
	c.mu.Unlock()
	if c.members != nil {
		c.members.SetAdmitted(admitted)
		c.PeersChanged()
	}
}

// clock is a time in nanoseconds since the cluster was made, which never go back:
// there are many couriers, and it takes a third of the room.
func (c *Cluster) clock(now time.Time) int64 { return int64(now.Sub(c.made)) }

// send carries a frame to a node, this one included.
func (c *Cluster) send(to transport.NodeID, frame []byte) error {
	if string(to) == c.config.Self.ID {
		c.loop.send(frame)
		return nil
	}
	return c.transport.Send(to, frame)
}

func (c *Cluster) group(id uint32) *Group {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.groups[id]
}

func (c *Cluster) laneOf(partition uint32) *lane { return c.groupLane(partition + 1) }

// groupLane is the lane to a group's leader, or nil for a group that the cluster
// does not have.
func (c *Cluster) groupLane(group uint32) *lane {
	lanes := c.lanes.Load()
	if lanes == nil || group >= uint32(len(*lanes)) { //nolint:gosec // As many as there are groups.
		return nil
	}
	return (*lanes)[group]
}

// sweep is the node's clock. One goroutine serves all groups: a ticker for each
// would wake the processor as many times.
func (c *Cluster) sweep() {
	defer c.running.Done()
	ticker := time.NewTicker(duty.TickInterval)
	defer ticker.Stop()
	swept, balance := time.Now(), newBalancer()
	for {
		select {
		case <-c.stop:
			return
		case now := <-ticker.C:
			c.eachLane(func(l *lane) { l.tick(now) })
			for _, g := range c.allGroups() {
				g.tick(now)
			}
			c.readCredentials()
			if g, to := balance.next(now, c); g != nil {
				c.running.Go(func() { g.handOver(to) })
			}
			if now.Sub(swept) < sweepInterval {
				continue
			}
			swept = now
			for _, g := range c.allGroups() {
				g.boundLog()
			}
			c.readRoster(now)
			c.learnCredentials()
			c.tickSpread(now)
			for _, courier := range c.allCouriers() {
				courier.tick(c.clock(now))
			}
			for _, s := range c.allSubscriptions() {
				s.sweep()
			}
			c.sweepWants()
			for _, r := range c.tokens.allReaders() {
				r.sweep(now)
			}
		}
	}
}
