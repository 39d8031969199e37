package cluster

import (
	"sync"

	"github.com/batonmq/baton/cluster/duty"
)

// follower brings one socket the events of a channel from all partitions, through
// leader changes: each once, and those of a partition in their order.
//
// It asks each partition's leader for a piece behind what it has, and for the next
// one when that is handed on; with other followers who are at the same place, as one:
// see wants. So a socket that takes nothing has a piece of each
// partition wait here, and the rest on disks. All that a leader knows of it is the
// piece that it wants, which is said anew wherever it may have been lost.
//
// Invariant: of a partition either a piece is kept here, or one is wanted.
type follower struct {
	id      uint64
	spec    FollowSpec
	sink    FollowSink
	cluster *Cluster

	// delivering keeps calls of the sink in order; cursor is of whoever holds it.
	delivering sync.Mutex
	cursor     []byte

	mu struct {
		sync.Mutex

		// left is how many partitions have not said where the follower begins.
		left          uint32
		begun, closed bool
		feeds         []followFeed
		// turn is the partition that is looked at first for the next event.
		turn int
		// out are the events that a named follower was given and has not committed.
		out []mark
	}
}

// followFeed is one partition's part.
type followFeed struct {
	// generation is the leader's that was asked last.
	generation uint64
	// at is up to where the sink has everything, told up to where it knows of gaps,
	// gap that it has to be told of one.
	at, told uint64
	gap      bool
	// piece is what was asked for and not handed on; want is what was asked for last,
	// and wanting that it did not come yet.
	piece   []FollowedEvent
	want    *want
	wanting bool
	// committed is what a named follower has committed, kept what its name stood at
	// in the beginning.
	committed, kept uint64
}

// mark is an event that is out.
type mark struct {
	partition int
	position  uint64
}

// Resume implements Follower.
func (f *follower) Resume() { f.deliver() }

func partitionGroup(partition int) uint32 { return uint32(partition) + 1 } //nolint:gosec // There are few partitions.

// deliver hands on what there is, as far as the socket takes it. It may be called
// from anywhere: by a piece, by room in the socket, by a commit.
func (f *follower) deliver() {
	f.delivering.Lock()
	defer f.delivering.Unlock()
	for f.sink.Room() {
		switch e, gap := f.next(); {
		case gap:
			f.sink.Trimmed()
		case e != nil:
			f.sink.Event(e, f.cursor)
		default:
			return
		}
	}
}

// next takes the next event of any partition, or the news of a gap in one. The
// cursor is then what the sink is to have with it.
func (f *follower) next() (event *FollowedEvent, gap bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.closed || !f.mu.begun || f.spec.Name != "" && len(f.mu.out) >= int(f.spec.Window) {
		return nil, false
	}
	for i := range f.mu.feeds {
		p := (f.mu.turn + i) % len(f.mu.feeds)
		feed := &f.mu.feeds[p]
		if feed.gap {
			feed.gap = false
			return nil, true
		}
		if len(feed.piece) == 0 {
			continue
		}
		event, feed.piece = &feed.piece[0], feed.piece[1:]
		feed.at, f.mu.turn = event.ID.Position, p+1
		if f.spec.Name != "" {
			f.mu.out = append(f.mu.out, mark{p, feed.at})
		}
		f.cursorLocked()
		if len(feed.piece) == 0 {
			feed.piece = nil
			f.wantLocked(p)
		}
		return event, false
	}
	return nil, false
}

func (f *follower) cursorLocked() {
	var room [16]uint64
	positions := room[:0]
	for p := range f.mu.feeds {
		positions = append(positions, f.mu.feeds[p].at)
	}
	f.cursor = appendCursor(f.cursor[:0], f.cluster.Epoch(0), f.spec.Channel, positions)
}

// wantLocked asks a partition for what comes next, or takes it where this node has it.
func (f *follower) wantLocked(partition int) {
	feed := &f.mu.feeds[partition]
	feed.wanting = true
	if feed.generation == 0 || f.mu.closed {
		return
	}
	place := wantPlace{
		partition: partition, generation: feed.generation, tenant: f.spec.Tenant, channel: f.spec.Channel,
		after: feed.at, told: feed.told, events: min(f.spec.Window, duty.MaxFollowEvents),
	}
	if feed.want != nil && feed.want.wantPlace != place {
		f.cluster.wants.leave(f, feed.want)
	}
	wanted, ask := f.cluster.wants.join(f, place, &f.cluster.nextID)
	feed.want = wanted
	switch {
	case wanted.answered:
		f.takeLocked(feed)
	case ask:
		f.cluster.ask(wanted)
	}
}

// takeLocked takes the piece that was wanted.
func (f *follower) takeLocked(feed *followFeed) {
	piece := feed.want.piece
	feed.wanting, feed.piece = false, piece.events
	if piece.trimmed > feed.told {
		feed.told, feed.gap = piece.trimmed, true
	}
}

// receive takes the piece that was wanted, and no other.
func (f *follower) receive(wanted *want) {
	f.mu.Lock()
	feed := &f.mu.feeds[wanted.partition]
	if f.mu.closed || !feed.wanting || feed.want != wanted {
		f.mu.Unlock()
		return
	}
	f.takeLocked(feed)
	if len(feed.piece) == 0 {
		f.wantLocked(wanted.partition)
	}
	f.mu.Unlock()
	f.deliver()
}

// register asks a partition's new leader for what is wanted, or the same one again
// after its link was lost.
func (f *follower) register(partition uint32, generation uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.mu.begun && generation >= f.mu.feeds[partition].generation {
		f.registerLocked(int(partition), generation)
	}
}

// start is register for a follower that no leader of the partition knows of yet.
func (f *follower) start(partition uint32, generation uint64) {
	f.mu.Lock()
	if f.mu.begun && f.mu.feeds[partition].generation == 0 {
		f.registerLocked(int(partition), generation)
	}
	f.mu.Unlock()
	f.deliver() // This node may have had what is wanted.
}

func (f *follower) registerLocked(partition int, generation uint64) {
	feed := &f.mu.feeds[partition]
	feed.generation = generation
	if len(feed.piece) == 0 {
		f.wantLocked(partition)
	}
	if feed.committed > feed.kept && !f.mu.closed { // The former leader may have lost it.
		f.cluster.SubmitLazy(uint32(partition), f.commitOf(feed.committed)) //nolint:gosec // There are few partitions.
	}
}
