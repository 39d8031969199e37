package gateway

import (
	"sync"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// renewal is one renew on its way: its leases may be of several partitions, and
// one renewed answers them all.
type renewal struct {
	mu      sync.Mutex // guards the rest
	answers int        // still to come
	tokens  []byte
	renewed []renewedLease
	lost    []span
}

// span is where a token stands in tokens.
type span struct{ start, end int }

type renewedLease struct {
	span

	termMS uint32
}

// renew extends leases, and takes over their checkpoints.
func (c *connection) renew(m *wire.Renew) {
	bench, g := c.bench, c.gateway
	if r := refuseEnding(c.who.Load()); r.any() {
		c.refuseUnasked(r.reason, r.message)
		return
	}
	r := &renewal{answers: 1}
	bench.leases = bench.leases[:0]
	partitions := g.broker.Partitions()
	for i := range m.Leases {
		item := &m.Leases[i]
		lease, err := g.broker.ParseLease(item.Lease)
		if err != nil || uint32(lease.Event.Partition) >= partitions {
			r.lost = append(r.lost, r.token(item.Lease))
			continue
		}
		bench.leases = append(bench.leases, lease)
		if item.Checkpoint != nil {
			c.checkpoint(lease, item.Checkpoint)
		}
	}
	for rest := bench.leases; len(rest) > 0; {
		mine := gather(rest, rest[0].Event.Partition)
		slot, ok := c.tables().requests.await(request{kind: requestRenew, renewal: r})
		if !ok {
			return
		}
		r.mu.Lock()
		r.answers++
		r.mu.Unlock()
		g.broker.Renew(uint32(rest[0].Event.Partition), c.bound(), rest[:mine], c, slot)
		rest = rest[mine:]
	}
	c.settle(r)
}

// checkpoint keeps a worker's progress for the next attempt.
func (c *connection) checkpoint(lease command.LeaseID, data wire.Raw) {
	if len(data) > c.gateway.limits.MaxPayloadBytes {
		c.refuseUnasked(wire.ReasonTooLarge, c.gateway.tooLarge.message)
		return
	}
	if due := c.tables().jobs.keep(lease, data, &c.gateway.limits); due != nil {
		c.submitCheckpoint(lease, due)
	}
}

// Renewed implements Renewer.
func (c *connection) Renewed(slot uint64, leases []command.LeaseID, termsMS []uint32) {
	asked, ok := c.tables().requests.finish(slot)
	if !ok || asked.renewal == nil {
		return
	}
	r := asked.renewal
	for i, term := range termsMS {
		if i >= len(leases) {
			break
		}
		r.answer(c, leases[i], term)
		if term > 0 {
			c.tables().jobs.renewed(leases[i], term)
		} else if s := c.tables().jobs.drop(leases[i]); s != nil {
			s.handle.Lost(leases[i])
		}
	}
	c.settle(r)
}

func (r *renewal) answer(c *connection, lease command.LeaseID, termMS uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	start := len(r.tokens)
	r.tokens = c.gateway.broker.AppendLease(r.tokens, lease)
	where := span{start, len(r.tokens)}
	if termMS == 0 {
		r.lost = append(r.lost, where)
		return
	}
	r.renewed = append(r.renewed, renewedLease{where, termMS})
}

func (r *renewal) token(token []byte) span {
	start := len(r.tokens)
	r.tokens = append(r.tokens, token...)
	return span{start, len(r.tokens)}
}

// settle counts an answer, and sends renewed after the last one.
func (c *connection) settle(r *renewal) {
	r.mu.Lock()
	r.answers--
	last := r.answers == 0
	r.mu.Unlock()
	if !last {
		return
	}
	m := wire.Renewed{}
	for _, lease := range r.renewed {
		m.Leases = append(m.Leases, wire.RenewedLease{
			Lease: r.tokens[lease.start:lease.end], LeaseMs: int64(lease.termMS),
		})
	}
	for _, token := range r.lost {
		m.Lost = append(m.Lost, r.tokens[token.start:token.end])
	}
	buf, at := c.out.begin()
	if at >= 0 {
		c.commit(wire.AppendRenewed(buf, &m), at, wire.TypeRenewed)
	}
}
