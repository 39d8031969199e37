package gateway

import (
	"context"

	"github.com/batonmq/baton/cluster"
)

// fakeClients are the clients of a fakeBroker, by tenant and id, and the broadcasts
// that it was given.
type fakeClients struct {
	present    map[string]*cluster.Presence
	broadcasts []cluster.BroadcastSpec
}

// Client implements Broker.
func (b *fakeBroker) Client(_ context.Context, tenant, client string) (*cluster.Presence, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.clients.present[tenant+"/"+client]; p != nil {
		return p, nil
	}
	return nil, cluster.ErrNoClient
}

// Broadcast implements Broker.
func (b *fakeBroker) Broadcast(spec *cluster.BroadcastSpec, to Replier, slot uint64) {
	b.mu.Lock()
	result := b.result
	b.clients.broadcasts = append(b.clients.broadcasts, copyOf(spec))
	b.mu.Unlock()
	if result.CorrelationID == "" {
		result.CorrelationID = spec.CorrelationID
	}
	to.Reply(slot, &result)
}
