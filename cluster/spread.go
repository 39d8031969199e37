package cluster

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

const (
	// spreadRetry is how often the meta group's leader tries again to bring something
	// to a partition that did not answer.
	spreadRetry = time.Second
	// maxSpreadAsks is how many partitions are asked for something at a time: a
	// definition may be large.
	maxSpreadAsks = 1024
)

// spread brings channels' and tenants' settings and workflows from the meta group to the partitions:
// its leader does, when it begins to lead and when they change. A partition takes
// what is newer than what it has, so saying it twice does nothing.
type spread struct {
	mu struct {
		sync.Mutex

		// left is what some partition has not confirmed, and whether it was asked.
		left map[spreadKey]*spreading
		next time.Time
	}
}

// spreadKind is what is brought, in the order in which it is: aliases name definitions.
type spreadKind uint8

const (
	// spreadInventory brings nothing: the partition says which definitions it has, so that
	// a new leader does not bring all of them again.
	spreadInventory spreadKind = iota
	spreadSettings
	spreadTenant
	spreadDefinition
	spreadAliases
)

type spreadKey struct {
	kind spreadKind
	// channel, or tenant, is whose settings it is; part what of a workflow.
	channel   string
	tenant    string
	part      fsm.WorkflowPart
	partition uint32
}

func (k spreadKey) compare(other spreadKey) int {
	return cmp.Or(
		cmp.Compare(k.kind, other.kind), cmp.Compare(k.channel, other.channel), cmp.Compare(k.tenant, other.tenant), cmp.Compare(k.part.Tenant, other.part.Tenant),
		cmp.Compare(k.part.Name, other.part.Name), cmp.Compare(k.part.Version, other.part.Version), cmp.Compare(k.partition, other.partition),
	)
}

type spreading struct {
	settings command.ChannelSettings
	tenant   command.TenantSettings
	asked    bool
}

// spreadSettings takes note of what the partitions are to be told of channels; a tick
// tells them.
func (c *Cluster) spreadSettings(configured []fsm.ConfiguredChannel) {
	for _, channel := range configured {
		c.spreadOut(spreadKey{kind: spreadSettings, channel: channel.Channel}, spreading{settings: channel.Settings})
	}
}

// spreadTenants takes note of what the partitions are to be told of tenants.
func (c *Cluster) spreadTenants(configured []fsm.ConfiguredTenant) {
	for _, tenant := range configured {
		c.spreadOut(spreadKey{kind: spreadTenant, tenant: tenant.Tenant}, spreading{tenant: tenant.Settings})
	}
}

// spreadWorkflows takes note of what the partitions are to be told of workflows. anew
// means that the leader does not know what they have.
//
//nolint:revive // The flag is a fact, not a wish.
func (c *Cluster) spreadWorkflows(parts []fsm.WorkflowPart, anew bool) {
	if anew && len(parts) > 0 {
		c.spreadOut(spreadKey{kind: spreadInventory}, spreading{})
	}
	for _, part := range parts {
		kind := spreadDefinition
		if part.Version == "" {
			kind = spreadAliases
		}
		c.spreadOut(spreadKey{kind: kind, part: part}, spreading{})
	}
}

// spreadOut takes note of one thing for every partition.
func (c *Cluster) spreadOut(key spreadKey, what spreading) {
	s := &c.spread
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.left == nil {
		s.mu.left = make(map[spreadKey]*spreading)
	}
	for key.partition = range c.Partitions() {
		each := what
		s.mu.left[key] = &each
	}
	s.mu.next = time.Time{}
}

// tickSpread asks the partitions that have not confirmed what they are to be
// told. A node that does not lead the meta group any more leaves it to the one
// that does.
func (c *Cluster) tickSpread(now time.Time) {
	s := &c.spread
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mu.left) == 0 || now.Before(s.mu.next) {
		return
	}
	s.mu.next = now.Add(spreadRetry)
	if g := c.group(MetaGroup); g == nil || g.serving.Load() == 0 {
		clear(s.mu.left)
		return
	}
	asked := 0
	for _, key := range slices.SortedFunc(maps.Keys(s.mu.left), spreadKey.compare) {
		what := s.mu.left[key]
		if !what.asked && asked < maxSpreadAsks && !s.unknown(key) {
			what.asked = c.askSpread(key, what)
		}
		if what.asked {
			asked++
		}
	}
}

