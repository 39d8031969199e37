package gateway

import (
	"sync"

	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// listenerTable is the clients that a backend's session listens for. The reader adds
// and ends them, the cluster's goroutines write notifications, the flusher tells how
// far the socket is.
type listenerTable struct {
	mu  sync.Mutex // guards the rest, and what listener says it does
	all map[string]*listener
	// unsent is where notifications end that the socket has not taken, in the order of
	// writing: there may be many listeners, and few of them are written to at a time.
	unsent []sending
}

type sending struct {
	listener *listener
	end      uint64
}

func (t *listenerTable) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

func (t *listenerTable) add(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.connection.gateway.meter.listeners.Inc()
	if t.all == nil {
		t.all = make(map[string]*listener)
	}
	t.all[l.id] = l
}

// opened gives a listener its handle; false when it has ended.
func (t *listenerTable) opened(l *listener, handle Stream) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.handle = handle
	return t.all[l.id] == l
}

// began lets a listener be named by its backend.
func (t *listenerTable) began(l *listener) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.open = true
}

// dropped takes out a listener, and returns its handle if it has one.
func (t *listenerTable) dropped(l *listener) Stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[l.id] == l {
		delete(t.all, l.id)
		l.connection.gateway.meter.listeners.Dec()
	}
	return l.handle
}

// find is the listener of that name which its backend was told of, or nil.
func (t *listenerTable) find(id []byte) *listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.all[string(id)]; l != nil && l.open && l.handle != nil {
		return l
	}
	return nil
}

// sending notes where a notification ends that was queued.
func (t *listenerTable) sending(l *listener, end uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unsent = append(t.unsent, sending{l, end})
}

// wrote is told by the flusher how far the socket is.
func (t *listenerTable) wrote(total uint64) {
	t.mu.Lock()
	taken := 0
	for taken < len(t.unsent) && t.unsent[taken].end <= total {
		taken++
	}
	var written []sending
	if taken > 0 {
		written = append(written, t.unsent[:taken]...)
		t.unsent = append(t.unsent[:0], t.unsent[taken:]...)
		clear(t.unsent[len(t.unsent):cap(t.unsent)]) // They would keep listeners that ended.
	}
	t.mu.Unlock()
	for _, s := range written {
		s.listener.sent.wrote(total)
	}
}

// takeAll empties the table and returns the handles of what was in it.
func (t *listenerTable) takeAll() []Stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	handles := make([]Stream, 0, len(t.all))
	for _, l := range t.all {
		if l.handle != nil {
			handles = append(handles, l.handle)
		}
		l.connection.gateway.meter.listeners.Dec()
	}
	clear(t.all)
	return handles
}

// refused says which listen a token does not allow.
func (t *listenerTable) refused(who *auth.Identity) refusal {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, l := range t.all {
		if r := refuseListen(who, aliasBytes(l.clientID)); r.any() {
			return r
		}
	}
	return refusal{}
}

// refuseListen keeps everybody to the streams of the clients that they may be.
func refuseListen(who *auth.Identity, clientID []byte) refusal {
	switch {
	case len(clientID) == 0:
		return refusal{wire.ReasonBadRequest, "client_id must not be empty"}
	case who != nil && !who.AsClient(alias(clientID)):
		return refusal{wire.ReasonForbidden, notItsClient}
	default:
		return refusal{}
	}
}
