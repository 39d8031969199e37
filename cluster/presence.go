package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/storage"
)

// ErrNoClient says that nothing was ever for a client, and that it is not there.
var ErrNoClient = errors.New("no client of this tenant has that id")

// Presence is a client as the leader of its partition sees it.
type Presence struct {
	fsm.ClientState

	// Epoch is the stream's, as clients see it.
	Epoch string `json:"-"`
	// Known means that there is, or was, something in the client's stream.
	Known   bool            `json:"known"`
	Sockets []PresentSocket `json:"sockets"`
}

// PresentSocket is a socket that a client has now.
type PresentSocket struct {
	// Node is the name of the node that holds it.
	Node     string `json:"node"`
	DeviceID string `json:"device_id"`
	// Sent is the last seq that it was sent.
	Sent uint64 `json:"sent"`
}

// Client looks up a client; ErrNoClient where there is nothing of it.
func (c *Cluster) Client(ctx context.Context, tenant, client string) (*Presence, error) {
	partitions := c.Partitions()
	if partitions == 0 {
		return nil, noAnswerError{statusNotLeader}
	}
	partition := command.PartitionOf(command.SlotOf(tenant, client), partitions)
	body := command.AppendString(command.AppendString(nil, tenant), client)
	answer, err := c.await(ctx, c.laneOf(partition), opClient, body)
	if err != nil {
		return nil, err
	}
	presence := &Presence{}
	if err := json.Unmarshal(answer, presence); err != nil {
		return nil, fmt.Errorf("read a client: %w", err)
	}
	if !presence.Known && len(presence.Sockets) == 0 {
		return nil, ErrNoClient
	}
	presence.Epoch = c.Epoch(partition)
	names := make(map[string]string)
	for _, m := range c.memberStatus() {
		names[m.ID] = m.Name
	}
	for i := range presence.Sockets {
		s := &presence.Sockets[i]
		s.Node = cmp.Or(names[s.Node], s.Node)
	}
	return presence, nil
}

// presenceOf reads a client from a view, with the sockets that it has at this leader.
func presenceOf(g *Group, tenant, client string) func(*storage.View) (any, error) {
	return func(view *storage.View) (any, error) {
		state, err := fsm.ReadClient(view, tenant, client)
		if err != nil {
			return nil, err
		}
		presence := &Presence{ClientState: fsm.ClientState{Oldest: 1, Devices: []fsm.DeviceState{}}}
		if state != nil {
			presence.Known, presence.ClientState = true, *state
		}
		presence.Sockets = socketsOf(g.duty.Present(tenant, client))
		return presence, nil
	}
}

func socketsOf(present []duty.Socket) []PresentSocket {
	sockets := make([]PresentSocket, 0, len(present))
	for _, s := range present {
		sockets = append(sockets, PresentSocket{Node: s.Node, DeviceID: s.DeviceID, Sent: s.Sent})
	}
	slices.SortFunc(sockets, func(a, b PresentSocket) int {
		return cmp.Or(cmp.Compare(a.DeviceID, b.DeviceID), cmp.Compare(a.Node, b.Node), cmp.Compare(a.Sent, b.Sent))
	})
	return sockets
}
