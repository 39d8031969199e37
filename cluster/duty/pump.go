package duty

import "iter"

// maxRemembered bounds for how many devices the highest pushed seq is kept, by
// which a notification is told to have been sent before.
const maxRemembered = 100_000

// Attachment is a socket's wish for its client's stream.
type Attachment struct {
	Node   string
	Stream uint64

	Tenant, ClientID, DeviceID string

	// Seq is what the socket has already, when From is FromSeq.
	From  From
	Epoch string
	Seq   uint64
	// Acked is how far it has acknowledged, and Window how many notifications
	// may be out beyond that.
	Acked  uint64
	Window uint32
	// Again means that this replaces an attachment at an earlier leader, and
	// Synced that the replay was over there: nothing is said twice.
	Again  bool
	Synced bool
	// Hold keeps deliveries back until Ready.
	Hold bool
}

// From is where a stream is to begin.
type From uint8

// The beginnings.
const (
	FromCursor From = iota
	FromSeq
	FromLive
)

// StreamState answers an Attach: the stream, the seq that comes next for this
// socket, and Resumed: 0 none, 1 full, 2 partial.
type StreamState struct {
	Head, Oldest, Next uint64
	Resumed            uint8
}

type streamKey struct{ tenant, client string }

type attachmentKey struct {
	node   string
	stream uint64
}

// attached is a socket that a stream is pumped to.
type attached struct {
	Attachment

	// also is the next socket of the stream.
	also *attached
	id   uint64
	// next is the seq to send next, head the stream's end at the time of the
	// attach: when it is passed, the socket is told that it is synced.
	next, head uint64
	// unsaid is what the socket was not told yet of how its stream begins; nil for
	// nothing.
	unsaid *opening
	synced bool
	// begun means that it was sent something of the stream.
	begun bool
	// stalled means that a push failed: everything waits for the next tick, so
	// that what could not be said is not passed over.
	stalled bool
}

func (a *attached) stream() streamKey { return streamKey{a.Tenant, a.ClientID} }

func (a *attached) key() attachmentKey { return attachmentKey{a.Node, a.Stream} }

// opening is what is to be said of a stream's beginning.
type opening struct {
	state    *StreamState
	from, to uint64
	reason   string
}

// deviceKey is a device of a client, which is what sees a notification again.
type deviceKey struct {
	streamKey

	device string
}

// pump is the attached sockets of a partition's streams.
type pump struct {
	byKey map[attachmentKey]*attached
	// byStream is each stream's first socket: most have one.
	byStream map[streamKey]*attached
	pushed   map[deviceKey]uint64
	stalled  []*attached
}

func newPump() pump {
	return pump{
		byKey: make(map[attachmentKey]*attached), byStream: make(map[streamKey]*attached),
		pushed: make(map[deviceKey]uint64),
	}
}

func (p *pump) add(a *attached) {
	p.remove(a.key())
	p.byKey[a.key()] = a
	first := p.byStream[a.stream()]
	if first == nil {
		p.byStream[a.stream()] = a
		return
	}
	last := first
	for last.also != nil {
		last = last.also
	}
	last.also = a
}

// sockets are those of a stream, in the order of attaching.
func (p *pump) sockets(key streamKey) iter.Seq[*attached] {
	return func(yield func(*attached) bool) {
		for a := p.byStream[key]; a != nil; a = a.also {
			if !yield(a) {
				return
			}
		}
	}
}

func (p *pump) remove(key attachmentKey) {
	a := p.byKey[key]
	if a == nil {
		return
	}
	delete(p.byKey, key)
	stream := a.stream()
	switch first := p.byStream[stream]; {
	case first != a:
		before := first
		for before.also != a {
			before = before.also
		}
		before.also = a.also
	case a.also != nil:
		delete(p.byStream, stream) // The key's text is the socket's that goes.
		p.byStream[a.also.stream()] = a.also
	default:
		delete(p.byStream, stream)
	}
}

func (p *pump) forget(node string) {
	for key := range p.byKey {
		if key.node == node {
			p.remove(key)
		}
	}
}

// note remembers the highest seq that was pushed to a device.
func (p *pump) note(key deviceKey, seq uint64) {
	highest, known := p.pushed[key]
	if seq > highest && (known || len(p.pushed) < maxRemembered) {
		p.pushed[key] = seq
	}
}

// stall has an attachment fed at the next tick, and not before.
func (p *pump) stall(a *attached) {
	if !a.stalled {
		a.stalled = true
		p.stalled = append(p.stalled, a)
	}
}

// revive takes the stalled attachments that are still there.
func (p *pump) revive() []*attached {
	revived := p.stalled[:0]
	for _, a := range p.stalled {
		if p.byKey[a.key()] == a {
			a.stalled = false
			revived = append(revived, a)
		}
	}
	p.stalled = nil
	return revived
}
