package fsm

import (
	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// modelOrder is whether a channel is ordered by key. What is in work while that
// changes keeps to neither: mixed.
type modelOrder struct {
	byKey, mixed bool
	version      uint64
}

func (m *model) orderOf(channel string) *modelOrder {
	if m.orders[channel] == nil {
		m.orders[channel] = &modelOrder{}
	}
	return m.orders[channel]
}

// drawConfigure orders a channel by key, or not.
func (m *model) drawConfigure() *command.ConfigureChannel {
	c := &command.ConfigureChannel{Channel: rapid.SampledFrom([]string{"a", "b"}).Draw(m.t, "channel")}
	order := m.orderOf(c.Channel)
	byKey := rapid.Bool().Draw(m.t, "by key")
	for _, e := range m.events {
		order.mixed = order.mixed || e.fields.Channel == c.Channel && byKey != order.byKey
	}
	order.byKey = byKey
	order.version++
	c.Settings.Version = order.version
	if byKey {
		c.Settings.Order = command.OrderKey
	}
	return c
}

// checkOrder wants a grant in its turn: alone of its key, where the channel is
// ordered, and the first one after those before it.
func (m *model) checkOrder(e *modelEvent) {
	order := m.orderOf(e.fields.Channel)
	if order.mixed {
		return
	}
	if order.byKey {
		for _, other := range m.ofKey(e) {
			m.must(!other.inWork(), "%v was granted while %v of its key is %s", e.id, other.id, other.state)
		}
	}
	if e.granted || e.late {
		return
	}
	for _, other := range m.before(e) {
		if other.id.Queue != e.id.Queue || order.byKey && other.fields.Key != e.fields.Key {
			continue
		}
		m.must(other.granted || other.late || other.state != waiting, "%v was granted before %v", e.id, other.id)
	}
}

// inWork tells whether an event holds its key.
func (e *modelEvent) inWork() bool {
	return e.holds && (e.state == leased || e.state == delayed || e.state == waiting || e.state == parked)
}

// isBlocked tells whether an event may wait though there is credit: another of its
// key is in work, and does not itself wait for that credit.
func (m *model) isBlocked(e *modelEvent) bool {
	if m.isHeld(e.fields.Tenant) {
		return true
	}
	if len(e.fields.Uses) > 0 {
		return true // checkLimits looks at those.
	}
	order := m.orderOf(e.fields.Channel)
	if !order.byKey && !order.mixed {
		return false
	}
	for _, other := range m.ofKey(e) {
		if other.inWork() && other.state != waiting || other.state == waiting && len(other.fields.Uses) > 0 {
			return true
		}
	}
	return false
}

// ofKey are the other events of the same key in the same group and channel.
func (m *model) ofKey(e *modelEvent) (others []*modelEvent) {
	for _, other := range m.everywhere() {
		if other != e && other.group == e.group && other.fields.Channel == e.fields.Channel &&
			other.fields.Tenant == e.fields.Tenant && other.fields.Key == e.fields.Key {
			others = append(others, other)
		}
	}
	return others
}
