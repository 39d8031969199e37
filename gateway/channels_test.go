package gateway

import (
	"context"
	"testing"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Channels are of a fake that has one channel, "orders".
func (b *fakeBroker) Channels(_ context.Context, tenant, channel string) ([]cluster.ChannelState, error) {
	if tenant == "acme" {
		return []cluster.ChannelState{{Channel: "shared", Stored: 1, Groups: []fsm.ChannelGroup{
			{Group: "default"}, {Group: "busy", Waiting: 1}, {Group: "held", Leased: 1}, {Group: "others"},
		}}}, nil
	}
	if tenant != "default" || (channel != "" && channel != "orders") {
		return nil, nil
	}
	state := cluster.ChannelState{Channel: "orders", Stored: 3}
	return []cluster.ChannelState{state}, nil
}

func (b *fakeBroker) ChannelSettings(context.Context, string) (command.ChannelSettings, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.settings, nil
}

// SetChannel lets somebody else be first, as often as the test says.
func (b *fakeBroker) SetChannel(_ context.Context, _ string, expect uint64, settings *command.ChannelSettings) (uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rivals > 0 {
		b.rivals--
		b.settings.Version++
		b.settings.MaxLeaseLosses = 9
	}
	if expect != b.settings.Version {
		return 0, &cluster.RefusedError{Result: command.Result{Reason: command.Sequence, Message: "others were first"}}
	}
	b.settings = *settings
	b.settings.Version = expect + 1
	return b.settings.Version, nil
}

// sendChannel changes a channel's settings; a refusal's reason is not looked at.
func (e *edge) sendChannel(t *testing.T, method, path, body string, status int) string {
	t.Helper()
	return e.do(t, e.request(method, path, body), status, reasons[status])
}

// reasons are those of the answers here.
var reasons = map[int]string{400: "bad_request", 409: "sequence"}

func containsAll(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		contains(t, text, part)
	}
}

// TestHTTPChannels: settings are changed in part, replaced and taken back, over
// what others do meanwhile, and a mistake is told.
func TestHTTPChannels(t *testing.T) {
	e := newEdge(t)
	contains(t, e.get(t, "/v1/channels", 200, ""), `"channel":"orders"`)
	containsAll(t, e.get(t, "/v1/channels/mail", 200, ""), `"channel":"mail"`, `"version":0`, `"lease_ms":15000`, `"order":"none"`, `"groups":[]`)
	e.broker.rivals = 2
	containsAll(t, e.sendChannel(t, "PATCH", "/v1/channels/orders", `{"max_attempts":3,"order":"key"}`, 200),
		`"max_attempts":3`, `"order":"key"`, `"max_lease_losses":9`, `"version":3`, `"stored":3`)
	containsAll(t, e.sendChannel(t, "PATCH", "/v1/channels/orders", `{"order":"none","lease_ms":2000}`, 200), `"order":"none"`, `"lease_ms":2000`, `"max_attempts":3`)
	containsAll(t, e.sendChannel(t, "PUT", "/v1/channels/orders", `{"fan_out":true,"on_disconnect":"requeue","retain":"nothing","backoff_ms":7}`, 200),
		`"max_attempts":5`, `"fan_out":true`, `"on_disconnect":"requeue"`, `"retain":"nothing"`, `"backoff_ms":7`, `"lease_ms":15000`)
	containsAll(t, e.sendChannel(t, "DELETE", "/v1/channels/orders", "", 200), `"fan_out":false`, `"version":6`)
	containsAll(t, e.sendChannel(t, "PATCH", "/v1/channels/orders", `{"dead_letter_channel":"orders.dead"}`, 200), `"dead_letter_channel":"orders.dead"`)
	containsAll(t, e.sendChannel(t, "PATCH", "/v1/channels/orders", `{"dead_letter_channel":""}`, 200), `"dead_letter_channel":""`)
	e.broker.rivals = settingsTries
	containsAll(t, e.sendChannel(t, "PATCH", "/v1/channels/orders", `{}`, 409), `"sequence"`, "others were first")
	for body, says := range map[string]string{
		`{"max_tries":3}`:                 "max_tries",
		`{"order":"sorted"}`:              "order must be none or key",
		`{"lease_ms":5000000000}`:         "lease_ms is too high",
		`{"lease_ms":-1}`:                 "lease_ms must be an integer from 0",
		`{"fan_out":1}`:                   "fan_out must be true or false",
		`{"groups":{"audit":1}}`:          "must be a string",
		`{"groups":{"default":"new"}}`:    "default is there already",
		`{"groups":{"audit":"tomorrow"}}`: "earliest or new",
		`{"dead_letter_channel":"a b"}`:   "dead_letter_channel must be named",
		`[]`:                              "it must be a JSON object",
		`{} {}`:                           "one JSON object",
		``:                                "cannot be read",
	} {
		containsAll(t, e.sendChannel(t, "PUT", "/v1/channels/orders", body, 400), says)
	}
	containsAll(t, e.sendChannel(t, "PUT", "/v1/channels/no%20channel", `{}`, 400), "a channel's name")
}
