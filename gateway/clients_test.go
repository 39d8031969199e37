package gateway

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/transport/wire"
)

// copyOf keeps a broadcast beyond its call.
func copyOf(spec *cluster.BroadcastSpec) cluster.BroadcastSpec {
	kept := *spec
	for _, text := range []*string{&kept.Tenant, &kept.IdempotencyKey, &kept.CorrelationID, &kept.CausationID, &kept.Name} {
		*text = strings.Clone(*text)
	}
	kept.Payload.Bytes = slices.Clone(kept.Payload.Bytes)
	kept.Clients = make([]string, len(spec.Clients))
	for i := range spec.Clients {
		kept.Clients[i] = strings.Clone(spec.Clients[i])
	}
	return kept
}

// TestShowClient: devices with a cursor and devices with a socket are joined, and what
// each lacks is counted.
func TestShowClient(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() {
		e.broker.clients.present = map[string]*cluster.Presence{
			"default/ana": {
				Epoch: "e1", Known: true,
				ClientState: fsm.ClientState{Head: 9, Oldest: 4, Devices: []fsm.DeviceState{
					{DeviceID: "phone", Acked: 8, AckedMS: 1700}, {DeviceID: "old", Acked: 2},
				}},
				Sockets: []cluster.PresentSocket{
					{Node: "n1", DeviceID: "phone", Sent: 8}, {Node: "n2", DeviceID: "phone", Sent: 9}, {Node: "n3", DeviceID: "tab", Sent: 3},
				},
			},
			"acme/a/b": {Epoch: "e1", ClientState: fsm.ClientState{Oldest: 1}},
		}
	})
	var got wire.Client
	if err := json.Unmarshal([]byte(e.get(t, "/v1/clients/ana", 200, "")), &got); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"device_id":"old","connected":false,"nodes":[],"acked":2,"lag":6}`,
		`{"device_id":"phone","connected":true,"nodes":["n1","n2"],"sent":9,"acked":8,"lag":1,"acked_time":1700}`,
		`{"device_id":"tab","connected":true,"nodes":["n3"],"sent":3,"acked":3,"lag":6}`,
	}
	for i := range want {
		if device, err := json.Marshal(got.Devices[i]); err != nil || string(device) != want[i] {
			t.Errorf("device %d is\n%s, want\n%s", i, device, want[i])
		}
	}
	if len(got.Devices) != 3 || !got.Connected || got.Seq != 9 || got.Oldest != 4 || got.ClientID != "ana" || got.Tenant != "default" || got.Epoch != "e1" {
		t.Fatalf("%+v", got)
	}
	contains(t, e.get(t, "/v1/clients/a%2Fb?tenant=acme", 200, ""), `"client_id":"a/b","tenant":"acme","connected":false`)
	e.get(t, "/v1/clients/nobody", 404, "not_found")
	e.get(t, "/v1/clients/ana?tenant=acme", 404, "not_found")
	e.get(t, "/v1/clients/"+strings.Repeat("x", 256), 400, "bad_request")
}
