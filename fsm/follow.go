package fsm

import (
	"cmp"
	"slices"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/internal/invariants"
	"github.com/batonmq/baton/storage"
)

// Reading a channel as its followers see it: the events of its sub-queues, merged
// by position. What became of an event makes no difference: one that is delayed,
// canceled or dead was published too.

// Follow asks for a piece of a channel.
type Follow struct {
	// Tenant is whose events are read; empty means all.
	Tenant, Channel string
	// After is the position behind which the piece begins.
	After uint64
	// Events and Bytes bound the piece; one event is in it however large it is.
	Events, Bytes int
}

// FollowPiece is the answer to a Follow.
type FollowPiece struct {
	// Events are in the order of their positions. Their bytes are their own.
	Events []command.Followed
	// More means that other events follow those of the piece.
	More bool
	// End is the last position there was: without More nothing follows up to it.
	End uint64
	// Trimmed is the last position up to which some of what was asked for is deleted,
	// 0 when all of it is there.
	Trimmed uint64
}

// Read reads a piece of a channel.
func (d *Directory) Read(view *storage.View, f *Follow) (piece FollowPiece, err error) {
	defer invariants.Recover(&err)
	queues, err := d.of(view, f.Channel, f.Tenant)
	if err != nil {
		return FollowPiece{}, err
	}
	g := gatherer{events: f.Events, bytes: f.Bytes}
	for _, q := range queues {
		row, failed := readRetained(view, q.id)
		if failed != nil {
			return FollowPiece{}, failed
		}
		// What retention has gone over may have its rows still, and is gone.
		from := max(f.After+1, row.first)
		err = view.Scan(keyEvent(nil, q.id, from), after(keyQueueEvents(q.id)), func(key, value []byte) (bool, error) {
			return g.take(q, u64At(key, 5), value), nil
		})
		if err != nil {
			return FollowPiece{}, err
		}
	}
	piece.Events, err = g.followed(view, f.Channel)
	if err != nil {
		return FollowPiece{}, err
	}
	piece.More = g.left
	if piece.Trimmed, err = trimmedThrough(view, queues, f.After); err != nil {
		return FollowPiece{}, err
	}
	piece.End, err = End(view)
	return piece, err
}

// trimmedThrough is the last position up to which a sub-queue's events behind a
// position are gone, 0 for none. What retention passed by, because it is in work, is
// gone for followers.
func trimmedThrough(view *storage.View, queues []namedQueue, after uint64) (position uint64, err error) {
	for _, q := range queues {
		row, err := readRetained(view, q.id)
		if err != nil {
			return 0, err
		}
		if row.first > after+1 && row.first > 1 {
			position = max(position, row.first-1)
		}
	}
	return position, nil
}

// Trimmed is the last position up to which some of a channel's events behind a
// position are deleted, 0 when none is.
func (d *Directory) Trimmed(view *storage.View, tenant, channelName string, after uint64) (position uint64, err error) {
	defer invariants.Recover(&err)
	queues, err := d.of(view, channelName, tenant)
	if err != nil {
		return 0, err
	}
	return trimmedThrough(view, queues, after)
}

// gatherer merges sub-queues: it keeps the events with the lowest positions, as
// many as the piece may have. A sub-queue is read up to where it cannot add to it.
type gatherer struct {
	events, bytes int
	rows          []gathered
	size          int
	// left means that some event was left out.
	left bool
}

// gathered is a row that was read.
type gathered struct {
	position uint64
	queue    namedQueue
	value    []byte
}

// take adds the next event of a sub-queue; false when none of it is wanted any more.
func (g *gatherer) take(q namedQueue, position uint64, value []byte) bool {
	full := len(g.rows) >= g.events || g.size >= g.bytes
	if full && len(g.rows) > 0 && position > g.rows[len(g.rows)-1].position {
		g.left = true
		return false
	}
	at, _ := slices.BinarySearchFunc(g.rows, position, func(row gathered, position uint64) int {
		return cmp.Compare(row.position, position)
	})
	g.rows = slices.Insert(g.rows, at, gathered{position, q, slices.Clone(value)})
	g.size += len(value)
	for last := len(g.rows) - 1; last > 0; last-- {
		without := g.size - len(g.rows[last].value)
		if len(g.rows) <= g.events && without < g.bytes {
			break
		}
		g.rows, g.size, g.left = slices.Delete(g.rows, last, last+1), without, true
	}
	return true
}

// followed decodes what was gathered.
func (g *gatherer) followed(view *storage.View, channelName string) ([]command.Followed, error) {
	if len(g.rows) == 0 {
		return nil, nil
	}
	value, _, err := view.Get(keyCounters(nil))
	if err != nil {
		return nil, err
	}
	var c counters
	c.read(value)
	names := newNameReader(view)
	events := make([]command.Followed, 0, len(g.rows))
	for _, row := range g.rows {
		id := command.EventID{Epoch: c.epoch, Partition: c.number(), Queue: row.queue.id, Position: row.position}
		e := readEvent(row.value, id, channelName, names.text(nameTenant, row.queue.tenant))
		followed := command.Followed{
			ID: id, CorrelationID: e.correlationID(), CausationID: e.causationID(),
			StoredMS: e.storedMS, DeliverMS: e.deliverMS, Event: e.Event,
		}
		events = append(events, followed)
	}
	return events, names.err
}

// Before is the position behind which the events begin that were stored at a time
// or later: the end, where there are none yet.
//
// The state's time does not fall from one position to the next. So each sub-queue
// is searched by halves, between what the others have narrowed it to.
func (d *Directory) Before(view *storage.View, tenant, channelName string, timeMS int64) (position uint64, err error) {
	defer invariants.Recover(&err)
	queues, err := d.of(view, channelName, tenant)
	if err != nil {
		return 0, err
	}
	end, err := End(view)
	if err != nil {
		return 0, err
	}
	// Everything up to low is older, everything from high on is not.
	low, high := uint64(0), end+1
	for _, q := range queues {
		to := high
		for low+1 < to {
			middle := low + (to-low)/2
			at, storedMS, err := nextStored(view, q.id, middle, to)
			switch {
			case err != nil:
				return 0, err
			case at == 0:
				to = middle
			case storedMS < timeMS:
				low = at
			default:
				to, high = middle, min(high, at)
			}
		}
	}
	if high > end {
		return end, nil
	}
	return low, nil
}

// nextStored is the first event of a sub-queue from a position on and before
// another, and when it was stored; position 0 when there is none.
func nextStored(view *storage.View, queue uint32, from, to uint64) (position uint64, storedMS int64, err error) {
	err = view.Scan(keyEvent(nil, queue, from), keyEvent(nil, queue, to), func(key, value []byte) (bool, error) {
		position = u64At(key, 5)
		r := openRow(value)
		storedMS = r.Int()
		closeRow(&r)
		return false, nil
	})
	return position, storedMS, err
}
