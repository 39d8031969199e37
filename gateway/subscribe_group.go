package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// subscribeGroup subscribes to a group that may have to be made. The reader does
// not wait for that: other jobs of the session are to be renewed and completed
// meanwhile. The subscription is there already, so that its handle is known
// before the first job can come, but it lends nothing until every partition has
// the group.
func (c *connection) subscribeGroup(m *wire.Subscribe, s *subscription, spec *SubscriptionSpec) {
	slot, ok := c.take(request{kind: requestSubscribe, id: m.ID, subscription: s})
	if !ok {
		return
	}
	group := GroupSpec{Channel: spec.Channel, Group: spec.Group, Existing: !mayMakeGroups(c.who.Load())}
	if m.From.Kind == wire.FromEarliest {
		group.From = command.FromEarliest
	}
	spec.Credit = 0
	s.handle = c.gateway.broker.Subscribe(*spec, s)
	s.known.Store(true)
	c.tables().subscriptions.add(s)
	c.gateway.broker.EnsureGroup(&group, c, slot)
}

// ensured opens a subscription whose group every partition has, or ends it with
// the refusal.
func (c *connection) ensured(r *request, result *command.Result) {
	s := r.subscription
	if result.Reason != command.Done {
		if c.tables().subscriptions.dropped(s) {
			s.handle.Close()
		}
		c.replyRefusal(r.id, result)
		return
	}
	if !c.tables().subscriptions.opened(s) {
		return
	}
	// The answer goes before the credit, or a job might come before it. Then the
	// client may give another credit meanwhile, and its reader be first to say so.
	c.sendOK(&wire.OK{ID: r.id, Subscription: aliasBytes(s.id)})
	credit := c.tables().subscriptions.lent(s)
	s.handle.SetCredit(credit)
	for last := c.tables().subscriptions.lent(s); last != credit; last = c.tables().subscriptions.lent(s) {
		credit = last
		s.handle.SetCredit(credit)
	}
}
