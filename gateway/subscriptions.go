package gateway

import (
	"sync"
	"sync/atomic"
)

// subscriptionTable is a session's subscriptions. The reader adds and ends them;
// one of a group that may have to be made is opened, or dropped, by the cluster's
// answer.
type subscriptionTable struct {
	mu  sync.Mutex // guards the rest, and each subscription's open and credit
	all map[string]*subscription
	// shared counts those of the whole tenant.
	shared *atomic.Int64
}

// count is how many there are, those included that are not open yet.
func (t *subscriptionTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

func (t *subscriptionTable) add(s *subscription) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = make(map[string]*subscription)
	}
	t.all[s.id] = s
	t.shared.Add(1)
}

// opened lets a subscription be named by its client; false when it has ended.
func (t *subscriptionTable) opened(s *subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.open = t.all[s.id] == s
	return s.open
}

// dropped takes out a subscription; false when it has ended already.
func (t *subscriptionTable) dropped(s *subscription) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	there := t.all[s.id] == s
	if there {
		delete(t.all, s.id)
		t.shared.Add(-1)
	}
	return there
}

// find is the open subscription of that name, or nil.
func (t *subscriptionTable) find(id []byte) *subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.all[string(id)]; s != nil && s.open {
		return s
	}
	return nil
}

// each calls do for every open subscription.
func (t *subscriptionTable) each(do func(*subscription)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.all {
		if s.open {
			do(s)
		}
	}
}

// lend notes what a client gave last; lent is that.
func (t *subscriptionTable) lend(s *subscription, credit uint32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.credit = credit
}

func (t *subscriptionTable) lent(s *subscription) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return s.credit
}

// takeAll empties the table and returns what was in it.
func (t *subscriptionTable) takeAll() []*subscription {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]*subscription, 0, len(t.all))
	for _, s := range t.all {
		all = append(all, s)
	}
	if len(all) > 0 {
		t.shared.Add(-int64(len(all)))
	}
	clear(t.all)
	return all
}
