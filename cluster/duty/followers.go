package duty

import (
	"slices"

	"github.com/batonmq/baton/fsm"
)

type followerKey struct {
	node     string
	follower uint64
}

// place is where a follower is in a channel.
type place struct {
	tenant, channel string
	after           uint64
}

// following is a want that is not answered.
type following struct {
	Want

	// due means that it is in line to be fed, reading that rows are read for it,
	// stalled that it could not be pushed what there is.
	due, reading, stalled bool
	// again means that events were stored since the rows were read: the view may be
	// older than they.
	again bool
}

func (f *following) key() followerKey { return followerKey{f.Node, f.Follower} }

func (f *following) place() place { return place{f.Tenant, f.Channel, f.After} }

// followBook is the wants of a partition's followers.
//
// Invariant: a want is due, or rows are read for it, or it is stalled, or nothing
// is stored for it.
type followBook struct {
	byKey     map[followerKey]*following
	byChannel map[string]map[*following]struct{}
	// line is the places that followers are to be fed from, in turn, and due who is
	// there.
	line    []place
	due     map[place][]*following
	stalled []*following
	// directory is that of the goroutine that feeds.
	directory *fsm.Directory
}

func newFollowBook() followBook {
	return followBook{
		byKey: make(map[followerKey]*following), byChannel: make(map[string]map[*following]struct{}),
		due: make(map[place][]*following), directory: &fsm.Directory{},
	}
}

// add takes note of a want and puts it in line.
func (b *followBook) add(f *following) {
	b.remove(f.key())
	b.byKey[f.key()] = f
	if b.byChannel[f.Channel] == nil {
		b.byChannel[f.Channel] = make(map[*following]struct{})
	}
	b.byChannel[f.Channel][f] = struct{}{}
	b.enqueue(f)
}

func (b *followBook) remove(key followerKey) {
	f := b.byKey[key]
	if f == nil {
		return
	}
	delete(b.byKey, key)
	delete(b.byChannel[f.Channel], f)
	if len(b.byChannel[f.Channel]) == 0 {
		delete(b.byChannel, f.Channel)
	}
	if f.due { // Or a want said again and again would pile up in line.
		at := f.place()
		b.due[at] = slices.DeleteFunc(b.due[at], func(other *following) bool { return other == f })
		if len(b.due[at]) == 0 {
			delete(b.due, at)
			b.line = slices.DeleteFunc(b.line, func(other place) bool { return other == at })
		}
	}
}

func (b *followBook) has(f *following) bool { return b.byKey[f.key()] == f }

func (b *followBook) forget(node string) {
	for key := range b.byKey {
		if key.node == node {
			b.remove(key)
		}
	}
}

func (b *followBook) enqueue(f *following) {
	f.due, f.reading, f.again = true, false, false
	at := f.place()
	if len(b.due[at]) == 0 {
		b.line = append(b.line, at)
	}
	b.due[at] = append(b.due[at], f)
}

// next takes those out of line who are at its first place.
func (b *followBook) next() []*following {
	if len(b.line) == 0 {
		return nil
	}
	at := b.line[0]
	b.line = b.line[1:]
	same := b.due[at]
	delete(b.due, at)
	for _, f := range same {
		f.due, f.reading = false, true
	}
	return same
}

// wait leaves a want for which nothing was found until something is stored: which
// may have happened since the view was taken.
func (b *followBook) wait(f *following) {
	f.reading = false
	if f.again {
		b.enqueue(f)
	}
}

// news has a want fed for which something was stored.
func (b *followBook) news(f *following) {
	switch {
	case f.reading:
		f.again = true
	case !f.due && !f.stalled:
		b.enqueue(f)
	}
}

// stall has a want fed at the next tick, and not before.
func (b *followBook) stall(f *following) {
	f.reading, f.stalled = false, true
	b.stalled = append(b.stalled, f)
}

// revive puts the stalled wants in line that are still there; false when none is.
func (b *followBook) revive() bool {
	some := false
	for _, f := range b.stalled {
		f.stalled = false
		if b.has(f) {
			b.enqueue(f)
			some = true
		}
	}
	b.stalled = b.stalled[:0]
	return some
}
