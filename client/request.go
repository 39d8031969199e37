package client

import (
	"slices"

	"github.com/batonmq/baton/transport/wire"
)

// request is a message that is answered by ok or error.
type request struct {
	id      uint64
	encoded wire.Buffer // the whole message, id included: resent as it is
	// bound requests belong to one socket and die with it. The node does not
	// count them, and they are not tried again.
	bound bool
	// done is called exactly once, from the goroutine that reads the socket or
	// the one that ends the request. It must not block.
	done func(answer)

	// Guarded by flight.mu.
	state    requestState
	order    uint64 // of submission
	attempts int    // refusals so far
	last     error  // the last refusal
}

// answer is what became of a request; ok is valid during the call only.
type answer struct {
	ok  *wire.OK
	err error
}

type requestState uint8

const (
	requestNew requestState = iota
	requestWaiting
	requestSent
	requestDelayed // refused for now
	requestFinished
)

// line is the requests that wait to be sent, first in, first out.
type line struct {
	items []*request
	head  int
}

func (l *line) empty() bool { return l.head == len(l.items) }

func (l *line) push(r *request) {
	if l.head > 64 && l.head > len(l.items)/2 {
		n := copy(l.items, l.items[l.head:])
		clear(l.items[n:])
		l.items, l.head = l.items[:n], 0
	}
	l.items = append(l.items, r)
}

func (l *line) pop() *request {
	r := l.items[l.head]
	l.items[l.head] = nil
	l.head++
	return r
}

// insert puts requests that were sent before back where their order says.
func (l *line) insert(requests ...*request) {
	all := append(slices.Clone(l.items[l.head:]), requests...)
	slices.SortStableFunc(all, func(a, b *request) int {
		if a.order < b.order {
			return -1
		}
		return 1
	})
	l.items, l.head = all, 0
}

func (l *line) remove(r *request) {
	if i := slices.Index(l.items[l.head:], r); i >= 0 {
		l.items = slices.Delete(l.items, l.head+i, l.head+i+1)
	}
}
