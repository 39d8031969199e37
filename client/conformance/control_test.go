package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/batonmq/baton/client"
)

// control does to the cluster what scenarios ask for, and says what it has stored.
type control struct {
	cluster *cluster
	server  *httptest.Server
	http    *client.HTTP
}

// order is one step "control".
type order struct {
	Action   string                 `json:"action"`
	Node     int                    `json:"node"`
	Channel  string                 `json:"channel"`
	EventID  string                 `json:"event_id"`
	State    string                 `json:"state"`
	Settings client.ChannelSettings `json:"settings"`
	Is       uint64                 `json:"is"`
	AtLeast  int                    `json:"at_least"`
}

func newControl(t *testing.T, c *cluster) *control {
	t.Helper()
	var nodes []string
	for _, m := range c.members {
		nodes = append(nodes, m.direct())
	}
	web, err := client.NewHTTP(client.Options{Nodes: nodes})
	if err != nil {
		t.Fatal(err)
	}
	k := &control{cluster: c, http: web}
	k.server = httptest.NewServer(http.HandlerFunc(k.serve))
	t.Cleanup(k.server.Close)
	return k
}

// serve takes one order. The answer comes when it is carried out.
func (k *control) serve(w http.ResponseWriter, r *http.Request) {
	var o order
	if err := json.NewDecoder(r.Body).Decode(&o); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := k.do(r.Context(), &o); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
	}
}

func (k *control) do(ctx context.Context, o *order) error {
	if o.Node < 0 || o.Node >= nodeCount {
		return fmt.Errorf("there is no node %d", o.Node)
	}
	m := k.cluster.members[o.Node]
	p := m.proxy
	switch o.Action {
	case "cut":
		p.cut()
	case "block":
		p.set(func() { p.blocked = true })
		p.cut()
	case "unblock":
		p.set(func() { p.blocked = false })
	case "mute":
		p.set(func() { p.muted = true })
	case "unmute":
		p.set(func() { p.muted = false })
	case "overstate":
		p.set(func() { p.overstate, p.seen[seenRefused] = true, 0 })
	case "state limits":
		p.set(func() { p.overstate = false })
	case "reset":
		for _, m := range k.cluster.members {
			m.proxy.set(func() { m.proxy.blocked, m.proxy.muted, m.proxy.overstate = false, false, false })
		}
	case "stop":
		return m.stop(ctx)
	case "start":
		return k.restart(context.WithoutCancel(ctx), m)
	default:
		return k.look(ctx, m, o)
	}
	return nil
}

// restart starts a node that was stopped, and waits until all are ready again.
// The node outlives the request that starts it.
func (k *control) restart(ctx context.Context, m *member) error {
	if err := m.start(ctx); err != nil {
		return err
	}
	for _, other := range k.cluster.members {
		if err := other.awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// look waits until the cluster, or a proxy, shows what a scenario expects.
func (k *control) look(ctx context.Context, m *member, o *order) error {
	switch o.Action {
	case "settings":
		_, err := k.http.ChangeChannel(ctx, o.Channel, o.Settings)
		return err
	case "stored":
		return await(ctx, func() error {
			channel, _, err := k.http.Channel(ctx, o.Channel)
			if err == nil && channel.Stored != o.Is {
				err = fmt.Errorf("channel %s has stored %d events, want %d", o.Channel, channel.Stored, o.Is)
			}
			return err
		})
	case "event":
		return await(ctx, func() error {
			trace, err := k.http.Trace(ctx, o.EventID)
			if err == nil && (len(trace.Events) == 0 || trace.Events[0].State != o.State) {
				err = fmt.Errorf("events %+v, want %s %s", trace.Events, o.EventID, o.State)
			}
			return err
		})
	case "acknowledged":
		return await(ctx, func() error { return k.acknowledged(ctx, o.EventID) })
	case "renewals":
		return m.proxy.awaitCount(ctx, seenRenewed, m.proxy.count(seenRenewed)+o.AtLeast)
	case "refusals":
		return m.proxy.awaitCount(ctx, seenRefused, o.AtLeast)
	default:
		return fmt.Errorf("control knows no action %q", o.Action)
	}
}

// acknowledged looks for a device that has acknowledged the notification of an event.
func (k *control) acknowledged(ctx context.Context, event string) error {
	trace, err := k.http.Trace(ctx, event)
	if err != nil {
		return err
	}
	for i := range trace.Marks {
		if trace.Marks[i].Mark == "acknowledged" {
			return nil
		}
	}
	return fmt.Errorf("no device has acknowledged the notification of %s", event)
}
