package cluster

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/transport"
)

// at follows from a position of the only partition.
func (e *edge) at(position uint64, window uint32) (*follower, *page) {
	return e.follow(FollowSpec{Start: FollowCursor, Cursor: e.cursor(position), Window: window})
}

// TestFollowersShareAWant: those at one place ask once and get the same piece; so does
// who comes there a little later, without asking; who is elsewhere, or takes less at a
// time, asks for itself. The leader is told that nobody wants it when nobody does.
func TestFollowersShareAWant(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	first, p1 := e.at(3, 5)
	second, p2 := e.at(3, 5)
	third, _ := e.at(3, 6)
	e.hears(t, "n2: follow, partition 0 of 1, after 3 told 0 events 5", "n2: follow, partition 0 of 1, after 3 told 0 events 6")
	third.Close(nil, 0)
	e.hears(t, "n2: unfollow, partition 0 of 1")
	e.pieces(leader{0, 1, 0}, first, 3, 4, 7)
	for _, p := range []*page{p1, p2} {
		p.hears(t, "began, done at [3]", "event 4 of partition 0, at [4]", "event 7 of partition 0, at [7]")
	}
	e.hears(t, "n2: follow, partition 0 of 1, after 7 told 0 events 5")
	late, p4 := e.at(3, 5)
	p4.hears(t, "began, done at [3]", "event 4 of partition 0, at [4]", "event 7 of partition 0, at [7]")
	e.hears(t)
	first.Close(nil, 0)
	second.Close(nil, 0)
	e.hears(t)
	e.pieces(leader{0, 1, 0}, late, 7, 8)
	p4.hears(t, "event 8 of partition 0, at [8]")
	p1.hears(t)
	e.hears(t, "n2: follow, partition 0 of 1, after 8 told 0 events 5")
	late.Close(nil, 0)
	e.hears(t, "n2: unfollow, partition 0 of 1")
}

// TestSharedEventsAreToldApart: an event that one follower was handed is not shared, one
// that two were is.
func TestSharedEventsAreToldApart(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	alone, _ := e.at(3, 5)
	e.pieces(leader{0, 1, 0}, alone, 3, 4)
	kept := &e.wants.mu.kept[0].piece.events[0]
	if kept.Shared() {
		t.Fatal("one follower shares with nobody")
	}
	e.at(3, 5)
	if !kept.Shared() {
		t.Fatal("two followers share")
	}
}

// TestKeptPiecesAreBounded: in number and in bytes; what is forgotten is asked for.
func TestKeptPiecesAreBounded(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	f, _ := e.at(0, 5)
	for position := range uint64(MaxKeptPieces + 10) {
		e.pieces(leader{0, 1, 0}, f, position, position+1)
	}
	if got := len(e.wants.mu.kept); got != MaxKeptPieces {
		t.Fatalf("%d pieces are kept", got)
	}
	e.links.take()
	e.at(0, 5)
	e.hears(t, "n2: follow, partition 0 of 1, after 0 told 0 events 5")
	sum := 0
	for _, w := range e.wants.mu.kept {
		sum += w.piece.bytes
	}
	if sum != e.wants.mu.bytes || len(e.wants.mu.byPlace) != MaxKeptPieces+2 || len(e.wants.mu.byID) != 2 {
		t.Fatalf("%d bytes are said to be kept, %d are; %d places, %d asked", e.wants.mu.bytes, sum, len(e.wants.mu.byPlace), len(e.wants.mu.byID))
	}
	e.wants.mu.kept[MaxKeptPieces-1].piece.bytes += MaxKeptBytes // As if it were large.
	e.wants.mu.bytes += MaxKeptBytes
	e.pieces(leader{0, 1, 0}, f, MaxKeptPieces+10, MaxKeptPieces+11)
	if got := len(e.wants.mu.kept); got != 1 {
		t.Fatalf("%d pieces are kept beside a large one", got)
	}
}

// crowds are followers of one channel, and leaders with its events.
type crowds struct {
	*edge

	generation uint64
	// stored is how many events each partition has, their positions from 1 on.
	stored []uint64
	// asked are the wants that leaders have not answered.
	asked     []sentFrame
	followers []*member
}

// member is a follower of a crowd; at is what it must get next, less one.
type member struct {
	follower *follower
	page     *page
	at       []uint64
}

func (c *crowds) collect() {
	for _, s := range c.links.take() {
		if f := readFrame(s.data); f.kind == frameFollow {
			c.asked = append(c.asked, s)
		}
	}
}

// answer has a leader answer a want as duty does, with what it has.
func (c *crowds) answer(s sentFrame) bool {
	f := readFrame(s.data)
	p := f.group - 1
	w := readWant(&f, "n1")
	var positions []uint64
	for at := w.After + 1; at <= c.stored[p] && len(positions) < int(w.Events); at++ {
		positions = append(positions, at)
	}
	if len(positions) == 0 {
		return false
	}
	events := piece(positions...)
	for i := range events.Events {
		events.Events[i].ID.Partition = uint16(p)
	}
	c.push(frameEvents, p, f.generation, w.Follower, func(b []byte) []byte { return appendPiece(b, w.After, events) })
	return true
}

