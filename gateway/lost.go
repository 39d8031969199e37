package gateway

import "github.com/batonmq/baton/fsm/command"

// loseJobs gives jobs back that are lost with their worker's socket, since their
// channel says so. Those of a worker that said bye have gone back already; one
// that was sent to another node goes on with its jobs there.
func (c *connection) loseJobs() {
	if c.saidBye || c.dismissed.Load() {
		return
	}
	inCommands(c.tables().jobs.lostWithSocket(nil), func(some []command.LeaseID) {
		route, ok := c.gateway.leaseRoute(some[0])
		if !ok {
			return
		}
		buf := c.gateway.buffers.get()
		lost := command.Release{Route: route, Leases: some, Lost: true}
		buf = lost.Append(buf)
		c.gateway.broker.Submit(uint32(some[0].Event.Partition), buf, unheard{}, 0)
		c.gateway.buffers.put(buf)
	})
}

// unheard is who asked and has gone: what is not done now, the end of the leases
// does.
type unheard struct{}

// Reply implements Replier.
func (unheard) Reply(uint64, *command.Result) {}
