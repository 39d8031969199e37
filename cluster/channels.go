package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// RefusedError is an answer of the state that says no.
type RefusedError struct{ command.Result }

// Error implements error.
func (r *RefusedError) Error() string { return r.Message }

// ChannelState is what all partitions together have of a channel.
type ChannelState = fsm.ChannelState

// EffectiveSettings are settings with the values that zero fields stand for.
func EffectiveSettings(s command.ChannelSettings) command.ChannelSettings {
	return fsm.EffectiveSettings(s)
}

// ChannelSettings are a channel's settings as the meta group keeps them, zero
// where it has none.
func (c *Cluster) ChannelSettings(ctx context.Context, channel string) (settings command.ChannelSettings, err error) {
	body, err := c.ofMeta(ctx, opSettings, command.AppendString(nil, channel))
	if err != nil {
		return settings, err
	}
	if err := json.Unmarshal(body, &settings); err != nil {
		return settings, fmt.Errorf("read a channel's settings: %w", err)
	}
	return settings, nil
}

// SetChannel keeps a channel's settings in the meta group, in the place of the
// version that is expected there, and returns when every partition has them. A
// *RefusedError is the state's; after another error they may be kept nevertheless,
// and come to the partitions later.
func (c *Cluster) SetChannel(ctx context.Context, channel string, expect uint64, settings *command.ChannelSettings) (version uint64, err error) {
	set := command.SetChannel{Channel: channel, Expect: expect, Settings: *settings}
	result, err := c.commandMeta(ctx, set.Append(nil))
	if err != nil {
		return 0, err
	}
	configure := command.ConfigureChannel{Route: ofAnySlot(), Channel: channel, Settings: *settings}
	configure.Settings.Version = result.Offset
	if err := c.commandAll(ctx, configure.Append(nil)); err != nil {
		return 0, notEverywhere(err)
	}
	return result.Offset, nil
}

// Channels are a tenant's channels with what waits in them, by name: one, or all
// that have events where none is named.
func (c *Cluster) Channels(ctx context.Context, tenant, channel string) ([]ChannelState, error) {
	answers, err := c.askAll(ctx, opChannels, command.AppendString(command.AppendString(nil, tenant), channel))
	if err != nil {
		return nil, err
	}
	byName := make(map[string]*ChannelState)
	for i, answer := range answers {
		var states []ChannelState
		if err := json.Unmarshal(answer, &states); err != nil {
			return nil, fmt.Errorf("read the channels of partition %d: %w", i, err)
		}
		for j := range states {
			addChannel(byName, &states[j])
		}
	}
	all := make([]ChannelState, 0, len(byName))
	for _, state := range byName {
		slices.SortFunc(state.Groups, func(a, b fsm.ChannelGroup) int { return cmp.Compare(a.Group, b.Group) })
		all = append(all, *state)
	}
	slices.SortFunc(all, func(a, b ChannelState) int { return cmp.Compare(a.Channel, b.Channel) })
	return all, nil
}

// addChannel adds what one partition has of a channel to what others have.
func addChannel(byName map[string]*ChannelState, state *ChannelState) {
	sum := byName[state.Channel]
	if sum == nil {
		byName[state.Channel] = state
		return
	}
	sum.Stored += state.Stored
	sum.Kept += state.Kept
	sum.Bytes += state.Bytes
	sum.Settings = max(sum.Settings, state.Settings)
	for _, group := range state.Groups {
		at := slices.IndexFunc(sum.Groups, func(have fsm.ChannelGroup) bool { return have.Group == group.Group })
		if at < 0 {
			sum.Groups = append(sum.Groups, group)
			continue
		}
		sum.Groups[at].Waiting += group.Waiting
		sum.Groups[at].Leased += group.Leased
	}
}

// ofMeta asks the meta group's leader.
func (c *Cluster) ofMeta(ctx context.Context, what op, body []byte) ([]byte, error) {
	l := c.groupLane(MetaGroup)
	if l == nil {
		return nil, noAnswerError{statusNotLeader}
	}
	return c.await(ctx, l, what, body)
}

// askAll asks every partition's leader the same, and returns the answers in the
// order of partitions.
func (c *Cluster) askAll(ctx context.Context, what op, body []byte) ([][]byte, error) {
	if c.Partitions() == 0 {
		return nil, noAnswerError{statusNotLeader}
	}
	return c.askEach(ctx, what, func(int) []byte { return body })
}

// askEach is askAll where each is asked something of its own.
func (c *Cluster) askEach(ctx context.Context, what op, body func(partition int) []byte) ([][]byte, error) {
	ways := make([]*reply, c.Partitions())
	for i := range ways {
		ways[i] = newReply()
		if !c.laneOf(uint32(i)).ask(what, 0, body(i), ways[i]) {
			return nil, noAnswerError{statusOverloaded}
		}
	}
	answers := make([][]byte, len(ways))
	for i, way := range ways {
		var err error
		if answers[i], err = way.wait(ctx); err != nil {
			return nil, fmt.Errorf("partition %d: %w", i, err)
		}
	}
	return answers, nil
}
