package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Errors of the look-ups.
var (
	// ErrNotFound says that a tenant has no such lineage.
	ErrNotFound = errors.New("no event of this tenant has that correlation id")
	// ErrNotReady is what Ready wraps.
	ErrNotReady = errors.New("not ready")
)

// Submit forwards one encoded command to the leader of a partition.
func (c *Cluster) Submit(partition uint32, encoded []byte, to Replier, slot uint64) {
	c.askPartition(partition, opCommand, encoded, &submission{to: to, slot: slot})
}

// askPartition asks a partition's leader. One that cannot be asked has answered.
func (c *Cluster) askPartition(partition uint32, what op, body []byte, to asker) {
	if l := c.laneOf(partition); l == nil {
		to.answered(statusNotLeader, &command.Reader{})
	} else if !l.ask(what, 0, body, to) {
		to.answered(statusOverloaded, &command.Reader{})
	}
}

// SubmitLazy forwards a command nobody waits for. What is lost with a link or
// a leader is lost: an ack comes again with the next one.
func (c *Cluster) SubmitLazy(partition uint32, encoded []byte) {
	l := c.laneOf(partition)
	if l == nil {
		return
	}
	_, generation, _ := l.current()
	_ = l.tell(generation, append(appendFrame(nil, frameLazy, partition+1, generation), encoded...))
}

// Renew extends leases of one partition. Where a tenant is named, another's are lost.
func (c *Cluster) Renew(partition uint32, tenant string, leases []command.LeaseID, to Renewer, slot uint64) {
	body := command.AppendString(appendLeaseIDs(nil, leases), tenant)
	c.askPartition(partition, opRenew, body, &renewal{to: to, slot: slot, leases: slices.Clone(leases)})
}

// Subscribe starts lending a worker's credit to every partition.
func (c *Cluster) Subscribe(spec SubscriptionSpec, sink JobSink) Subscription {
	s := &subscription{id: c.nextID.Add(1), spec: spec, sink: sink, cluster: c}
	s.mu.given, s.mu.credit = spec.Credit, spec.Credit
	s.mu.jobs = make(map[heldKey]heldJob)
	c.mu.Lock()
	c.mu.subscriptions[s.id] = s
	c.mu.Unlock()
	c.eachLane(func(l *lane) {
		// Whoever learns of a leader now finds the subscription, or was before us.
		if _, generation, _ := l.current(); generation != 0 && l.group != MetaGroup {
			s.begin(l.group-1, generation)
		}
	})
	return s
}

// Attach connects a socket to its client's stream.
func (c *Cluster) Attach(spec StreamSpec, sink StreamSink) Stream {
	courier := &courier{id: c.nextID.Add(1), spec: spec, sink: sink, cluster: c}
	courier.mu.hold, courier.mu.began = spec.Hold, c.clock(time.Now())
	c.mu.Lock()
	c.mu.couriers[courier.id] = courier
	c.mu.Unlock()
	if l := c.laneOf(courier.partition()); l != nil {
		if _, generation, _ := l.current(); generation != 0 {
			courier.begin(generation)
		}
	}
	return courier
}

// AppendLease appends the token of a lease.
func (c *Cluster) AppendLease(dst []byte, lease command.LeaseID) []byte {
	if f := c.formation.Load(); f != nil {
		return command.AppendLeaseToken(dst, lease, f.LeaseKey)
	}
	return dst
}

// ParseLease reads a lease token of this cluster, or returns command.ErrBadLease.
func (c *Cluster) ParseLease(token []byte) (command.LeaseID, error) {
	f := c.formation.Load()
	if f == nil {
		return command.LeaseID{}, command.ErrBadLease
	}
	id, err := command.ParseLeaseToken(token, f.LeaseKey)
	if err == nil && uint32(id.Event.Partition) >= f.Partitions {
		return command.LeaseID{}, command.ErrBadLease
	}
	return id, err
}

// Epoch is the epoch of a partition's streams, as clients see it: the cluster's
// id and the epoch of its groups.
func (c *Cluster) Epoch(uint32) string {
	id := c.ClusterID()
	return id[:min(8, len(id))] + "-1"
}

// ClientURLs are the client URLs of the members that are not known to be gone,
// this node's first.
func (c *Cluster) ClientURLs() []string {
	urls := []string{c.config.Self.ClientURL}
	for _, peer := range c.members.Table() {
		if !peer.Self && peer.State == members.Alive && peer.ClientURL != "" && !slices.Contains(urls, peer.ClientURL) {
			urls = append(urls, peer.ClientURL)
		}
	}
	return urls
}

// Ready is nil once the node belongs to a formed cluster and reaches the
// leaders of meta and every partition.
func (c *Cluster) Ready(context.Context) error {
	if c.lanes.Load() == nil {
		return fmt.Errorf("%w: %s", ErrNotReady, c.members.Waiting())
	}
	var missing []string
	c.eachLane(func(l *lane) {
		if _, _, up := l.current(); !up {
			missing = append(missing, groupName(l.group))
		}
	})
	if len(missing) > 0 {
		return fmt.Errorf("%w: no leader reached yet for %s", ErrNotReady, strings.Join(missing, ", "))
	}
	return nil
}

func groupName(group uint32) string {
	if group == MetaGroup {
		return "meta"
	}
	return fmt.Sprintf("partition %d", group-1)
}

// trace is the answer to a look-up of a lineage.
type trace struct {
	CorrelationID string             `json:"correlation_id"`
	Tenant        string             `json:"tenant"`
	Events        []fsm.LineageEvent `json:"events"`
	Marks         []fsm.Mark         `json:"marks"`
	Truncated     bool               `json:"truncated,omitempty"`
	// Open counts what has not ended, in each group; what is on its way between
	// partitions counts as one where nothing else is open. Ended means that nothing
	// is, anywhere.
	Open  uint64 `json:"open"`
	Ended bool   `json:"ended"`
}

// Trace is the lineage of a correlation id as JSON, from every partition that
// knows of it, in the order of time.
func (c *Cluster) Trace(ctx context.Context, tenant, correlationID string) ([]byte, error) {
	body := command.AppendString(command.AppendString(nil, tenant), correlationID)
	answers, err := c.askAll(ctx, opTrace, body)
	if err != nil {
		return nil, err
	}
	all := trace{CorrelationID: correlationID, Tenant: tenant, Ended: true}
	for _, answer := range answers {
		if err := all.add(answer); err != nil {
			return nil, err
		}
	}
	if len(all.Events) == 0 && len(all.Marks) == 0 {
		return nil, ErrNotFound
	}
	if !all.Ended {
		all.Open = max(all.Open, 1)
	}
	slices.SortStableFunc(all.Events, func(a, b fsm.LineageEvent) int { return cmp.Compare(a.Time, b.Time) })
	slices.SortStableFunc(all.Marks, func(a, b fsm.Mark) int { return cmp.Compare(a.Time, b.Time) })
	return json.Marshal(all)
}

func (t *trace) add(body []byte) error {
	var part fsm.Lineage
	if err := json.Unmarshal(body, &part); err != nil {
		return fmt.Errorf("read a partition's lineage: %w", err)
	}
	t.Events = append(t.Events, part.Events...)
	t.Marks = append(t.Marks, part.Marks...)
	t.Truncated = t.Truncated || part.Truncated
	t.Open += part.Open
	t.Ended = t.Ended && !part.Unfinished
	return nil
}
