package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

const (
	// leaseForeign is what the state says of a lease that is over: who tries tokens does
	// not learn which were leases once.
	leaseForeign = "the lease is over: it expired, was ended, or was given to another worker"
)

// leaseRoute is the route of a command about a lease. A lease knows its
// partition but not its key's slot; any slot of the partition says the same.
func (g *Gateway) leaseRoute(lease command.LeaseID) (command.Route, bool) {
	return g.partitionRoute(uint32(lease.Event.Partition))
}

func (g *Gateway) partitionRoute(partition uint32) (command.Route, bool) {
	partitions := g.broker.Partitions()
	if partition >= partitions {
		return command.Route{}, false
	}
	slot := (partition*command.Slots + partitions - 1) / partitions
	return command.Route{Slot: slot, SlotMap: command.SlotMapVersion}, true
}

// readLease reads a token of a request with an id, or refuses it.
func (c *connection) readLease(id uint64, token []byte) (command.LeaseID, command.Route, bool) {
	lease, err := c.gateway.broker.ParseLease(token)
	if err != nil {
		c.refuse(id, wire.ReasonLeaseLost, leaseForeign)
		return command.LeaseID{}, command.Route{}, false
	}
	route, ok := c.gateway.leaseRoute(lease)
	if !ok {
		c.refuse(id, wire.ReasonLeaseLost, leaseForeign)
	}
	return lease, route, ok
}

// endLease submits a command that ends a lease, or takes it from its worker: through the subscription where
// the session holds it, so that its place in the credit opens with it.
func (c *connection) endLease(lease command.LeaseID, encoded []byte, slot uint64) {
	if s := c.tables().jobs.end(lease); s != nil {
		s.handle.End(lease, encoded, c, slot)
		return
	}
	c.gateway.broker.Submit(uint32(lease.Event.Partition), encoded, c, slot)
}
