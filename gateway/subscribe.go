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
	if c.denied(m.ID, refuseWork(c.who.Load(), m.Channel)) {
		return
	}
	switch {
	case m.From.Kind != wire.FromUnset && groupOf(m) == defaultGroup:
		c.refuse(m.ID, wire.ReasonBadRequest, "from is for other groups: the group default starts with the channel's first event")
		return
	case m.From.Kind == wire.FromCursor || m.From.Kind == wire.FromTime:
		c.refuse(m.ID, wire.ReasonBadRequest, "a group starts from new or from earliest")
		return
	case m.LeaseMs > maxLeaseMs:
		c.refuse(m.ID, wire.ReasonBadRequest, "lease_ms must be at most a day")
		return
	case c.tooManySubscriptions(m.ID):
		return
	}
	c.made++
	s := &subscription{
		connection: c,
		id:         "s" + strconv.FormatUint(c.made, 10) + "-" + c.session[:8],
		channel:    string(m.Channel),
		group:      groupOf(m),
		credit:     c.boundCredit(m.Credit),
	}
	spec := SubscriptionSpec{
		Channel: s.channel,
		Group:   s.group,
		Tenant:  c.identity.limitedTo(),
		Worker:  c.identity.worker,
		LeaseMS: uint32(m.LeaseMs), //nolint:gosec // at most a day
		Credit:  s.credit,
	}
	if s.group != defaultGroup {
		c.subscribeGroup(m, s, &spec)
		return
	}
	// The answer goes first: a job may come before Subscribe returns.
	c.sendOK(&wire.OK{ID: m.ID, Subscription: aliasBytes(s.id)})
	s.handle = c.gateway.broker.Subscribe(spec, s)
	s.known.Store(true)
	c.tables().subscriptions.add(s)
	c.tables().subscriptions.opened(s)
}

func groupOf(m *wire.Subscribe) string {
	if len(m.Group) == 0 {
		return defaultGroup
	}
	return string(m.Group)
}

// tooManySubscriptions refuses one more than the connection, or its tenant, may have.
func (c *connection) tooManySubscriptions(id uint64) bool {
	limits := &c.gateway.limits
	if c.tables().subscriptions.count()+c.tables().followers.count() >= limits.MaxSubscriptions {
		c.gateway.meter.refusedBy(limitSubscriptions)
		c.refuse(id, wire.ReasonOverloaded,
			fmt.Sprintf("a connection may have %d subscriptions and follows at most", limits.MaxSubscriptions))
		return true
	}
	if most := limits.MaxTenantSubscriptions; most > 0 && c.tenant.subscriptions.Load() >= int64(most) {
		c.refuseMore(id, excess{refusal{
			wire.ReasonTenantLimit, fmt.Sprintf("the tenant has %d subscriptions and follows at this node, as many as it may have", most),
		}, limitTenantSubscriptions, retryTenantMs})
		return true
	}
	return false
}

// credit sets a subscription's window.
func (c *connection) credit(m *wire.Credit) {
	s := c.tables().subscriptions.find(m.Subscription)
	if s == nil {
		c.refuseUnasked(wire.ReasonNotFound, noSubscription)
		return
	}
	credit := c.boundCredit(m.Credit)
	c.tables().subscriptions.lend(s, credit)
	s.handle.SetCredit(credit)
}

// unsubscribe withdraws the credit; jobs that are out may still be ended.
func (c *connection) unsubscribe(m *wire.Unsubscribe) {
	if c.unfollow(m) {
		return
	}
	s := c.tables().subscriptions.find(m.Subscription)
	if s == nil {
		c.refuse(m.ID, wire.ReasonNotFound, noSubscription)
		return
	}
	c.tables().subscriptions.dropped(s)
	s.handle.Close()
	c.tables().jobs.orphan(s)
	c.sendOK(&wire.OK{ID: m.ID})
}

const noSubscription = "this connection has no such subscription"

func (c *connection) boundCredit(credit uint64) uint32 {
	return uint32(min(credit, uint64(c.gateway.limits.MaxCredit))) //nolint:gosec // a small limit
}
