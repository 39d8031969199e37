package gateway

import (
	"cmp"
	"errors"
	"net/http"
	"slices"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// showClient answers whether a client is there, and how far its devices are. A client
// may look at itself, and so may a backend at its clients; others need an
// administrator's token.
func (g *Gateway) showClient(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("client_id")
	if len(id) > wire.MaxClientIDBytes {
		g.refuseHTTP(w, refusal{wire.ReasonBadRequest, "a client_id has at most 255 bytes"})
		return
	}
	if who := whoOf(r); who != nil && !who.Is(command.RoleAdmin) && !who.AsClient(id) {
		g.refuseHTTP(w, refusal{wire.ReasonForbidden, notItsClient})
		return
	}
	tenant := tenantOf(r)
	presence, err := g.broker.Client(r.Context(), tenant, id)
	if errors.Is(err, cluster.ErrNoClient) {
		g.refuseHTTP(w, refusal{wire.ReasonNotFound, cluster.ErrNoClient.Error()})
		return
	}
	if err != nil {
		g.answerLook(w, nil, err)
		return
	}
	shown := clientOf(presence)
	shown.ClientID, shown.Tenant = id, tenant
	g.answerLook(w, shown, nil)
}

// clientOf joins the devices that have a cursor with those that have a socket.
func clientOf(p *cluster.Presence) *wire.Client {
	shown := &wire.Client{
		Connected: len(p.Sockets) > 0, Epoch: p.Epoch, Seq: p.Head, Oldest: p.Oldest, Devices: []wire.Device{},
	}
	for _, d := range p.Devices {
		shown.Devices = append(shown.Devices, wire.Device{
			DeviceID: d.DeviceID, Nodes: []string{}, Acked: d.Acked, AckedTime: d.AckedMS,
		})
	}
	for _, s := range p.Sockets {
		d := deviceOf(shown, s.DeviceID)
		d.Connected, d.Sent, d.Nodes = true, max(d.Sent, s.Sent), append(d.Nodes, s.Node)
	}
	for i := range shown.Devices {
		d := &shown.Devices[i]
		d.Lag = p.Head - max(d.Acked, p.Oldest-1)
	}
	slices.SortFunc(shown.Devices, func(a, b wire.Device) int { return cmp.Compare(a.DeviceID, b.DeviceID) })
	return shown
}

// deviceOf is the device of that name. One that never acknowledged anything has no
// cursor yet: it stands where what is kept begins.
func deviceOf(c *wire.Client, name string) *wire.Device {
	at := slices.IndexFunc(c.Devices, func(d wire.Device) bool { return d.DeviceID == name })
	if at < 0 {
		at = len(c.Devices)
		c.Devices = append(c.Devices, wire.Device{DeviceID: name, Nodes: []string{}, Acked: c.Oldest - 1})
	}
	return &c.Devices[at]
}
