package gateway

import (
	"fmt"
	"strconv"

	"github.com/batonmq/baton/transport/wire"
)

const (
	defaultGroup = "default"
	// maxLeaseMs is the longest lease a worker may ask for: a day.
	maxLeaseMs = 24 * 60 * 60 * 1000
)

// subscribe lends a worker's credit to a channel.
func (c *connection) subscribe(m *wire.Subscribe) {
	limits := &c.gateway.limits
	switch {
	case len(m.Group) > 0 && string(m.Group) != defaultGroup:
		c.unavailable(m.ID, "groups besides default are not available yet")
		return
	case m.From.Kind != wire.FromUnset && m.From.Kind != wire.FromEarliest:
		c.unavailable(m.ID, "from is not available yet: the group default starts with the channel's first event")
		return
	case m.LeaseMs > maxLeaseMs:
		c.refuse(m.ID, wire.ReasonBadRequest, "lease_ms must be at most a day")
		return
	case len(c.subscriptions) >= limits.MaxSubscriptions:
		c.refuse(m.ID, wire.ReasonOverloaded,
			fmt.Sprintf("a connection may have %d subscriptions at most", limits.MaxSubscriptions))
		return
	}
	c.made++
	s := &subscription{
		connection: c,
		id:         "s" + strconv.FormatUint(c.made, 10) + "-" + c.session[:8],
		group:      defaultGroup,
	}
	if c.subscriptions == nil {
		c.subscriptions = make(map[string]*subscription)
	}
	// The answer goes first: a job may come before Subscribe returns.
	c.sendOK(&wire.OK{ID: m.ID, Subscription: aliasBytes(s.id)})
	s.handle = c.gateway.broker.Subscribe(SubscriptionSpec{
		Channel: string(m.Channel),
		Group:   defaultGroup,
		Tenant:  c.identity.limited,
		Worker:  c.identity.worker,
		LeaseMS: uint32(m.LeaseMs), //nolint:gosec // at most a day
		Credit:  c.boundCredit(m.Credit),
	}, s)
	c.subscriptions[s.id] = s
}

// credit sets a subscription's window.
func (c *connection) credit(m *wire.Credit) {
	s, ok := c.subscriptions[string(m.Subscription)]
	if !ok {
		c.refuseUnasked(wire.ReasonNotFound, noSubscription)
		return
	}
	s.handle.SetCredit(c.boundCredit(m.Credit))
}

// unsubscribe withdraws the credit; jobs that are out may still be ended.
func (c *connection) unsubscribe(m *wire.Unsubscribe) {
	s, ok := c.subscriptions[string(m.Subscription)]
	if !ok {
		c.refuse(m.ID, wire.ReasonNotFound, noSubscription)
		return
	}
	delete(c.subscriptions, s.id)
	s.handle.Close()
	c.jobs.orphan(s)
	c.sendOK(&wire.OK{ID: m.ID})
}

const noSubscription = "this connection has no such subscription"

func (c *connection) boundCredit(credit uint64) uint32 {
	return uint32(min(credit, uint64(c.gateway.limits.MaxCredit))) //nolint:gosec // a small limit
}
