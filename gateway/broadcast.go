package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/transport/wire"
)

const onlyForOthers = "this needs a token with the role worker or admin, or of a backend: a client with the id *"

// broadcast notifies several clients of the same.
func (c *connection) broadcast(m *wire.Broadcast) {
	g := c.gateway
	if c.denied(m.ID, refuseBroadcast(c.who.Load())) || c.denied(m.ID, g.refuseNews(m)) {
		return
	}
	slot, ok := c.take(request{kind: requestBroadcast, id: m.ID})
	if !ok {
		return
	}
	if x := g.pace(&c.publishes, c.tenant, 0); x.any() {
		c.takeBack(slot)
		c.refuseMore(m.ID, x)
		return
	}
	made := string(c.appendMadeKey(nil))
	g.broker.Broadcast(broadcastOf(m, c.identity.tenant, made), c, slot)
}

// refuseBroadcast says who may not broadcast: whoever may notify one client that is not
// itself may notify several.
func refuseBroadcast(who *auth.Identity) refusal {
	if who != nil && !who.ForOthers() && !who.Is(command.RoleWorker) {
		return refusal{wire.ReasonForbidden, onlyForOthers}
	}
	return refusal{}
}

// refuseNews says what is wrong with a broadcast.
func (g *Gateway) refuseNews(m *wire.Broadcast) refusal {
	switch {
	case len(m.Payload.Bytes) > g.limits.MaxPayloadBytes:
		return g.tooLarge
	case len(m.Name) == 0:
		return refusal{wire.ReasonBadRequest, "name must not be empty"}
	case len(m.ClientIDs) == 0:
		return refusal{wire.ReasonBadRequest, "client_ids must name a client"}
	}
	for _, id := range m.ClientIDs {
		if len(id) == 0 {
			return refusal{wire.ReasonBadRequest, "client_ids must have no empty id"}
		}
	}
	return refusal{}
}

// broadcastOf is a broadcast as the cluster has it. made is its idempotency key where it
// names none, and its correlation id. What it has points into the message.
func broadcastOf(m *wire.Broadcast, tenant, made string) *cluster.BroadcastSpec {
	spec := &cluster.BroadcastSpec{
		Tenant: tenant, IdempotencyKey: alias(m.IdempotencyKey), CorrelationID: alias(m.CorrelationID),
		CausationID: alias(m.CausationID), Name: alias(m.Name), Payload: commandPayload(m.Payload),
		Clients: make([]string, len(m.ClientIDs)),
	}
	if spec.IdempotencyKey == "" {
		spec.IdempotencyKey = made
	}
	if spec.CorrelationID == "" {
		// Of the key, so that the same broadcast sent again has the same.
		spec.CorrelationID = spec.IdempotencyKey
	}
	for i, id := range m.ClientIDs {
		spec.Clients[i] = alias(id)
	}
	return spec
}

// broadcastOverHTTP is broadcast for those who hold no socket.
func (g *Gateway) broadcastOverHTTP(w http.ResponseWriter, r *http.Request) {
	body, bad := g.readBody(w, r)
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	waiter := newCommandWaiter(g)
	if refused := g.submitBroadcast(r, body, waiter); refused != nil {
		g.writeProblem(w, refused, refused.Code)
		return
	}
	result, ok := waiter.wait(r.Context())
	switch {
	case !ok:
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, noAnswerInTime})
	case result.Reason != command.Done:
		e := resultError(&result)
		g.writeProblem(w, &e, e.Code)
	default:
		answer, err := json.Marshal(broadcastAnswer{
			EventID: result.Event.String(), CorrelationID: result.CorrelationID, Duplicate: result.Duplicate,
		})
		invariants.Check(err == nil, "an answer of strings is JSON: %v", err)
		writeJSON(w, answer)
	}
}

// broadcastAnswer is the body of ok.
type broadcastAnswer struct {
	EventID       string `json:"event_id"`
	CorrelationID string `json:"correlation_id"`
	Duplicate     bool   `json:"duplicate,omitempty"`
}

// submitBroadcast reads the body of a broadcast and forwards it. It counts as one event
// among those that are paced.
func (g *Gateway) submitBroadcast(r *http.Request, body []byte, to *commandWaiter) *wire.Error {
	bench := g.borrow()
	defer g.giveBack(bench)
	var m wire.BroadcastBody
	if err := bench.decoder.BroadcastBody(body, &m); err != nil {
		e := refusal{wire.ReasonBadRequest, err.Error()}.wireError()
		return &e
	}
	who := whoOf(r)
	bad := refuseBroadcast(who)
	if !bad.any() {
		bad = g.refuseNews(&m.Broadcast)
	}
	tenant := tenantOf(r)
	if len(m.Tenant) > 0 {
		tenant = string(m.Tenant)
	}
	if !bad.any() && who != nil && !who.InTenant(tenant) {
		bad = refusal{wire.ReasonForbidden, notItsTenant}
	}
	if bad.any() {
		e := bad.wireError()
		return &e
	}
	of := g.tenants.hold(tenant, g.clock())
	x := g.pace(nil, of, 0)
	g.tenants.drop(of)
	if x.any() {
		g.meter.refusedBy(x.limit)
		e := x.wireError()
		return &e
	}
	g.begin(&g.nobody, false)
	g.broker.Broadcast(broadcastOf(&m.Broadcast, tenant, "~"+g.newSession()), to, 0)
	return nil
}

// replyBroadcast answers a broadcast.
func (c *connection) replyBroadcast(id uint64, result *command.Result) {
	var text [command.EventIDLength]byte
	c.sendOK(&wire.OK{
		ID: id, EventID: result.Event.Append(text[:0]), CorrelationID: aliasBytes(result.CorrelationID), Duplicate: result.Duplicate,
	})
}
