package gateway

import (
	"strconv"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// publish forwards an event to the leader of its key's partition.
func (c *connection) publish(m *wire.Publish) {
	g, bench := c.gateway, c.bench
	clientID, r := c.publisher(m)
	if !r.any() {
		r = refusePublish(c.who.Load(), m.Channel)
	}
	if !r.any() {
		r = g.refuseEvent(&m.EventFields)
	}
	if !r.any() {
		r = refuseOnEnd(&m.EventFields, clientID == "")
	}
	if r.any() {
		c.refuse(m.ID, r.reason, r.message)
		return
	}
	partitions := g.broker.Partitions()
	if partitions == 0 {
		c.refuse(m.ID, wire.ReasonNoLeader, notFormed)
		return
	}
	slot, ok := c.take(request{kind: requestPublish, id: m.ID})
	if !ok {
		return
	}
	if x := g.pace(&c.publishes, c.tenant, 0); x.any() {
		c.takeBack(slot)
		c.refuseMore(m.ID, x)
		return
	}
	event := &bench.publish.Event
	bench.fillEvent(event, &m.EventFields)
	event.Tenant, event.ClientID, event.DeviceID = c.identity.tenant, clientID, c.identity.deviceID
	if clientID != c.identity.clientID {
		event.DeviceID = defaultDevice
	}
	if event.IdempotencyKey == "" {
		bench.made = c.appendMadeKey(bench.made[:0])
		event.IdempotencyKey = alias(bench.made)
	}
	bench.publish.MaxUnfinished, bench.publish.MaxTenantBytes = g.maxUnfinished(), g.maxTenantBytes()
	encoded, partition := bench.encodePublish(partitions)
	g.broker.Submit(partition, encoded, c, slot)
}

// publisher is whose event a publish is: the session's client's, or the one's that a
// backend names.
func (c *connection) publisher(m *wire.Publish) (clientID string, r refusal) {
	if len(m.ClientID) == 0 || alias(m.ClientID) == c.identity.clientID {
		return c.identity.clientID, refusal{}
	}
	if who := c.who.Load(); who != nil && !who.ForOthers() {
		return "", refusal{wire.ReasonForbidden, onlyWithClients}
	}
	return alias(m.ClientID), refusal{}
}

// appendMadeKey appends an idempotency key for an event that has none, so that
// the broker's retries store it once. The session's random part keeps it apart
// from every other; the tilde shows whose it is.
func (c *connection) appendMadeKey(dst []byte) []byte {
	c.made++
	dst = append(dst, '~')
	dst = append(dst, c.session...)
	dst = append(dst, '-')
	return strconv.AppendUint(dst, c.made, 36)
}

const notFormed = "the cluster is not formed yet"

// refuseEvent says what is wrong with an event, whoever sends it.
func (g *Gateway) refuseEvent(m *wire.EventFields) refusal {
	if len(m.Payload.Bytes) > g.limits.MaxPayloadBytes {
		return g.tooLarge
	}
	return g.refuseTimes(m)
}

// refuseOnEnd refuses to notify nobody.
func refuseOnEnd(m *wire.EventFields, nobody bool) refusal { //nolint:revive // The flag is what is checked.
	if len(m.OnEnd) > 0 && nobody {
		return refusal{wire.ReasonBadRequest, "on_end notifies the event's client, and there is none: name a client_id"}
	}
	return refusal{}
}

// maxUnfinished is the limit of each client, 0 for none.
func (g *Gateway) maxUnfinished() uint64 { return uint64(g.limits.MaxUnfinished) } //nolint:gosec // not negative

// maxTenantBytes is the limit of each tenant's backlog, 0 for none.
func (g *Gateway) maxTenantBytes() uint64 { return uint64(g.limits.MaxTenantBacklogBytes) } //nolint:gosec // not negative

// refuseTimes says what is wrong with when an event is to be worked on.
func (g *Gateway) refuseTimes(m *wire.EventFields) refusal {
	longest := g.limits.MaxDelay.Milliseconds()
	switch {
	case m.DelayMs != 0 && m.DeliverAt != 0:
		return refusal{wire.ReasonBadRequest, "delay_ms and deliver_at exclude each other: give one"}
	case m.DelayMs > longest, m.DeliverAt != 0 && m.DeliverAt > time.Now().UnixMilli()+longest:
		return g.tooLate
	default:
		return refusal{}
	}
}

// fillEvent takes over what the sender said. The event's strings alias the
// message: it must be encoded before the next one is read.
func (b *workbench) fillEvent(event *command.Event, m *wire.EventFields) {
	*event = command.Event{
		Channel:        alias(m.Channel),
		Key:            alias(m.Key),
		IdempotencyKey: alias(m.IdempotencyKey),
		CorrelationID:  alias(m.CorrelationID),
		CausationID:    alias(m.CausationID),
		ContentType:    alias(m.ContentType),
		ClientSeq:      m.ClientSeq,
		DelayMS:        uint64(m.DelayMs),   //nolint:gosec // not negative
		DeliverAtMS:    uint64(m.DeliverAt), //nolint:gosec // not negative
		TTLMS:          uint64(m.TTLMs),     //nolint:gosec // not negative
		OnEnd:          alias(m.OnEnd),
		Priority:       uint32(m.Priority),
		Payload:        commandPayload(m.Payload),
	}
	if len(m.Headers) > 0 {
		start := len(b.headers)
		b.headers = wire.AppendHeaders(b.headers, m.Headers)
		event.Headers = b.headers[start:]
	}
}

// encodePublish encodes b.publish for the partition of its key, choosing the
// key where none is named.
func (b *workbench) encodePublish(partitions uint32) (encoded []byte, partition uint32) {
	event := &b.publish.Event
	if event.Key == "" {
		event.Key = event.ClientID
	}
	if event.Key == "" {
		event.Key = event.IdempotencyKey
	}
	slot := command.SlotOf(event.Tenant, event.Key)
	b.publish.Route = command.Route{Slot: slot, SlotMap: command.SlotMapVersion}
	b.encoded = b.publish.Append(b.encoded[:0])
	b.publish.Event = command.Event{}
	b.headers = b.headers[:0]
	return b.encoded, command.PartitionOf(slot, partitions)
}

// replyPublish answers a publish.
func (c *connection) replyPublish(id uint64, result *command.Result) {
	var text [command.EventIDLength]byte
	ok := wire.OK{
		ID:            id,
		EventID:       result.Event.Append(text[:0]),
		CorrelationID: aliasBytes(result.CorrelationID),
		Offset:        result.Offset,
		Duplicate:     result.Duplicate,
	}
	if result.CorrelationID == "" {
		ok.CorrelationID = ok.EventID
	}
	c.sendOK(&ok)
}
