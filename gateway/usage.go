package gateway

import (
	"sync"
	"sync/atomic"
)

// usage is what all connections and requests of one tenant, or from one address,
// take of this node together.
type usage struct {
	connections   atomic.Int64
	requests      atomic.Int64 // under way
	subscriptions atomic.Int64 // and follows
	publishes     bucket
	connects      bucket

	holders int // guarded by the table's lock
}

// idle tells whether a new one would do as well.
func (u *usage) idle(now int64) bool {
	return u.holders == 0 && u.requests.Load() == 0 && u.publishes.idle(now) && u.connects.idle(now)
}

// usageTable finds what a tenant or an address uses. One that nobody holds is kept
// while its rates remember something: or who reconnects would begin anew.
type usageTable[K comparable] struct {
	mu      sync.Mutex // guards the rest
	all     map[K]*usage
	sweepAt int
}

// leastSwept is how many there may be before idle ones are looked for.
const leastSwept = 1024

// hold finds the usage of key, and keeps it until drop.
func (t *usageTable[K]) hold(key K, now int64) *usage {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.all[key]
	if u == nil {
		u = t.insert(key, now)
	}
	u.holders++
	return u
}

// drop ends a hold.
func (t *usageTable[K]) drop(u *usage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u.holders--
}

// insert adds a usage. Idle ones go when there are twice as many as the last look
// left, so that each insertion pays for the look at two.
func (t *usageTable[K]) insert(key K, now int64) *usage {
	if t.all == nil {
		t.all, t.sweepAt = make(map[K]*usage), leastSwept
	}
	if len(t.all) >= t.sweepAt {
		for k, u := range t.all {
			if u.idle(now) {
				delete(t.all, k)
			}
		}
		t.sweepAt = max(2*len(t.all), leastSwept)
	}
	u := &usage{}
	t.all[key] = u
	return u
}

// within adds one to a count unless that makes it more than limit, 0 for any.
func within(count *atomic.Int64, limit int) bool {
	if n := count.Add(1); limit == 0 || n <= int64(limit) {
		return true
	}
	count.Add(-1)
	return false
}
