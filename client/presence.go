package client

import (
	"context"
	"encoding/json"

	"github.com/batonmq/baton/transport/wire"
)

// Presence is whether a client is connected, and how far each of its devices is.
type Presence = wire.Client

// Client looks up a client of the tenant. It returns an Error with reason not_found
// where nothing ever was for it and it is not connected. What is said of sockets is
// what the leader of the client's partition knows: after a change of leaders it takes
// moments until it knows all.
func (h *HTTP) Client(ctx context.Context, clientID string) (*Presence, json.RawMessage, error) {
	presence := &Presence{}
	raw, err := h.get(ctx, h.path("/v1/clients/", clientID), presence)
	return presence, raw, err
}
