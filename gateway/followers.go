package gateway

import (
	"sync"
	"sync/atomic"
)

// followerTable is a session's followers. The reader adds and ends them, the
// cluster's goroutines write events, the flusher tells how far the socket is.
type followerTable struct {
	mu  sync.Mutex // guards the rest, and what follower says it does
	all map[string]*follower
	// shared counts those of the whole tenant, subscriptions included.
	shared *atomic.Int64
}

func (t *followerTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

func (t *followerTable) add(f *follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.connection.gateway.meter.followers.Inc()
	t.shared.Add(1)
	if t.all == nil {
		t.all = make(map[string]*follower)
	}
	t.all[f.id] = f
}

// opened gives a follower its handle.
func (t *followerTable) opened(f *follower, handle Follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.handle = handle
}

// began lets a follower be named by its client.
func (t *followerTable) began(f *follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.open = true
}

func (t *followerTable) dropped(f *follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[f.id] == f {
		delete(t.all, f.id)
		f.connection.gateway.meter.followers.Dec()
		t.shared.Add(-1)
	}
}

// find is the follower of that name which its client was told of, or nil.
func (t *followerTable) find(id []byte) *follower {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.all[string(id)]; f != nil && f.open {
		return f
	}
	return nil
}

// hold notes that a follower waits for room, unless letGo follows; it returns
// whether its own window is full.
func (t *followerTable) hold(f *follower) (full bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.held = true
	return !f.named && len(f.ends) >= f.window
}

func (t *followerTable) letGo(f *follower) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.held = false
}

// sent notes that an event was queued which ends at a byte; total is what the socket
// has taken.
func (t *followerTable) sent(f *follower, end, total uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !f.named && end > total {
		f.ends = append(f.ends, end)
	}
}

// wrote is told by the flusher how far the socket is. Those who waited for that are
// resumed.
func (t *followerTable) wrote(total uint64) {
	t.mu.Lock()
	var waiting []Follower
	for _, f := range t.all {
		taken := 0
		for taken < len(f.ends) && f.ends[taken] <= total {
			taken++
		}
		f.ends = append(f.ends[:0], f.ends[taken:]...)
		if f.held && f.handle != nil {
			waiting = append(waiting, f.handle)
		}
	}
	t.mu.Unlock()
	for _, handle := range waiting {
		handle.Resume()
	}
}

// takeAll empties the table and returns the handles of what was in it.
func (t *followerTable) takeAll() []Follower {
	t.mu.Lock()
	defer t.mu.Unlock()
	handles := make([]Follower, 0, len(t.all))
	for _, f := range t.all {
		handles = append(handles, f.handle)
		f.connection.gateway.meter.followers.Dec()
		t.shared.Add(-1)
	}
	clear(t.all)
	return handles
}
