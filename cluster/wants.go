package cluster

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm/command"
)

// Bounds of the pieces that a node keeps of followed channels for those of its
// followers who come to the same place a little later.
const (
	// MaxKeptPieces is how many it keeps.
	MaxKeptPieces = 256
	// MaxKeptBytes is how large they may be together, before what an edge keeps of
	// their events.
	MaxKeptBytes = 8 << 20
)

// wants are what this node's followers ask the leaders of partitions for. Those who
// are at the same place of a channel share one want, and the piece that answers it:
// with many followers of a channel an event comes to the node once.
type wants struct {
	mu struct {
		sync.Mutex

		byPlace map[wantPlace]*want
		byID    map[uint64]*want
		// kept are the answered ones that are still found, oldest first.
		kept  []*want
		bytes int
	}
}

// wantPlace is what is wanted: with everything equal, the answer is.
type wantPlace struct {
	partition       int
	generation      uint64
	tenant, channel string
	after, told     uint64
	events          uint32
}

// want is one request to a leader.
type want struct {
	wantPlace

	id uint64
	// What follows is guarded by the wants' lock, but piece does not change once
	// answered is set. untold means that the leader could not be asked.
	followers []*follower
	answered  bool
	untold    bool
	piece     *followPiece
}

// followPiece is the answer to a want, which some followers share. Its events are not
// changed.
type followPiece struct {
	trimmed uint64
	events  []FollowedEvent
	bytes   int
	readers atomic.Int32
}

// FollowedEvent is an event for followers. All followers of a node are handed the
// same.
type FollowedEvent struct {
	command.Followed

	// Edge is where an edge keeps what it makes of the event, to make it once.
	Edge  [2]atomic.Pointer[[]byte]
	piece *followPiece
}

// ShareEvent is an event as several followers are handed it, for tests of an edge.
func ShareEvent(event command.Followed) *FollowedEvent {
	piece := &followPiece{}
	piece.readers.Store(2)
	return &FollowedEvent{Followed: event, piece: piece}
}

// Shared tells whether several followers are, or may be, handed the event.
func (e *FollowedEvent) Shared() bool { return e.piece != nil && e.piece.readers.Load() > 1 }

func (w *wants) init() {
	w.mu.byPlace = make(map[wantPlace]*want)
	w.mu.byID = make(map[uint64]*want)
}

// join has a follower want what there is at a place. The leader is to be asked where
// ask is true; where the want is answered already, the follower is not told of it.
func (w *wants) join(f *follower, place wantPlace, nextID *atomic.Uint64) (wanted *want, ask bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted = w.mu.byPlace[place]
	if wanted == nil {
		wanted, ask = &want{wantPlace: place, id: nextID.Add(1)}, true
		w.mu.byPlace[place] = wanted
		w.mu.byID[wanted.id] = wanted
	}
	switch {
	case wanted.answered:
		wanted.piece.readers.Add(1)
	case !slices.Contains(wanted.followers, f):
		wanted.followers = append(wanted.followers, f)
	default:
		ask = true // Asked again: what was asked may be lost.
	}
	return wanted, ask
}

// leave has a follower want it no more. It returns true where nobody does and the
// leader may think so still.
func (w *wants) leave(f *follower, wanted *want) (forsaken bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if wanted.answered {
		return false
	}
	at := slices.Index(wanted.followers, f)
	if at < 0 {
		return false
	}
	wanted.followers = slices.Delete(wanted.followers, at, at+1)
	if len(wanted.followers) > 0 {
		return false
	}
	delete(w.mu.byPlace, wanted.wantPlace)
	delete(w.mu.byID, wanted.id)
	return true
}

// find is the want of that id which is not answered, or nil.
func (w *wants) find(id uint64) *want {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.mu.byID[id]
}

// answer takes the piece that a want asked for, and returns who waits for it.
func (w *wants) answer(wanted *want, piece *followPiece) []*follower {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mu.byID[wanted.id] != wanted {
		return nil // Somebody else answered it, or nobody wants it any more.
	}
	delete(w.mu.byID, wanted.id)
	followers := wanted.followers
	wanted.answered, wanted.piece, wanted.followers = true, piece, nil
	piece.readers.Store(int32(len(followers))) //nolint:gosec // Bounded by connections.
	if len(piece.events) == 0 {
		delete(w.mu.byPlace, wanted.wantPlace)
		return followers
	}
	w.mu.kept = append(w.mu.kept, wanted)
	w.mu.bytes += piece.bytes
	for len(w.mu.kept) > MaxKeptPieces || w.mu.bytes > MaxKeptBytes && len(w.mu.kept) > 1 {
		w.dropLocked()
	}
	return followers
}

// dropLocked forgets the oldest piece that is kept.
func (w *wants) dropLocked() {
	oldest := w.mu.kept[0]
	w.mu.kept[0] = nil
	w.mu.kept = w.mu.kept[1:]
	w.mu.bytes -= oldest.piece.bytes
	if w.mu.byPlace[oldest.wantPlace] == oldest {
		delete(w.mu.byPlace, oldest.wantPlace)
	}
}

// told notes whether the leader could be asked.
func (w *wants) told(wanted *want, asked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted.untold = !asked
}

// unasked are the wants that no leader could be asked for.
func (w *wants) unasked() (all []*want) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wanted := range w.mu.byID {
		if wanted.untold {
			all = append(all, wanted)
		}
	}
	return all
}

// ask asks a partition's leader.
func (c *Cluster) ask(wanted *want) {
	group := partitionGroup(wanted.partition)
	frame := appendWant(appendFrame(nil, frameFollow, group, wanted.generation), &duty.Want{
		Follower: wanted.id, Tenant: wanted.tenant, Channel: wanted.channel, After: wanted.after, Told: wanted.told,
		Events: wanted.events,
	})
	c.wants.told(wanted, c.groupLane(group).tell(wanted.generation, frame) == nil)
}

// unask tells a leader that nobody wants it any more.
func (c *Cluster) unask(wanted *want) {
	group := partitionGroup(wanted.partition)
	b := command.AppendUint(appendFrame(nil, frameUnfollow, group, wanted.generation), wanted.id)
	_ = c.groupLane(group).tell(wanted.generation, b) // A want that is left is answered once, to nobody.
}

// sweepWants asks again where a leader could not be asked.
func (c *Cluster) sweepWants() {
	for _, wanted := range c.wants.unasked() {
		c.ask(wanted)
	}
}

// receiveEvents hands a piece to the followers who want it. One that comes twice,
// after a link was lost, or from a former leader, is none.
func (c *Cluster) receiveEvents(f *frame) {
	wanted := c.wants.find(f.Uint())
	if wanted == nil {
		return
	}
	after, piece := readPiece(f)
	if f.Err() != nil || f.group != partitionGroup(wanted.partition) || f.generation != wanted.generation || after != wanted.after {
		return
	}
	for _, follower := range c.wants.answer(wanted, piece) {
		follower.receive(wanted)
	}
}

// readPiece reads a piece to keep: its bytes are its own.
func readPiece(f *frame) (after uint64, piece *followPiece) {
	after, piece = f.Uint(), &followPiece{trimmed: f.Uint()}
	own := append([]byte(nil), f.Rest()...)
	piece.bytes = len(own)
	f.Reader = command.NewReader(own)
	count := f.Count(duty.MaxFollowEvents)
	piece.events = make([]FollowedEvent, 0, count)
	for range count {
		piece.events = append(piece.events, FollowedEvent{Followed: f.Followed(), piece: piece})
	}
	return after, piece
}
