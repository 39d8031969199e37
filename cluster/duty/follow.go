package duty

import (
	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/storage"
)

// Bounds of the piece of a channel that a follower is pushed at once.
const (
	// MaxFollowEvents is how many events it has at most.
	MaxFollowEvents = 256
	// MaxFollowBytes is the size at which it is closed; one event may be larger, and
	// then comes alone.
	MaxFollowBytes = 64 << 10
)

// Want is a follower's wish for what comes behind a position of this partition: at
// most so many events, pushed once, as soon as there are any. It is all that a
// leader knows of a follower, which says it again when it has room for more.
type Want struct {
	Node     string
	Follower uint64

	// Tenant is whose events are followed; empty means all.
	Tenant, Channel string
	// After is the position up to which the follower has everything, Told the one up
	// to which it was told that something is gone.
	After, Told uint64
	// Events is how many it takes, MaxFollowEvents at most.
	Events uint32
}

// Follow takes note of a want, in the place of the follower's last one. It returns
// false when this node does not lead.
func (d *Duty) Follow(want *Want) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.mu.leading {
		return false
	}
	f := &following{Want: *want}
	f.Events = min(max(f.Events, 1), MaxFollowEvents)
	d.mu.follow.add(f)
	d.config.Feed()
	return true
}

// Unfollow forgets a follower's want.
func (d *Duty) Unfollow(node string, follower uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.mu.follow.remove(followerKey{node, follower})
}

// FeedFollowers reads one piece, for all followers who are at the same place of the
// same channel, and pushes it. It returns false when nobody is to be fed. It may
// take as long as a disk does, so it is called where nothing waits for it: the
// mutex is not held while rows are read.
func (d *Duty) FeedFollowers() bool {
	r := d.nextReading()
	if len(r.followers) == 0 {
		return false
	}
	r.read(d.config.State)
	d.serve(&r)
	return true
}

// reading is a piece of a channel that is read for some followers.
type reading struct {
	followers []*following
	wanted    fsm.Follow
	directory *fsm.Directory
	piece     fsm.FollowPiece
	err       error
}

// nextReading takes those who are to be fed next.
func (d *Duty) nextReading() reading {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := reading{followers: d.mu.follow.next(), wanted: fsm.Follow{Bytes: MaxFollowBytes}, directory: d.mu.follow.directory}
	for _, f := range r.followers {
		r.wanted.Tenant, r.wanted.Channel, r.wanted.After = f.Tenant, f.Channel, f.After
		r.wanted.Events = max(r.wanted.Events, int(f.Events))
	}
	return r
}

func (r *reading) read(state *storage.State) {
	view := state.View()
	defer func() { _ = view.Close() }() // Nothing can fail that matters to a reader.
	r.piece, r.err = r.directory.Read(view, &r.wanted)
}

// serve pushes what was read to those who still want it.
func (d *Duty) serve(r *reading) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if r.err != nil {
		d.config.Logger.Error("cannot read a followed channel",
			"partition", d.config.Partition, "channel", r.wanted.Channel, "error", r.err)
	}
	for _, f := range r.followers {
		switch {
		case !d.mu.follow.has(f): // It said another want meanwhile, or is gone.
		case r.err != nil:
			d.mu.follow.stall(f)
		case len(r.piece.Events) == 0 && r.piece.Trimmed <= f.Told:
			d.mu.follow.wait(f)
		default:
			d.pushPiece(f, r.piece)
		}
	}
}

// pushPiece answers a want; one that cannot be answered waits for the next tick.
func (d *Duty) pushPiece(f *following, piece fsm.FollowPiece) {
	piece.Events = piece.Events[:min(len(piece.Events), int(f.Events))]
	if piece.Trimmed <= f.Told {
		piece.Trimmed = 0
	}
	if d.config.Pusher.PushEvents(f.Node, f.Follower, f.After, &piece) != nil {
		d.mu.follow.stall(f)
		return
	}
	d.mu.follow.remove(f.key())
}

// stored has those fed who wait for events of a channel.
func (d *Duty) stored(stored []fsm.Stored) {
	news := false
	for _, s := range stored {
		for f := range d.mu.follow.byChannel[s.Channel] {
			if f.Tenant == "" || f.Tenant == s.Tenant {
				d.mu.follow.news(f)
				news = true
			}
		}
	}
	if news {
		d.config.Feed()
	}
}

// tickFollowers tries again what could not be pushed.
func (d *Duty) tickFollowers() {
	if d.mu.follow.revive() {
		d.config.Feed()
	}
}
