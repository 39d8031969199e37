package fsm

import (
	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

func (m *model) drawPublish() *command.Publish {
	e := command.Event{
		Channel:        rapid.SampledFrom([]string{"a", "a", "b", fanOut}).Draw(m.t, "channel"),
		Tenant:         rapid.SampledFrom([]string{"t", "t", "u", "v"}).Draw(m.t, "tenant"),
		Key:            rapid.SampledFrom([]string{"k", "k", "l"}).Draw(m.t, "key"),
		ClientID:       rapid.SampledFrom([]string{"c", "c", "d"}).Draw(m.t, "client"),
		CorrelationID:  m.drawCorrelation(),
		OnEnd:          rapid.SampledFrom([]string{"", "", "end"}).Draw(m.t, "on end"),
		IdempotencyKey: rapid.SampledFrom([]string{"", "", "i", "j"}).Draw(m.t, "idempotency"),
		DelayMS:        rapid.SampledFrom([]uint64{0, 0, 0, 500, 100_000}).Draw(m.t, "delay"),
		ClientSeq:      rapid.SampledFrom([]uint64{0, 0, 0, 1, 2, 3}).Draw(m.t, "seq"),
		TTLMS:          rapid.SampledFrom([]uint64{0, 0, 0, 0, 3001, 200_000}).Draw(m.t, "ttl"),
		Priority:       rapid.SampledFrom([]uint32{0, 0, 0, 1, 9}).Draw(m.t, "priority"),
		Payload:        command.Payload{Codec: command.CodecJSON, Bytes: []byte(rapid.SampledFrom([]string{"1", "1", "2", `"a long one"`}).Draw(m.t, "data"))},
	}
	c := &command.Publish{Route: command.Route{Slot: command.SlotOf(e.Tenant, e.Key)}, Event: e}
	c.Event.Uses = drawUses(m.t)
	c.MaxUnfinished, c.MaxTenantBytes = m.drawLimit(&e), m.drawBytes(e.Tenant)
	m.expect = append(m.expect, m.publish(c))
	return c
}

// publish carries out a publish and returns what its result must be.
func (m *model) publish(c *command.Publish) func(r *command.Result) {
	e := &c.Event
	if e.TTLMS > 0 && e.DelayMS >= e.TTLMS {
		return func(r *command.Result) { m.must(r.Reason == command.BadRequest, "delayed beyond its end: %+v", r) }
	}
	key := [3]string{e.Tenant, e.Key, e.IdempotencyKey}
	if first := m.dedupe[key]; e.IdempotencyKey != "" && first != nil && m.nowMS-m.stored[first] <= DedupeWindowMS {
		same := first.fields.Channel == e.Channel && string(first.fields.Payload.Bytes) == string(e.Payload.Bytes)
		return func(r *command.Result) {
			if same {
				m.must(r.Reason == command.Done && r.Duplicate && r.Event == first.id, "duplicate of %v: %+v", first.id, r)
			} else {
				m.must(r.Reason == command.IdempotencyConflict, "conflict with %v: %+v", first.id, r)
			}
		}
	}
	if refused := m.refusal(c); refused != nil {
		return refused
	}
	if e.ClientSeq != 0 {
		m.sequences[[3]string{e.Tenant, e.ClientID, e.Key}] = e.ClientSeq
	}
	stored := m.store(e)
	if e.IdempotencyKey != "" {
		m.dedupe[key] = stored
	}
	if e.OnEnd != "" {
		m.wishes = append(m.wishes, stored)
	}
	return func(r *command.Result) {
		m.must(r.Reason == command.Done && !r.Duplicate, "stored: %+v", r)
		m.must(r.Offset == stored.id.Position, "stored at %d: %+v", stored.id.Position, r)
		stored.id = r.Event
	}
}

// refusal is what the result of a publish must be that is new, and refused; nil for
// one that is not.
func (m *model) refusal(c *command.Publish) func(r *command.Result) {
	e, limit := &c.Event, c.MaxUnfinished
	if e.ClientSeq != 0 && e.ClientSeq != m.sequences[[3]string{e.Tenant, e.ClientID, e.Key}]+1 {
		return func(r *command.Result) { m.must(r.Reason == command.Sequence, "out of sequence: %+v", r) }
	}
	if sure, _ := m.unfinished(e.Tenant, e.ClientID); limit > 0 && sure >= limit {
		return func(r *command.Result) {
			m.must(r.Reason == command.TooManyUnfinished && r.RetryAfterMS > 0, "%d unfinished of %d: %+v", sure, limit, r)
		}
	}
	if sure, _ := m.weight(e.Tenant); c.MaxTenantBytes > 0 && sure >= c.MaxTenantBytes {
		return func(r *command.Result) {
			m.must(r.Reason == command.TenantLimit && r.RetryAfterMS > 0, "%d bytes of %d: %+v", sure, c.MaxTenantBytes, r)
		}
	}
	return nil
}

// store adds an event under the next position; its queue is known when the
// result is.
func (m *model) store(e *command.Event) *modelEvent {
	m.position++
	event := &modelStored{id: command.EventID{Epoch: 1, Position: m.position}, fields: *e, late: e.DelayMS > 0 || len(e.Uses) > 0}
	if e.TTLMS > 0 {
		event.endMS = m.nowMS + int64(e.TTLMS)
	}
	if e.DelayMS > 0 {
		event.deliverMS = m.nowMS + int64(e.DelayMS)
	}
	stored := m.arrive(event, DefaultGroup)
	m.events = append(m.events, stored)
	for _, g := range m.groups {
		if g.channel == e.Channel {
			g.events = append(g.events, m.arrive(event, g.name))
		}
	}
	m.stored[stored] = m.nowMS
	m.touched[Stored{e.Channel, e.Tenant}] = true
	if e.CorrelationID != "" && m.canceled[modelLineage{e.Tenant, e.CorrelationID}] {
		for _, e := range m.inGroups(stored) {
			m.stop(e)
		}
	}
	return stored
}
