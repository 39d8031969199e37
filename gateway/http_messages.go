package gateway

import (
	"encoding/json"
	"net/http"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// MessageChannelPrefix begins the channels that a token's publish patterns have to grant
// to who sends messages to runs: of message NAME it is the prefix and NAME.
const MessageChannelPrefix = "$message."

// runMessage is a message for whichever run waits for it.
type runMessage struct {
	Name string `json:"name"`
	Key  string `json:"key"`
	// ID makes it arrive once.
	ID string `json:"id"`
	// TTLMs is for how long it is kept for a run that does not wait for it yet.
	TTLMs      int64           `json:"ttl_ms"`
	Data       json.RawMessage `json:"data"`
	DataBase64 *[]byte         `json:"data_base64"`
	Tenant     string          `json:"tenant"`
}

// sentMessage answers it.
type sentMessage struct {
	Name      string `json:"name"`
	Key       string `json:"key"`
	Duplicate bool   `json:"duplicate,omitempty"`
}

// sendMessage brings a message to the run that waits for its name and key, or keeps it
// for one that will.
func (g *Gateway) sendMessage(w http.ResponseWriter, r *http.Request) {
	raw, bad := g.readBody(w, r)
	var said runMessage
	if !bad.any() {
		bad = readObject(raw, &said)
	}
	var c *command.SendMessage
	if !bad.any() {
		c, bad = g.messageOf(r, &said)
	}
	if bad.any() {
		g.refuseHTTP(w, bad)
		return
	}
	of := g.tenants.hold(c.Tenant, g.clock())
	x := g.pace(nil, of, 0)
	g.tenants.drop(of)
	if x.any() {
		g.meter.refusedBy(x.limit)
		e := x.wireError()
		g.writeProblem(w, &e, e.Code)
		return
	}
	waiter := newCommandWaiter(g)
	g.begin(&g.nobody, false)
	g.broker.Submit(command.PartitionOf(c.Slot, g.broker.Partitions()), c.Append(nil), waiter, 0)
	result, ok := waiter.wait(r.Context())
	switch {
	case !ok:
		g.refuseHTTP(w, refusal{wire.ReasonOutcomeUnknown, "the cluster did not answer in time; the same id makes another try safe"})
	case result.Reason != command.Done:
		e := resultError(&result)
		g.writeProblem(w, &e, e.Code)
	default:
		g.answerLook(w, sentMessage{Name: said.Name, Key: said.Key, Duplicate: result.Duplicate}, nil)
	}
}

// messageOf is the command of a message, or why it is refused.
func (g *Gateway) messageOf(r *http.Request, said *runMessage) (*command.SendMessage, refusal) {
	switch {
	case said.Name == "":
		return nil, refusal{wire.ReasonBadRequest, "name must not be empty"}
	case len(said.Name) > wire.MaxNameBytes || len(said.Key) > wire.MaxKeyBytes || len(said.ID) > wire.MaxIdempotencyKeyBytes:
		return nil, refusal{wire.ReasonBadRequest, "name, key and id have at most 255 bytes"}
	case said.TTLMs < 0:
		return nil, refusal{wire.ReasonBadRequest, "ttl_ms must be an integer from 0"}
	case g.broker.Partitions() == 0:
		return nil, refusal{wire.ReasonNoLeader, notFormed}
	}
	who, tenant := whoOf(r), tenantOf(r)
	if said.Tenant != "" {
		tenant = said.Tenant
	}
	if who != nil && !who.InTenant(tenant) {
		return nil, refusal{wire.ReasonForbidden, notItsTenant}
	}
	if bad := refuseStart(who, []byte(MessageChannelPrefix+said.Name)); bad.any() {
		return nil, bad
	}
	data, bad := g.payloadOf(said.Data, said.DataBase64)
	if data.Codec == command.CodecNone {
		data = command.Payload{Codec: command.CodecJSON, Bytes: []byte("null")}
	}
	c := &command.SendMessage{
		Tenant: tenant, Name: said.Name, Key: said.Key, ID: said.ID, TTLMS: uint64(said.TTLMs), Payload: data,
	}
	if key := r.Header.Get("Idempotency-Key"); c.ID == "" {
		c.ID = key
	}
	if c.ID == "" {
		c.ID = "~" + g.newSession() // What the lanes send again arrives once.
	}
	c.Route = command.Route{Slot: command.SlotOf(tenant, command.MessageKey(c.Name, c.Key)), SlotMap: command.SlotMapVersion}
	return c, bad
}
