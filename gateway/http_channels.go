package gateway

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// settingsTries is how often a change of settings is begun anew because somebody
	// else changed them meanwhile.
	settingsTries = 5
)

// listChannels answers the tenant's channels.
func (g *Gateway) listChannels(w http.ResponseWriter, r *http.Request) {
	states, err := g.broker.Channels(r.Context(), tenantOf(r), "")
	if err != nil {
		g.answerLook(w, nil, err)
		return
	}
	list := wire.Channels{Channels: make([]wire.Channel, 0, len(states))}
	for i := range states {
		list.Channels = append(list.Channels, channelFor(whoOf(r), &states[i]))
	}
	g.answerLook(w, &list, nil)
}

// showChannel answers one channel with its settings. Channels need no
// declaration, so there is none that does not exist.
func (g *Gateway) showChannel(w http.ResponseWriter, r *http.Request) {
	channel, bad := channelName(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	settings, err := g.broker.ChannelSettings(r.Context(), channel)
	if err != nil {
		g.answerLook(w, nil, err)
		return
	}
	g.answerChannel(w, r, channel, &settings)
}

func channelName(r *http.Request) (name string, bad refusal) {
	name = r.PathValue("channel")
	if !wire.ValidName([]byte(name)) {
		return "", refusal{wire.ReasonBadRequest, "a channel's name has 1 to 255 of A-Z a-z 0-9 . _ -"}
	}
	return name, refusal{}
}

func (g *Gateway) answerChannel(w http.ResponseWriter, r *http.Request, channel string, settings *command.ChannelSettings) {
	states, err := g.broker.Channels(r.Context(), tenantOf(r), channel)
	if err != nil {
		g.answerLook(w, nil, err)
		return
	}
	answer := wire.Channel{Channel: channel, Groups: []wire.ChannelGroup{}}
	if len(states) > 0 {
		answer = channelFor(whoOf(r), &states[0])
		if boundOf(whoOf(r)) != "" && answer.Stored == 0 {
			// Others' groups of a channel that is nothing to this tenant.
			answer.Groups = []wire.ChannelGroup{}
		}
	}
	answer.Version, answer.Settings = settings.Version, shownSettings(settings)
	g.answerLook(w, &answer, nil)
}

// channelFor is a channel as a token may see it: to who acts for one tenant, groups in
// which that has nothing to do are others'.
func channelFor(who *auth.Identity, state *cluster.ChannelState) wire.Channel {
	channel := channelOf(state)
	if boundOf(who) != "" {
		channel.Groups = slices.DeleteFunc(channel.Groups, func(g wire.ChannelGroup) bool {
			return g.Group != defaultGroup && g.Waiting == 0 && g.Leased == 0
		})
	}
	return channel
}

func channelOf(state *cluster.ChannelState) wire.Channel {
	channel := wire.Channel{
		Channel: state.Channel, Version: state.Settings, Stored: state.Stored, Kept: state.Kept, Bytes: state.Bytes,
		Groups: []wire.ChannelGroup{},
	}
	for _, group := range state.Groups {
		channel.Groups = append(channel.Groups, wire.ChannelGroup(group))
	}
	return channel
}

// replaceChannel gives a channel the settings of the body and no others.
func (g *Gateway) replaceChannel(w http.ResponseWriter, r *http.Request) {
	g.setChannel(w, r, func(command.ChannelSettings) command.ChannelSettings { return command.ChannelSettings{} })
}

// changeChannel changes the settings that the body has.
func (g *Gateway) changeChannel(w http.ResponseWriter, r *http.Request) {
	g.setChannel(w, r, func(have command.ChannelSettings) command.ChannelSettings { return have })
}

// resetChannel takes a channel's settings back.
func (g *Gateway) resetChannel(w http.ResponseWriter, r *http.Request) {
	channel, bad := channelName(r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	settings, err := g.storeSettings(r.Context(), channel, func(have command.ChannelSettings) command.ChannelSettings {
		return command.ChannelSettings{Version: have.Version}
	})
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	g.answerChannel(w, r, channel, &settings)
}

// setChannel changes a channel's settings, as the body says, from what begin
// makes of those that there are.
func (g *Gateway) setChannel(w http.ResponseWriter, r *http.Request, begin func(command.ChannelSettings) command.ChannelSettings) {
	channel, bad := channelName(r)
	var said wire.ChannelSettings
	if !bad.any() {
		bad = readSettings(w, r, &said)
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	if err := g.makeGroups(r.Context(), channel, said.Groups); err != nil {
		g.refuseSettings(w, err)
		return
	}
	settings, err := g.storeSettings(r.Context(), channel, func(have command.ChannelSettings) command.ChannelSettings {
		next := begin(have)
		sayOver(&next, &said)
		next.Version = have.Version
		return next
	})
	if err != nil {
		g.refuseSettings(w, err)
		return
	}
	g.answerChannel(w, r, channel, &settings)
}

// readSettings reads the body of a change of a channel's settings.
func readSettings(w http.ResponseWriter, r *http.Request, said *wire.ChannelSettings) refusal {
	if bad := readStrictly(w, r, "settings", said); bad.any() {
		return bad
	}
	if wrong := wrongWords(said); wrong != "" {
		return refusal{wire.ReasonBadRequest, wrong}
	}
	return refusal{}
}

// storeSettings reads a channel's settings, has them changed and stores them
// until nobody else did so in between.
func (g *Gateway) storeSettings(
	ctx context.Context, channel string, change func(command.ChannelSettings) command.ChannelSettings,
) (settings command.ChannelSettings, err error) {
	read := func() (command.ChannelSettings, error) { return g.broker.ChannelSettings(ctx, channel) }
	return storeAlone(read, change, func(have, next *command.ChannelSettings) (err error) {
		next.Version, err = g.broker.SetChannel(ctx, channel, have.Version, next)
		return err
	})
}

// storeAlone reads settings, has them changed and stores them until nobody else did so in
// between.
func storeAlone[T any](read func() (T, error), change func(T) T, store func(have, next *T) error) (settings T, err error) {
	for range settingsTries {
		have, readErr := read()
		if readErr != nil {
			return settings, readErr
		}
		settings = change(have)
		err = store(&have, &settings)
		if refused, ok := errors.AsType[*cluster.RefusedError](err); !ok || refused.Reason != command.Sequence {
			return settings, err
		}
	}
	return settings, err
}

// makeGroups makes the groups that settings name.
func (g *Gateway) makeGroups(ctx context.Context, channel string, groups map[string]string) error {
	waiters := make([]*resultWaiter, 0, len(groups))
	for group, from := range groups {
		waiter := &resultWaiter{answer: make(chan command.Result, 1)}
		waiters = append(waiters, waiter)
		spec := GroupSpec{Channel: channel, Group: group}
		if from == fromEarliest {
			spec.From = command.FromEarliest
		}
		g.broker.EnsureGroup(&spec, waiter, 0)
	}
	for _, waiter := range waiters {
		select {
		case result := <-waiter.answer:
			if result.Reason != command.Done {
				return &cluster.RefusedError{Result: result}
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// resultWaiter receives one answer.
type resultWaiter struct{ answer chan command.Result }

// Reply implements Replier.
func (w *resultWaiter) Reply(_ uint64, result *command.Result) {
	w.answer <- command.Result{Reason: result.Reason, Message: result.Message, RetryAfterMS: result.RetryAfterMS}
}

func (g *Gateway) refuseSettings(w http.ResponseWriter, err error) {
	if refused, ok := errors.AsType[*cluster.RefusedError](err); ok {
		e := resultError(&refused.Result)
		g.writeProblem(w, &e, e.Code)
		return
	}
	g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, err.Error() + "; asking for the same settings again is safe"})
}
