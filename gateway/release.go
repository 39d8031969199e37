package gateway

import (
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// release gives one job back that was not started.
func (c *connection) release(m *wire.Release) {
	if r := refuseEnding(c.who.Load()); r.any() {
		c.refuseUnasked(r.reason, r.message)
		return
	}
	bench := c.bench
	lease, err := c.gateway.broker.ParseLease(m.Lease)
	route, ok := c.gateway.leaseRoute(lease)
	if err != nil || !ok {
		c.refuseUnasked(wire.ReasonLeaseLost, leaseForeign)
		return
	}
	c.checkpointBefore(lease)
	slot, ok := c.tables().requests.await(request{kind: requestRelease, lease: lease})
	if !ok {
		return
	}
	bench.leases = append(bench.leases[:0], lease)
	bench.release = command.Release{Route: route, Leases: bench.leases, Tenant: c.bound()}
	bench.encoded = bench.release.Append(bench.encoded[:0])
	c.closeWriters(lease, false)
	c.endLease(lease, bench.encoded, slot)
}

// releaseAll gives every job back that the session holds, in as few commands
// as there are partitions.
func (c *connection) releaseAll() {
	bench := c.bench
	bench.leases = c.tables().jobs.leases(bench.leases[:0])
	inCommands(bench.leases, c.releaseSome)
}

// inCommands calls do with as many leases of one partition as a command takes,
// until it has had all.
func inCommands(leases []command.LeaseID, do func(some []command.LeaseID)) {
	for rest := leases; len(rest) > 0; {
		mine := gather(rest, rest[0].Event.Partition)
		for start := 0; start < mine; start += command.MaxLeases {
			do(rest[start:min(start+command.MaxLeases, mine)])
		}
		rest = rest[mine:]
	}
}

func (c *connection) releaseSome(leases []command.LeaseID) {
	route, ok := c.gateway.leaseRoute(leases[0])
	if !ok {
		return
	}
	for _, lease := range leases {
		c.checkpointBefore(lease)
	}
	slot, ok := c.tables().requests.await(request{kind: requestRelease, lease: leases[0]})
	if !ok {
		return
	}
	c.bench.release = command.Release{Route: route, Leases: leases}
	c.bench.encoded = c.bench.release.Append(c.bench.encoded[:0])
	c.gateway.broker.Submit(uint32(leases[0].Event.Partition), c.bench.encoded, c, slot)
}

// gather moves the leases of a partition to the front and returns how many
// there are.
func gather(leases []command.LeaseID, partition uint16) int {
	n := 0
	for i := range leases {
		if leases[i].Event.Partition == partition {
			leases[n], leases[i] = leases[i], leases[n]
			n++
		}
	}
	return n
}
