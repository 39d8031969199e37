package cluster

import (
	"sync"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// spreadRetry is how often the meta group's leader tries again to bring settings
// to a partition that did not answer.
const spreadRetry = time.Second

// spread brings channels' settings from the meta group to the partitions: its
// leader does, when it begins to lead and when they change. A partition takes
// what is newer than what it has, so saying it twice does nothing.
type spread struct {
	mu struct {
		sync.Mutex

		// left is what some partition has not confirmed, and whether it was asked.
		left map[spreadKey]*spreading
		next time.Time
	}
}

type spreadKey struct {
	channel   string
	partition uint32
}

type spreading struct {
	settings command.ChannelSettings
	asked    bool
}

// spreadSettings takes note of what the partitions are to be told; a tick tells
// them.
func (c *Cluster) spreadSettings(configured []fsm.ConfiguredChannel) {
	if len(configured) == 0 {
		return
	}
	s := &c.spread
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mu.left == nil {
		s.mu.left = make(map[spreadKey]*spreading)
	}
	for _, channel := range configured {
		for partition := range c.Partitions() {
			s.mu.left[spreadKey{channel.Channel, partition}] = &spreading{settings: channel.Settings}
		}
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
	for key, what := range s.mu.left {
		if !what.asked {
			what.asked = c.askSpread(key, what)
		}
	}
}

// askSpread tells one partition's leader of one channel; false when it cannot be
// asked now.
func (c *Cluster) askSpread(key spreadKey, what *spreading) bool {
	configure := command.ConfigureChannel{
		Route: command.Route{SlotMap: command.SlotMapVersion}, Channel: key.channel, Settings: what.settings,
	}
	l := c.laneOf(key.partition)
	return l != nil && l.ask(opCommand, 0, configure.Append(nil), relayed(func(result *command.Result) {
		s := &c.spread
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.mu.left[key] != what {
			return // It was changed meanwhile.
		}
		if what.asked = false; result.Reason == command.Done {
			delete(s.mu.left, key)
		} else if result.Reason == command.BadRequest {
			c.config.Logger.Error("a partition refuses a channel's settings", "partition", key.partition, "channel", key.channel, "error", result.Message)
			delete(s.mu.left, key)
		}
	}))
}
