package client

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/batonmq/baton/transport/wire"
)

// Channel is a channel with its settings and what waits in it.
type Channel = wire.Channel

// ChannelSettings are a channel's policies: see wire.ChannelSettings. What is nil
// is not said.
type ChannelSettings = wire.ChannelSettings

// Channels returns the tenant's channels that have events, without their settings.
func (h *HTTP) Channels(ctx context.Context) ([]Channel, json.RawMessage, error) {
	var list wire.Channels
	raw, err := h.get(ctx, h.path("/v1/channels", ""), &list)
	return list.Channels, raw, err
}

// Channel returns a channel. There is none that does not exist: channels need no
// declaration.
func (h *HTTP) Channel(ctx context.Context, name string) (*Channel, json.RawMessage, error) {
	channel := &Channel{}
	raw, err := h.get(ctx, h.path("/v1/channels/", name), channel)
	return channel, raw, err
}

// ChangeChannel changes the settings that are said, and returns when they are in
// force in every partition.
func (h *HTTP) ChangeChannel(ctx context.Context, name string, said ChannelSettings) (*Channel, error) {
	return h.sendChannel(ctx, http.MethodPatch, name, &said)
}

// ReplaceChannel gives a channel the settings that are said, and the defaults for
// the others.
func (h *HTTP) ReplaceChannel(ctx context.Context, name string, said ChannelSettings) (*Channel, error) {
	return h.sendChannel(ctx, http.MethodPut, name, &said)
}

// ResetChannel gives a channel the settings of one that has none of its own.
// Groups stay.
func (h *HTTP) ResetChannel(ctx context.Context, name string) (*Channel, error) {
	return h.sendChannel(ctx, http.MethodDelete, name, nil)
}

func (h *HTTP) sendChannel(ctx context.Context, method, name string, said *ChannelSettings) (*Channel, error) {
	var body []byte
	if said != nil {
		var err error
		if body, err = encode(said); err != nil {
			return nil, err
		}
	}
	channel := &Channel{}
	return channel, h.change(ctx, method, h.path("/v1/channels/", name), body, channel)
}
