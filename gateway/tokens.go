package gateway

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// tokenTable is the token streams that a socket is sent. The reader and the cluster's
// goroutines add to it, the flusher tells of room.
type tokenTable struct {
	open prometheus.Gauge

	mu    sync.Mutex // guards the rest, and what tokenReader says it does
	all   map[string]*tokenReader
	ended uint64 // counts those that came to their end
	shut  bool
}

// add makes a reader the one of its stream, and returns the one whose place it takes;
// false when there are too many.
func (t *tokenTable) add(r *tokenReader, most int) (former *tokenReader, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if former = t.all[r.stream]; former != nil {
		t.removeLocked(former)
		_, ok = t.insertLocked(r, most)
		return former, ok
	}
	return t.insertLocked(r, most)
}

// announce adds a reader of a stream that nobody reads; false when it is not to be
// read.
func (t *tokenTable) announce(r *tokenReader, most int) bool {
	t.mu.Lock()
	if t.all[r.stream] != nil {
		t.mu.Unlock()
		return false
	}
	former, ok := t.insertLocked(r, most)
	t.mu.Unlock()
	if former != nil {
		former.handle.Close()
	}
	return ok
}

// insertLocked adds a reader. Where there are too many, the one that came to its end
// first goes, and is returned.
func (t *tokenTable) insertLocked(r *tokenReader, most int) (former *tokenReader, ok bool) {
	if t.shut {
		return nil, false
	}
	if len(t.all) >= most {
		for _, other := range t.all {
			if other.done > 0 && other.handle != nil && (former == nil || other.done < former.done) {
				former = other
			}
		}
		if former == nil {
			return nil, false
		}
		t.removeLocked(former)
	}
	if t.all == nil {
		t.all = make(map[string]*tokenReader)
	}
	t.all[r.stream] = r
	t.open.Inc()
	return former, true
}

func (t *tokenTable) removeLocked(r *tokenReader) {
	if t.all[r.stream] == r {
		delete(t.all, r.stream)
		t.open.Dec()
	}
}

// opened gives a reader its handle; false when it has ended already.
func (t *tokenTable) opened(r *tokenReader, handle TokenReader) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.handle = handle
	return t.all[r.stream] == r
}

func (t *tokenTable) handleOf(r *tokenReader) TokenReader {
	t.mu.Lock()
	defer t.mu.Unlock()
	return r.handle
}

func (t *tokenTable) drop(r *tokenReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(r)
}

func (t *tokenTable) hold(r *tokenReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.held = true
}

func (t *tokenTable) letGo(r *tokenReader) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.held = false
}

// finished notes whether a stream has come to its end, as far as is known.
//
//nolint:revive // The flag is what is noted.
func (t *tokenTable) finished(r *tokenReader, done bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.done = 0
	if done {
		t.ended++
		r.done = t.ended
	}
}

// wrote is told by the flusher that the socket took something.
func (t *tokenTable) wrote() {
	t.mu.Lock()
	var waiting []TokenReader
	for _, r := range t.all {
		if r.held && r.handle != nil {
			waiting = append(waiting, r.handle)
		}
	}
	t.mu.Unlock()
	for _, handle := range waiting {
		handle.Resume()
	}
}

// takeAll empties the table for good and returns the handles of what was in it.
func (t *tokenTable) takeAll() []TokenReader {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
	handles := make([]TokenReader, 0, len(t.all))
	for _, r := range t.all {
		if r.handle != nil {
			handles = append(handles, r.handle)
		}
		t.open.Dec()
	}
	clear(t.all)
	return handles
}
