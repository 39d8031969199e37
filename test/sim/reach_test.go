package sim

import (
	"sync"

	"github.com/batonmq/baton/transport"
)

// reach is who can send to whom.
type reach struct {
	network *transport.Network
	ids     []string

	mu  sync.Mutex
	cut map[way]bool
}

type way struct{ from, to string }

func newReach(network *transport.Network, ids []string) *reach {
	return &reach{network: network, ids: ids, cut: make(map[way]bool)}
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

func (r *reach) applyLocked() {
	for _, a := range r.ids {
		for _, b := range r.ids {
			if a == b {
				continue
			}
			from, to := transport.NodeID(a), transport.NodeID(b)
			if r.cut[way{a, b}] {
				r.network.Cut(from, to)
			} else {
				r.network.Heal(from, to)
			}
		}
	}
}
