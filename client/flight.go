package client

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// flight is every request of a client that is not answered, whatever socket it
// is sent on. It keeps no more of them at the node than the node allows, and
// carries them over to the next socket.
type flight struct {
	ids atomic.Uint64
	// encoding is the last session's, a guess for the next one.
	encoding atomic.Uint32

	mu      sync.Mutex // guards the rest; before outbox.mu
	session *session   // nil while there is none
	limit   int        // how many may be sent and unanswered
	sent    map[uint64]*request
	counted int // of sent, those that the node counts
	waiting line
	delayed map[*request]struct{}
	orders  uint64
	closed  error
}

func newFlight() *flight {
	return &flight{sent: make(map[uint64]*request), delayed: make(map[*request]struct{})}
}

// blank is what a request is appended to.
func (f *flight) blank() wire.Buffer {
	return wire.Encoding(f.encoding.Load()).On(nil) //nolint:gosec // it was one
}

// id is the next request's number.
func (f *flight) id() uint64 { return f.ids.Add(1) }

// submit sends a request, now or when there is room.
func (f *flight) submit(r *request) {
	f.mu.Lock()
	if r.state == requestFinished { // abandoned before it began
		f.mu.Unlock()
		return
	}
	f.orders++
	r.order = f.orders
	err := f.closed
	switch {
	case err != nil || !r.bound:
	case f.session == nil:
		err = errSessionLost
	default:
		err = r.fit(f.session)
	}
	if err != nil {
		r.state = requestFinished
		f.mu.Unlock()
		r.done(answer{err: err})
		return
	}
	var dropped []*request
	if r.bound {
		f.send(r)
	} else {
		r.state = requestWaiting
		f.waiting.push(r)
		dropped = f.pump()
	}
	f.mu.Unlock()
	finishAll(dropped)
}

// abandon ends a request whose user gave up; false when it is answered already.
// What was sent keeps its place until the node answers: the node counts it.
func (f *flight) abandon(r *request) (last error, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.state {
	case requestFinished:
		return nil, false
	case requestWaiting:
		f.waiting.remove(r)
	case requestDelayed:
		delete(f.delayed, r)
	case requestNew, requestSent:
	}
	r.state = requestFinished
	return r.last, true
}

// answered is told the node's answer; refused is nil for an ok.
func (f *flight) answered(id uint64, ok *wire.OK, refused *Error) {
	f.mu.Lock()
	r := f.sent[id]
	if r == nil {
		f.mu.Unlock()
		return
	}
	f.unsent(r)
	dropped := f.pump()
	again := refused != nil && refused.Retryable && !r.bound
	finished := r.state == requestFinished // abandoned
	switch {
	case finished:
	case again:
		r.state, r.last = requestDelayed, refused
		f.delayed[r] = struct{}{}
	default:
		r.state = requestFinished
	}
	f.mu.Unlock()
	finishAll(dropped)
	switch {
	case finished:
	case again:
		f.retryLater(r, refused.RetryAfter)
	case refused != nil:
		r.done(answer{err: refused})
	default:
		r.done(answer{ok: ok})
	}
}

// Bounds of the pause before a refused request is sent again; the node may ask
// for more.
const (
	leastRetry = 20 * time.Millisecond
	mostRetry  = 2 * time.Second
)

func (f *flight) retryLater(r *request, atLeast time.Duration) {
	r.attempts++
	bound := min(leastRetry<<min(r.attempts, 10), mostRetry)
	pause := atLeast + rand.N(bound) //nolint:gosec // spreads load, keeps no secret
	time.AfterFunc(pause, func() {
		f.mu.Lock()
		var dropped []*request
		if r.state == requestDelayed {
			delete(f.delayed, r)
			r.state = requestWaiting
			f.waiting.insert(r)
			dropped = f.pump()
		}
		f.mu.Unlock()
		finishAll(dropped)
	})
}

// attach goes on over a new socket: what was sent and not answered is sent
// again, in its order.
func (f *flight) attach(s *session) {
	f.encoding.Store(uint32(s.out.encoding))
	f.mu.Lock()
	f.session, f.limit = s, s.maxInFlight
	dropped := f.pump()
	f.mu.Unlock()
	finishAll(dropped)
}

// detach takes back what the socket was not asked to answer any more.
func (f *flight) detach() {
	f.mu.Lock()
	var lost, back []*request
	for _, r := range f.sent {
		switch {
		case r.state == requestFinished:
		case r.bound:
			r.state = requestFinished
			lost = append(lost, r)
		default:
			r.state = requestWaiting
			back = append(back, r)
		}
	}
	f.session, f.limit, f.counted = nil, 0, 0
	clear(f.sent)
	f.waiting.insert(back...)
	f.mu.Unlock()
	for _, r := range lost {
		r.done(answer{err: errSessionLost})
	}
}

// close ends every request, and those to come, with err.
func (f *flight) close(err error) {
	f.mu.Lock()
	if f.closed != nil {
		f.mu.Unlock()
		return
	}
	f.closed = err
	var open []*request
	for _, r := range f.sent {
		open = append(open, r)
	}
	for r := range f.delayed {
		open = append(open, r)
	}
	open = append(open, f.waiting.items[f.waiting.head:]...)
	open = slices.DeleteFunc(open, func(r *request) bool { return r.state == requestFinished })
	for _, r := range open {
		r.state = requestFinished
	}
	clear(f.sent)
	clear(f.delayed)
	f.waiting, f.counted = line{}, 0
	f.mu.Unlock()
	for _, r := range open {
		r.done(answer{err: err})
	}
}

// idle tells whether nothing waits for an answer of the node.
func (f *flight) idle() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sent) == 0
}

// pump sends what there is room for, and returns what can never be sent.
func (f *flight) pump() (dropped []*request) {
	for f.session != nil && f.counted < f.limit && !f.waiting.empty() {
		r := f.waiting.pop()
		if err := r.fit(f.session); err != nil {
			r.state, r.last = requestFinished, err
			dropped = append(dropped, r)
			continue
		}
		f.send(r)
	}
	return dropped
}

func (f *flight) send(r *request) {
	r.state = requestSent
	f.sent[r.id] = r
	if !r.bound {
		f.counted++
	}
	f.session.out.add(r.encoded)
}

func (f *flight) unsent(r *request) {
	delete(f.sent, r.id)
	if !r.bound {
		f.counted--
	}
}

// finishAll ends what pump could not send.
func finishAll(dropped []*request) {
	for _, r := range dropped {
		r.done(answer{err: r.last})
	}
}