// check wants each follower to have got the events of each partition in their order,
// each once.
func (c *crowds) check(t *rapid.T) {
	for i, m := range c.followers {
		for _, line := range m.page.got {
			var position uint64
			var p int
			if n, _ := fmt.Sscanf(line, "event %d of partition %d,", &position, &p); n == 2 {
				if position != m.at[p]+1 {
					t.Fatalf("follower %d got %d of partition %d after %d", i, position, p, m.at[p])
				}
				m.at[p] = position
			}
		}
		m.page.got = nil
	}
}

// TestFollowersGetEverythingOnce: whoever comes, goes, has no room or follows from
// behind, through leaders that change, answers that are lost or come twice and links
// that take nothing: each follower gets each event of a partition once, in order, and all
// of them when things calm down. What is kept stays bounded.
func TestFollowersGetEverythingOnce(t *testing.T) { //nolint:revive // A line for each of what may happen.
	const partitions = 2
	rapid.Check(t, func(t *rapid.T) {
		c := &crowds{edge: newEdge(partitions), stored: make([]uint64, partitions), generation: 1}
		for p := range uint32(partitions) {
			c.lead("n2", p, 1)
		}
		join := func(t *rapid.T) {
			m := &member{at: make([]uint64, partitions)}
			for p := range m.at {
				m.at[p] = rapid.Uint64Range(0, c.stored[p]).Draw(t, "from")
			}
			window := rapid.SampledFrom([]uint32{1, 3, duty.MaxFollowEvents}).Draw(t, "window")
			start := FollowSpec{Start: FollowCursor, Cursor: c.cursor(m.at...), Window: window}
			m.page = &page{edge: c.edge, room: rapid.IntRange(0, 5).Draw(t, "room")}
			start.Channel, start.Tenant = "mail", "t"
			m.follower = c.Follow(start, m.page).(*follower)
			c.followers = append(c.followers, m)
		}
		t.Repeat(map[string]func(*rapid.T){
			"join":    join,
			"publish": func(t *rapid.T) { c.stored[rapid.IntRange(0, partitions-1).Draw(t, "partition")] += 1 },
			"leave": func(t *rapid.T) {
				if len(c.followers) > 0 {
					i := rapid.IntRange(0, len(c.followers)-1).Draw(t, "who")
					c.followers[i].follower.Close(nil, 0)
					c.followers = slices.Delete(c.followers, i, i+1)
				}
			},
			"room": func(t *rapid.T) {
				if len(c.followers) > 0 {
					m := c.followers[rapid.IntRange(0, len(c.followers)-1).Draw(t, "who")]
					m.page.room += rapid.IntRange(1, 9).Draw(t, "more")
					m.follower.Resume()
				}
			},
			"answer": func(t *rapid.T) {
				if len(c.asked) > 0 {
					i := rapid.IntRange(0, len(c.asked)-1).Draw(t, "which")
					if c.answer(c.asked[i]) && rapid.Bool().Draw(t, "once") {
						c.asked = slices.Delete(c.asked, i, i+1)
					}
				}
			},
			"lead": func(t *rapid.T) {
				c.generation++
				c.asked = nil
				for p := range uint32(partitions) {
					c.lead("n2", p, c.generation)
				}
			},
			"link": func(*rapid.T) {
				c.asked = nil // On its way when the link was lost.
				c.LinkUp("n2")
			},
			"mute": func(t *rapid.T) {
				if c.links.fails = nil; rapid.Bool().Draw(t, "mute") {
					c.links.fails = transport.ErrLinkFull
				}
			},
			"": func(t *rapid.T) {
				c.collect()
				c.check(t)
			},
		})
		c.links.fails = nil
		for range 1000 {
			for _, m := range c.followers {
				m.page.room = 1000
				m.follower.Resume()
			}
			c.sweepWants()
			c.collect()
			asked := c.asked
			c.asked = nil
			for _, s := range asked {
				if !c.answer(s) {
					c.asked = append(c.asked, s)
				}
			}
			c.collect()
			c.check(t)
			if c.allHave() {
				break
			}
		}
		if !c.allHave() {
			t.Fatalf("stored are %v, and a follower lacks something of it", c.stored)
		}
		for _, m := range c.followers {
			m.follower.Close(nil, 0)
		}
		if left := len(c.wants.mu.byID); left != 0 || len(c.wants.mu.kept) > MaxKeptPieces {
			t.Fatalf("%d wants of nobody, %d pieces kept", left, len(c.wants.mu.kept))
		}
	})
}

func (c *crowds) allHave() bool {
	return !slices.ContainsFunc(c.followers, func(m *member) bool { return !slices.Equal(m.at, c.stored) })
}
