package cluster

import (
	"maps"
	"slices"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/transport"
)

func (c *Cluster) subscription(id uint64) *subscription {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.subscriptions[id]
}

func (c *Cluster) courier(id uint64) *courier {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.mu.couriers[id]
}

func (c *Cluster) allGroups() []*Group {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.mu.groups))
}

func (c *Cluster) allSubscriptions() []*subscription {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.mu.subscriptions))
}

func (c *Cluster) allCouriers() []*courier {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.AppendSeq(make([]*courier, 0, len(c.mu.couriers)), maps.Values(c.mu.couriers))
}

func (c *Cluster) allFollowers() []*follower {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.Collect(maps.Values(c.mu.followers))
}

func (c *Cluster) forgetFollower(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.followers, id)
}

func (c *Cluster) forgetSubscription(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.subscriptions, id)
}

func (c *Cluster) forgetStream(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.mu.couriers, id)
}

// pusher carries a leader's pushes to gateways: it implements duty.Pusher for
// one group.
type pusher struct {
	cluster *Cluster
	group   *Group
}

// PushJob implements duty.Pusher.
func (p *pusher) PushJob(node string, subscription uint64, job *command.Job) error {
	return p.send(node, command.AppendJob(p.begin(frameJob, subscription), job))
}

// PushCancel implements duty.Pusher.
func (p *pusher) PushCancel(node string, subscription uint64, lease command.LeaseID, reason string, graceMS uint64) error {
	b := command.AppendLeaseID(p.begin(frameCancelJob, subscription), lease)
	return p.send(node, command.AppendUint(command.AppendString(b, reason), graceMS))
}

// PushRegistered implements duty.Pusher.
func (p *pusher) PushRegistered(node string, subscription, ordinal uint64) error {
	return p.send(node, command.AppendUint(p.begin(frameRegistered, subscription), ordinal))
}

// PushWant implements duty.Pusher.
func (p *pusher) PushWant(node string, subscription uint64) error {
	return p.send(node, p.begin(frameWant, subscription))
}

// PushReturned implements duty.Pusher.
func (p *pusher) PushReturned(node string, subscription uint64, credit uint32) error {
	return p.send(node, command.AppendUint(p.begin(frameReturned, subscription), uint64(credit)))
}

// PushAttached implements duty.Pusher.
func (p *pusher) PushAttached(node string, stream uint64, state duty.StreamState) error {
	b := command.AppendUint(p.begin(frameAttached, stream), state.Head)
	b = command.AppendUint(command.AppendUint(b, state.Oldest), state.Next)
	return p.send(node, append(b, state.Resumed))
}

// PushNotification implements duty.Pusher.
func (p *pusher) PushNotification(node string, stream uint64, n *command.Notification, redelivered bool) error {
	b := command.AppendBool(p.begin(frameNotify, stream), redelivered)
	return p.send(node, command.AppendNotification(b, n))
}

// PushGap implements duty.Pusher.
func (p *pusher) PushGap(node string, stream, from, to uint64, reason string) error {
	b := command.AppendUint(command.AppendUint(p.begin(frameGap, stream), from), to)
	return p.send(node, command.AppendString(b, reason))
}

// PushSynced implements duty.Pusher.
func (p *pusher) PushSynced(node string, stream, seq uint64) error {
	return p.send(node, command.AppendUint(p.begin(frameSynced, stream), seq))
}

// PushEvents implements duty.Pusher.
func (p *pusher) PushEvents(node string, follower, after uint64, piece *fsm.FollowPiece) error {
	return p.send(node, appendPiece(p.begin(frameEvents, follower), after, piece))
}

func openPartition(view *storage.View) (machine, error) { return fsm.Open(view) }

func openMeta(view *storage.View) (machine, error) { return fsm.OpenMeta(view) }

func (p *pusher) begin(kind frameKind, id uint64) []byte {
	// The duties' own generation: it is set before serving begins.
	b := appendFrame(make([]byte, 0, 256), kind, p.group.config.id, p.group.pushing.Load())
	return command.AppendUint(b, id)
}

func (p *pusher) send(node string, frame []byte) error {
	return p.cluster.send(transport.NodeID(node), frame)
}
