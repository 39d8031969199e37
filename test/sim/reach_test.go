package sim

import (
	"sync"

	"github.com/batonmq/baton/transport"
)

// reach is who can send to whom: what the faults want, and nobody to or from a
// node without power.
type reach struct {
	network *transport.Network
	ids     []string

	mu   sync.Mutex
	cut  map[way]bool
	dead map[string]bool
}

type way struct{ from, to string }

func newReach(network *transport.Network, ids []string) *reach {
	return &reach{network: network, ids: ids, cut: make(map[way]bool), dead: make(map[string]bool)}
}

// setCut cuts or heals one direction.
func (r *reach) setCut(from, to string, cut bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cut[way{from, to}] = cut
	r.applyLocked()
}

// divide cuts between the members of different sides.
func (r *reach) divide(sides map[string]int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.ids {
		for _, b := range r.ids {
			r.cut[way{a, b}] = sides[a] != sides[b]
		}
	}
	r.applyLocked()
}

// heal ends all cuts.
func (r *reach) heal() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.cut)
	r.applyLocked()
}

// setDead takes a node off the network: what is on its way to or from it is lost.
func (r *reach) setDead(id string, dead bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dead[id] = dead
	r.applyLocked()
	if !dead {
		return
	}
	for _, other := range r.ids {
		r.network.Break(transport.NodeID(id), transport.NodeID(other))
	}
}

func (r *reach) applyLocked() {
	for _, a := range r.ids {
		for _, b := range r.ids {
			if a == b {
				continue
			}
			from, to := transport.NodeID(a), transport.NodeID(b)
			if r.cut[way{a, b}] || r.dead[a] || r.dead[b] {
				r.network.Cut(from, to)
			} else {
				r.network.Heal(from, to)
			}
		}
	}
}
