package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// groupConfig is what one of the cluster's groups is made of.
func (c *Cluster) groupConfig(f *members.Formation, id uint32) groupConfig {
	config := groupConfig{
		id: id, partitions: f.Partitions, node: c.config.Self.ID,
		store: c.config.Store, stable: c.config.Stable, transport: c.transport.Raft(id),
		tuning: c.config.Tuning, wallClock: c.config.WallClock, open: openPartition, leads: c.leads, logger: c.config.Logger,
	}
	if id == MetaGroup {
		config.open = openMeta
		config.onMeta = c.metaApplied
		config.leads = c.leadsMeta
		return config
	}
	config.letters = c.countLetters
	config.board = c.newBoard
	config.duty = func(g *Group, state *storage.State) *duty.Duty {
		return duty.New(duty.Config{
			Partition: id - 1, Node: c.config.Self.ID, State: state,
			Epoch:  func() string { return c.Epoch(id - 1) },
			Pusher: &pusher{cluster: c, group: g}, Proposer: g, Relayer: relayer{c}, Feed: g.feed, Logger: c.config.Logger, Now: time.Now,
		})
	}
	return config
}

// leadsMeta writes the founding facts, which changes nothing the second time.
func (c *Cluster) leadsMeta(group uint32, generation uint64) {
	c.leads(group, generation)
	f := c.formation.Load()
	form := command.FormCluster{
		ClusterID: f.ClusterID, Partitions: f.Partitions, Replicas: f.Replicas, LeaseKey: f.LeaseKey, Members: f.Members,
	}
	if g := c.group(group); g != nil {
		g.Propose(form.Append(nil))
	}
}

// metaApplied follows the admitted members, the settings of channels and workflows.
func (c *Cluster) metaApplied(outcome *fsm.Outcome) {
	c.spreadSettings(outcome.Configured)
	c.spreadTenants(outcome.Tenants)
	c.spreadWorkflows(outcome.Workflows, outcome.Started != nil)
	if outcome.Members != nil {
		// Not on the goroutine that applies: members and transport have locks of
		// their own, and may be waiting for it.
		go c.setAdmitted(outcome.Members)
	}
}

// Admit is the hook of members: it gets a member into the meta group's state.
func (c *Cluster) Admit(ctx context.Context, member command.Member) (members.Formation, error) {
	l := c.groupLane(MetaGroup)
	if l == nil {
		return members.Formation{}, members.ErrNotFormed
	}
	admit := command.AdmitMember{Member: member}
	body, err := c.await(ctx, l, opCommand, admit.Append(nil))
	if err != nil {
		return members.Formation{}, fmt.Errorf("admit %s: %w", member.ID, err)
	}
	r := command.NewReader(body)
	if result := r.Result(); result.Reason != command.Done {
		return members.Formation{}, fmt.Errorf("admit %s: %s", member.ID, result.Message)
	}
	facts := *c.formation.Load()
	return facts, nil
}

// errNoAnswer says how an ask that a goroutine waited for came to nothing.
type noAnswerError struct{ how status }

func (e noAnswerError) Error() string {
	if e.how == statusOverloaded {
		return "the leader is overloaded"
	}
	return "no leader answered"
}

// await asks and waits for the answer's body.
func (c *Cluster) await(ctx context.Context, l *lane, what op, body []byte) ([]byte, error) {
	way := newReply()
	if !l.ask(what, 0, body, way) {
		return nil, noAnswerError{statusOverloaded}
	}
	return way.wait(ctx)
}

// DurableIndex implements transport.Durability.
func (c *Cluster) DurableIndex(group uint32) uint64 {
	if g := c.group(group); g != nil {
		return g.log.Durable()
	}
	return 0
}

// WaitDurable implements transport.Durability.
func (c *Cluster) WaitDurable(group uint32, index uint64) error {
	g := c.group(group)
	if g == nil {
		return errNoGroup
	}
	return g.log.WaitDurable(index)
}

// errNoGroup says that a group is not open here yet.
var errNoGroup = errors.New("the group is not open here")
