package members

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/batonmq/baton/fsm/command"
)

// ErrOtherCluster is why gossip with a node of another cluster is refused.
var ErrOtherCluster = errors.New("members: belongs to another cluster")

// refusalInterval is how often a refusal is logged.
const refusalInterval = 10 * time.Second

// delegate is what memberlist calls, mostly under its own lock, and by timers even
// shortly after Stop: it only updates the table and nudges, and never calls back.
type delegate struct {
	owner   *Members
	leaving func() bool
	mu      struct {
		lock      sync.Mutex
		refusedAt time.Time
	}
}

// NodeMeta implements memberlist.Delegate.
func (d *delegate) NodeMeta(int) []byte {
	t := metaOf(&d.owner.config, d.owner.shownID())
	t.leaving = d.leaving()
	return t.encode()
}

// NotifyMsg implements memberlist.Delegate; nothing is sent that way.
func (d *delegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (d *delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (d *delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (d *delegate) MergeRemoteState([]byte, bool) {}

// NotifyJoin implements memberlist.EventDelegate.
func (d *delegate) NotifyJoin(n *memberlist.Node) { d.take(n) }

// NotifyUpdate implements memberlist.EventDelegate.
func (d *delegate) NotifyUpdate(n *memberlist.Node) { d.take(n) }

// NotifyLeave implements memberlist.EventDelegate.
func (d *delegate) NotifyLeave(n *memberlist.Node) {
	if d.owner.table.gone(n.Name) {
		d.owner.nudge()
	}
}

// AckPayload implements memberlist.PingDelegate.
func (d *delegate) AckPayload() []byte { return nil }

// NotifyPingComplete implements memberlist.PingDelegate.
func (d *delegate) NotifyPingComplete(n *memberlist.Node, _ time.Duration, _ []byte) {
	if d.owner.table.answered(n.Name) {
		d.owner.nudge()
	}
}

// NotifyAlive implements memberlist.AliveDelegate: it keeps out, one by one, who
// belongs elsewhere. Whoever knows both clusters can pass either's news on.
func (d *delegate) NotifyAlive(n *memberlist.Node) error {
	member, m, err := describe(n)
	if err != nil {
		d.refuse(n, err)
		return err
	}
	if d.foreign(m.clusterID) {
		d.owner.table.gone(member.ID) // It was free when it was taken in.
		err := fmt.Errorf("%w: %s", ErrOtherCluster, m.clusterID)
		d.refuse(n, err)
		return err
	}
	if d.owner.table.full(member.ID) {
		err := fmt.Errorf("members: more than %d nodes in gossip", MaxTable)
		d.refuse(n, err)
		return err
	}
	return nil
}

// NotifyMerge implements memberlist.MergeDelegate: it refuses, as a whole and
// clearly to both sides, to meet a cluster of which all known nodes are foreign.
func (d *delegate) NotifyMerge(nodes []*memberlist.Node) error {
	var foreign *memberlist.Node
	for _, n := range nodes {
		_, m, err := describe(n)
		switch {
		case err != nil || n.State == memberlist.StateDead || n.State == memberlist.StateLeft:
		case d.foreign(m.clusterID):
			foreign = n
		default:
			return nil
		}
	}
	if foreign == nil {
		return nil
	}
	d.refuse(foreign, ErrOtherCluster)
	return fmt.Errorf("%w: %s", ErrOtherCluster, foreign.Name)
}

func (d *delegate) foreign(clusterID string) bool {
	own := d.owner.ClusterID()
	return own != "" && clusterID != "" && clusterID != own
}

func (d *delegate) take(n *memberlist.Node) {
	member, m, err := describe(n)
	if err != nil {
		return // NotifyAlive has refused it.
	}
	if d.owner.table.seen(member, m) {
		d.owner.nudge()
	}
}

func (d *delegate) refuse(n *memberlist.Node, err error) {
	d.mu.lock.Lock()
	defer d.mu.lock.Unlock()
	if time.Since(d.mu.refusedAt) < refusalInterval {
		return
	}
	d.mu.refusedAt = time.Now()
	d.owner.logger.Warn("gossip refused a node",
		"node", n.Name, "address", n.Address(), "cluster", d.owner.ClusterID(), "error", err)
}

// describe reads who a gossip node is.
func describe(n *memberlist.Node) (command.Member, meta, error) {
	m, err := decodeMeta(n.Meta)
	if err != nil {
		return command.Member{}, meta{}, err
	}
	name, _ := nameOf(n.Name)
	member := command.Member{
		ID: n.Name, Name: name, PeerAddress: m.peerAddress, GossipAddress: n.Address(),
		ClientURL: m.clientURL, Version: m.version,
	}
	return member, m, checkMember(&member)
}
