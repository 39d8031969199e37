package gateway

import (
	"context"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

func (b *fakeBroker) TenantSettings(context.Context, string) (command.TenantSettings, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limits, nil
}

// SetTenant lets somebody else be first, as often as the test says.
func (b *fakeBroker) SetTenant(_ context.Context, _ string, expect uint64, settings *command.TenantSettings) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rivals > 0 {
		b.rivals--
		b.limits.Version++
		b.limits.Rate = 9
	}
	if expect != b.limits.Version {
		return 0, &cluster.RefusedError{Result: command.Result{Reason: command.Sequence, Message: "others were first"}}
	}
	b.limits = *settings
	b.limits.Version = expect + 1
	return b.limits.Version, nil
}

// TestTenantLimits: what a tenant may use is changed, replaced and taken back; who is not
// first looks again.
func TestTenantLimits(t *testing.T) {
	e := newEdge(t)
	const path = "/v1/tenants/acme/limits"
	containsAll(t, e.get(t, path, 200, ""), `"tenant":"acme"`, `"weight":100`, `"max_in_flight":0`)
	e.broker.rivals = 1
	containsAll(t, e.do(t, e.request("PATCH", path, `{"weight":200,"max_in_flight":5}`), 200, ""), `"version":2`, `"weight":200`, `"max_in_flight":5`, `"rate":9`)
	containsAll(t, e.do(t, e.request("PATCH", path, `{"max_backlog_events":7}`), 200, ""), `"weight":200`, `"max_backlog_events":7`)
	containsAll(t, e.do(t, e.request("PUT", path, `{"max_backlog_bytes":8}`), 200, ""), `"weight":100`, `"max_backlog_events":0`, `"max_backlog_bytes":8`)
	containsAll(t, e.do(t, e.request("DELETE", path, ""), 200, ""), `"max_backlog_bytes":0`, `"version":5`)
	containsAll(t, e.do(t, e.request("PATCH", path, `{"weight":"high"}`), 400, "bad_request"), "weight must be an integer from 0")
	for _, body := range []string{`{"weight":0}`, `{"weight":10001}`, `{"wait":1}`, `{"rate":-1}`, `{} {}`, `[]`} {
		e.do(t, e.request("PATCH", path, body), 400, "bad_request")
	}
}
