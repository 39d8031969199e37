package gateway

import (
	"sync"

	"github.com/batonmq/baton/fsm/command"
)

// requestKind says what a request's answer looks like.
type requestKind uint8

const (
	requestPublish requestKind = iota
	requestComplete
	requestFail
	requestPark
	requestCancel
	requestSubscribe
	// requestKeep is a checkpoint whose answer is waited for.
	requestKeep
	requestFollow
	requestRead
	requestListen
	requestBroadcast
	// The quiet ones have no id: nothing is said to the client when a release or
	// a checkpoint is answered; a renewal is said once it is whole.
	requestRelease
	requestCheckpoint
	requestRenew
	// An unsubscribe of a follower is counted with them: refused as one too many, it
	// would leave its events coming.
	requestUnfollow
)

func (k requestKind) quiet() bool { return k >= requestRelease }

// ends tells what ends or keeps a job. What others of the tenant, or of the node, have
// under way never refuses it: the job would be done again.
func (k requestKind) ends() bool {
	return k == requestComplete || k == requestFail || k == requestPark || k == requestKeep
}

// request is a command under way: what its answer needs to find its way back.
type request struct {
	kind         requestKind
	id           uint64
	lease        command.LeaseID
	renewal      *renewal
	subscription *subscription
	target       string // of a cancel that is audited

	generation uint32
	next       int32 // of the free list
}

// requestTable holds the requests of one connection. A slot is an index and a
// generation, so that an answer finds its request without a map, and a second
// answer finds nothing.
type requestTable struct {
	limits *Limits

	mu sync.Mutex // guards the rest
	// freed is signaled when a quiet request is answered; nil until that is waited for.
	freed   *sync.Cond
	entries []request
	free    int32 // first free entry, -1 for none
	loud    int
	quiet   int
	shut    bool
}

func (t *requestTable) init(limits *Limits) {
	t.limits, t.free = limits, -1
}

// take makes a slot for r; false when too many are under way.
func (t *requestTable) take(r request) (slot uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r.kind.quiet() {
		if t.quiet >= t.limits.MaxQuiet {
			return 0, false
		}
		t.quiet++
	} else {
		if t.loud >= t.limits.MaxInFlight {
			return 0, false
		}
		t.loud++
	}
	return t.insert(r), true
}

// await is take for a quiet request, waiting for room; false when the
// connection has ended.
func (t *requestTable) await(r request) (slot uint64, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.quiet >= t.limits.MaxQuiet && !t.shut {
		if t.freed == nil {
			t.freed = sync.NewCond(&t.mu)
		}
		t.freed.Wait()
	}
	if t.shut {
		return 0, false
	}
	t.quiet++
	return t.insert(r), true
}

// finish frees a slot and returns what was in it.
func (t *requestTable) finish(slot uint64) (r request, ok bool) {
	index, generation := uint32(slot), uint32(slot>>32) //nolint:gosec // the two halves
	t.mu.Lock()
	defer t.mu.Unlock()
	if int(index) >= len(t.entries) || t.entries[index].generation != generation {
		return request{}, false
	}
	entry := &t.entries[index]
	r = *entry
	*entry = request{generation: generation + 1, next: t.free}
	t.free = int32(index) //nolint:gosec // far below 2^31
	if r.kind.quiet() {
		t.quiet--
		if t.freed != nil {
			t.freed.Signal()
		}
	} else {
		t.loud--
	}
	return r, true
}

// close wakes whoever awaits a slot.
func (t *requestTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = true
	if t.freed != nil {
		t.freed.Broadcast()
	}
}

func (t *requestTable) insert(r request) uint64 {
	index := t.free
	if index < 0 {
		index = int32(len(t.entries)) //nolint:gosec // far below 2^31
		t.entries = append(t.entries, request{next: -1, generation: 1})
	}
	entry := &t.entries[index]
	t.free = entry.next
	r.generation = entry.generation
	*entry = r
	return uint64(r.generation)<<32 | uint64(index)
}