// unknown tells whether a partition may have a definition already; mu is held.
func (s *spread) unknown(key spreadKey) bool {
	return key.part != (fsm.WorkflowPart{}) && s.mu.left[spreadKey{kind: spreadInventory, partition: key.partition}] != nil
}

// askSpread tells one partition's leader of one thing; false when it cannot be
// asked now. mu is held.
func (c *Cluster) askSpread(key spreadKey, what *spreading) bool {
	l := c.laneOf(key.partition)
	if l == nil {
		return false
	}
	if key.kind == spreadInventory {
		return l.ask(opDefinitions, 0, nil, inventory{c, key, what})
	}
	encoded, err := c.spreadCommand(key, what)
	switch {
	case errors.Is(err, errNoPart):
		delete(c.spread.mu.left, key) // It is gone, or on its way.
		return false
	case err != nil:
		c.config.Logger.Error("cannot read what a partition is to be told", "partition", key.partition, "error", err)
		return false
	}
	return l.ask(opCommand, 0, encoded, relayed(func(result *command.Result) { c.spreadAnswered(key, what, result) }))
}

// spreadCommand is what brings one thing to a partition. Of a workflow it is what the
// meta group has now, which may be newer than what was noted.
func (c *Cluster) spreadCommand(key spreadKey, what *spreading) ([]byte, error) {
	switch key.kind {
	case spreadInventory, spreadDefinition, spreadAliases:
		return c.workflowCommand(key.part)
	case spreadTenant:
		configure := command.ConfigureTenant{Route: ofAnySlot(), Tenant: key.tenant, Settings: what.tenant}
		return configure.Append(nil), nil
	case spreadSettings:
	}
	configure := command.ConfigureChannel{
		Route: command.Route{SlotMap: command.SlotMapVersion}, Channel: key.channel, Settings: what.settings,
	}
	return configure.Append(nil), nil
}

func (c *Cluster) spreadAnswered(key spreadKey, what *spreading, result *command.Result) {
	s := &c.spread
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.left[key] != what {
		return // It was changed meanwhile.
	}
	what.asked = false
	switch {
	case result.Reason == command.Done:
		delete(s.mu.left, key)
	case result.Reason == command.BadRequest:
		c.config.Logger.Error("a partition refuses what it is to be told",
			"partition", key.partition, "channel", key.channel, "workflow", key.part.Name, "error", result.Message)
		delete(s.mu.left, key)
	case result.Reason == command.NotFound && key.kind == spreadAliases:
		c.spreadTargets(key)
	}
}

// spreadTargets brings a partition the versions that a workflow's aliases name, which it
// says it lacks; mu is held.
func (c *Cluster) spreadTargets(key spreadKey) {
	w, err := c.readWorkflow(key.part)
	if err != nil || w == nil {
		return // The aliases are tried again, and then this.
	}
	key.kind = spreadDefinition
	for i := range w.Aliases {
		for _, target := range w.Aliases[i].Targets {
			if key.part.Version = target.Version; c.spread.mu.left[key] == nil {
				c.spread.mu.left[key] = &spreading{}
			}
		}
	}
}

// inventory is the way back of which definitions a partition has.
type inventory struct {
	cluster *Cluster
	key     spreadKey
	what    *spreading
}

func (i inventory) answered(how status, body *command.Reader) {
	s := &i.cluster.spread
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.left[i.key] != i.what {
		return
	}
	i.what.asked = false
	parts, err := readParts(body.Rest())
	if how != statusDone || err != nil {
		return
	}
	delete(s.mu.left, i.key)
	for _, part := range parts {
		delete(s.mu.left, spreadKey{kind: spreadDefinition, part: part, partition: i.key.partition})
	}
	s.mu.next = time.Time{}
}
