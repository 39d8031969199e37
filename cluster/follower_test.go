package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// page is a FollowSink that writes down what it is given, as far as it has room.
type page struct {
	edge *edge
	got  []string
	room int
}

// Began implements FollowSink.
func (p *page) Began(result *command.Result, cursor []byte) {
	p.add("began, %v%s at %v", result.Reason, map[bool]string{true: ": " + result.Message}[result.Message != ""], p.edge.positions(cursor))
}

// Room implements FollowSink.
func (p *page) Room() bool { return p.room > 0 }

// Event implements FollowSink.
func (p *page) Event(e *FollowedEvent, cursor []byte) {
	p.room--
	p.add("event %d of partition %d, at %v", e.ID.Position, e.ID.Partition, p.edge.positions(cursor))
}

// Trimmed implements FollowSink.
func (p *page) Trimmed() { p.add("trimmed") }

func (p *page) add(format string, args ...any) { p.got = append(p.got, fmt.Sprintf(format, args...)) }

func (p *page) hears(tb tester, want ...string) {
	tb.Helper()
	got := p.got
	p.got = nil
	if !slices.Equal(got, want) {
		tb.Fatalf("the follower got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// follow follows the channel mail of the tenant t.
func (e *edge) follow(spec FollowSpec) (*follower, *page) {
	p := &page{edge: e, room: 1000}
	spec.Channel, spec.Tenant, spec.Window = "mail", "t", max(spec.Window, 1)
	return e.Follow(spec, p).(*follower), p
}

// cursor is where a follower of mail is in each partition, positions the reverse.
func (e *edge) cursor(positions ...uint64) []byte {
	return appendCursor(nil, e.Epoch(0), "mail", positions)
}

func (e *edge) positions(cursor []byte) []uint64 {
	positions, _ := parseCursor(cursor, e.Epoch(0), "mail", e.Partitions())
	return positions
}

// pieces has the leader of a partition answer a want with events.
func (e *edge) pieces(from leader, follower *follower, after uint64, positions ...uint64) {
	p := piece(positions...)
	p.Trimmed = from.trimmed
	for i := range p.Events {
		p.Events[i].ID.Partition = uint16(from.partition)
	}
	e.push(frameEvents, from.partition, from.generation, follower.wantID(from.partition), func(b []byte) []byte { return appendPiece(b, after, p) })
}

// leader is who says something, and up to where it has deleted events.
type leader struct {
	partition           uint32
	generation, trimmed uint64
}

// answers has the leader of a partition answer its ask of a number.
func (e *edge) answers(partition uint32, generation, seq uint64, body []byte) {
	b := command.AppendUint(appendFrame(nil, frameAnswer, partition+1, generation), seq)
	e.Receive("n2", append(append(b, byte(statusDone)), body...))
}

func began(position, trimmed uint64) []byte { return uints(position, trimmed)(nil) }

func named(position uint64) []byte {
	return command.AppendResult(nil, &command.Result{Offset: position})
}

// TestFollowerFollowsLeaders: what is wanted is said to each new leader from where
// the follower is, and what comes twice, or of a former leader, is not given again.
func TestFollowerFollowsLeaders(t *testing.T) {
	e := newEdge(2)
	f, p := e.follow(FollowSpec{Start: FollowCursor, Cursor: e.cursor(3, 8), Window: 5})
	p.hears(t, "began, done at [3 8]")
	e.hears(t)
	e.lead("n2", 0, 1)
	e.hears(t, "n2: follow, partition 0 of 1, after 3 told 0 events 5")
	e.pieces(leader{0, 1, 0}, f, 3, 5, 6)
	p.hears(t, "event 5 of partition 0, at [5 8]", "event 6 of partition 0, at [6 8]")
	e.hears(t, "n2: follow, partition 0 of 1, after 6 told 0 events 5")
	e.pieces(leader{0, 1, 0}, f, 3, 5, 6) // On its way when the link was lost, say.
	p.hears(t)
	e.lead("n3", 1, 1)
	e.lead("n3", 0, 2)
	e.hears(t, "n3: follow, partition 1 of 1, after 8 told 0 events 5", "n3: follow, partition 0 of 2, after 6 told 0 events 5")
	e.pieces(leader{0, 1, 0}, f, 6, 7)
	p.hears(t)
	e.LinkUp("n3")
	e.hears(t, "n3: follow, partition 0 of 2, after 6 told 0 events 5", "n3: follow, partition 1 of 1, after 8 told 0 events 5")
	e.pieces(leader{1, 1, 0}, f, 8, 9)
	e.pieces(leader{0, 2, 0}, f, 6, 7)
	e.pieces(leader{0, 2, 0}, f, 6, 7)
	p.hears(t, "event 9 of partition 1, at [6 9]", "event 7 of partition 0, at [7 9]")
	e.hears(t, "n3: follow, partition 1 of 1, after 9 told 0 events 5", "n3: follow, partition 0 of 2, after 7 told 0 events 5")
	f.Close(nil, 0)
	e.hears(t, "n3: unfollow, partition 0 of 2", "n3: unfollow, partition 1 of 1")
	e.pieces(leader{0, 2, 0}, f, 7, 8)
	e.lead("n2", 0, 3)
	p.hears(t)
	e.hears(t)
}

// TestFollowerWaitsForRoom: without room a piece of each partition waits, and no more
// is wanted of it, by a new leader neither; with room all go on, in turns.
func TestFollowerWaitsForRoom(t *testing.T) {
	e := newEdge(2)
	f, p := e.follow(FollowSpec{Start: FollowCursor, Cursor: e.cursor(0, 0), Window: 5})
	e.lead("n2", 0, 1)
	e.lead("n2", 1, 1)
	p.room = 1
	e.links.take()
	e.pieces(leader{0, 1, 0}, f, 0, 1, 2, 3)
	e.pieces(leader{1, 1, 0}, f, 0, 1, 2)
	e.lead("n3", 0, 2)
	e.hears(t)
	p.hears(t, "began, done at [0 0]", "event 1 of partition 0, at [1 0]")
	p.room = 3
	f.Resume()
	p.hears(t, "event 1 of partition 1, at [1 1]", "event 2 of partition 0, at [2 1]", "event 2 of partition 1, at [2 2]")
	e.hears(t, "n2: follow, partition 1 of 1, after 2 told 0 events 5")
	p.room = 9
	f.Resume()
	p.hears(t, "event 3 of partition 0, at [3 2]")
	e.hears(t, "n3: follow, partition 0 of 2, after 3 told 0 events 5")
}

// TestFollowerBegins: each way to begin asks the partitions for what it needs, and
// the socket is told when all have answered.
func TestFollowerBegins(t *testing.T) {
	for name, c := range map[string]struct {
		spec FollowSpec
		// looks and names is what each partition is asked.
		looks, names bool
	}{
		"new":             {FollowSpec{}, true, false},
		"earliest":        {FollowSpec{Start: FollowEarliest}, true, false},
		"time":            {FollowSpec{Start: FollowTime, TimeMS: 7}, true, false},
		"named, new":      {FollowSpec{Name: "audit"}, false, true},
		"named, earliest": {FollowSpec{Start: FollowEarliest, Name: "audit"}, true, true},
		"named, time":     {FollowSpec{Start: FollowTime, Name: "audit"}, true, true},
		"named, cursor":   {FollowSpec{Start: FollowCursor, Name: "audit"}, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEdge(2)
			e.lead("n2", 0, 1)
			e.lead("n2", 1, 1)
			if c.spec.Start == FollowCursor {
				c.spec.Cursor = e.cursor(4, 5)
			}
			f, p := e.follow(c.spec)
			seq := uint64(0)
			for _, step := range []struct {
				is   bool
				body func(uint64) []byte
			}{{c.looks, func(position uint64) []byte { return began(position, 1) }}, {c.names, named}} {
				if !step.is {
					continue
				}
				p.hears(t)
				if asked := len(e.links.take()); asked != 2 {
					t.Fatalf("%d asks", asked)
				}
				e.answers(1, 1, seq, step.body(5))
				e.Receive("n2", f.frameOf(1)) // Nothing is wanted yet: this is nobody's.
				e.answers(0, 1, seq, step.body(4))
				e.answers(0, 1, seq, step.body(9))
				seq++
			}
			p.hears(t, "began, done at [4 5]")
			told := map[bool]uint64{true: 1}[c.looks]
			e.hears(t, fmt.Sprintf("n2: follow, partition 0 of 1, after 4 told %d events 1", told),
				fmt.Sprintf("n2: follow, partition 1 of 1, after 5 told %d events 1", told))
		})
	}
}

// wantID is the id of what the follower wanted last of a partition, 0 for nothing.
func (f *follower) wantID(partition uint32) uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	if int(partition) < len(f.mu.feeds) && f.mu.feeds[partition].want != nil {
		return f.mu.feeds[partition].want.id
	}
	return 0
}

// frameOf is a piece that the follower did not want.
func (f *follower) frameOf(partition uint32) []byte {
	b := command.AppendUint(appendFrame(nil, frameEvents, partition+1, 1), f.wantID(partition))
	return appendPiece(b, 0, piece(1))
}

// TestFollowerIsRefused: by a bad cursor at once, by what a partition says, or where
// none answers; once, and nothing follows.
func TestFollowerIsRefused(t *testing.T) {
	e := newEdge(2)
	_, p := e.follow(FollowSpec{Start: FollowCursor, Cursor: []byte("nonsense")})
	p.hears(t, "began, bad_request: "+ErrBadFollowCursor.Error()+" at []")
	_, p = e.follow(FollowSpec{Start: FollowCursor, Cursor: appendCursor(nil, "other", "mail", []uint64{1, 2})})
	p.hears(t, "began, bad_request: "+ErrStrangeCursor.Error()+" at []")

	e.lead("n2", 0, 1)
	e.lead("n2", 1, 1)
	_, p = e.follow(FollowSpec{Name: "audit"})
	refusal := command.AppendResult(nil, &command.Result{Reason: command.BadRequest, Message: "too many"})
	e.answers(1, 1, 0, refusal)
	e.answers(0, 1, 0, refusal)
	p.hears(t, "began, bad_request: too many at []")

	_, p = e.follow(FollowSpec{})
	e.eachLane(func(l *lane) { l.tick(time.Now().Add(2 * AnswerTimeout)) })
	p.hears(t, "began, no_leader: not every partition has said where to begin: follow again at []")
	if followers := e.allFollowers(); len(followers) != 0 {
		t.Fatalf("%d followers are left", len(followers))
	}
}

// TestNamedFollowerCommits: the window is counted from the last commit; a commit goes
// to the partitions that it moves, again to a new leader, and with an answer waited
// for when the follower ends.
func TestNamedFollowerCommits(t *testing.T) {
	e := newEdge(2)
	e.lead("n2", 0, 1)
	e.lead("n2", 1, 1)
	f, p := e.follow(FollowSpec{Name: "audit", Window: 3})
	e.answers(0, 1, 0, named(10))
	e.answers(1, 1, 0, named(20))
	e.links.take()
	e.pieces(leader{0, 1, 0}, f, 10, 11, 12)
	e.pieces(leader{1, 1, 0}, f, 20, 21, 22)
	p.hears(t, "began, done at [10 20]", "event 11 of partition 0, at [11 20]", "event 12 of partition 0, at [12 20]",
		"event 21 of partition 1, at [12 21]")
	e.hears(t, "n2: follow, partition 0 of 1, after 12 told 0 events 3")
	check(t, f.Commit(e.cursor(11, 20)))
	e.hears(t, "n2: lazy, partition 0 of 1", "n2: follow, partition 1 of 1, after 22 told 0 events 3")
	p.hears(t, "event 22 of partition 1, at [12 22]")
	check(t, f.Commit(e.cursor(11, 19))) // Nothing goes back.
	e.hears(t)
	e.lead("n3", 0, 2)
	e.hears(t, "n3: follow, partition 0 of 2, after 12 told 0 events 3", "n3: lazy, partition 0 of 2")
	e.lead("n3", 1, 2) // Of which nothing was committed.
	e.hears(t, "n3: follow, partition 1 of 2, after 22 told 0 events 3")
	if err := f.Commit([]byte("nonsense")); err == nil {
		t.Fatal("nonsense is committed")
	}
	got := &answers{}
	f.Close(got, 7)
	got.are(t)
	sent := e.links.take()
	kinds := make([]frameKind, 0, len(sent))
	for _, s := range sent {
		kinds = append(kinds, readFrame(s.data).kind)
	}
	if !slices.Equal(kinds, []frameKind{frameUnfollow, frameAsk, frameUnfollow}) {
		t.Fatalf("the end is said as %v", kinds)
	}
	e.answers(0, 2, 1, command.AppendResult(nil, &command.Result{}))
	got.are(t, "7 done")
	f.Close(got, 8)
	got.are(t, "8 done")
}

// TestFollowerHearsOfAGapOnce: what is deleted is said once, before what is kept.
func TestFollowerHearsOfAGapOnce(t *testing.T) {
	e := newEdge(1)
	f, p := e.follow(FollowSpec{Start: FollowCursor, Cursor: e.cursor(3), Window: 5})
	e.lead("n2", 0, 1)
	e.pieces(leader{0, 1, 9}, f, 3)
	p.hears(t, "began, done at [3]", "trimmed")
	e.hears(t, "n2: follow, partition 0 of 1, after 3 told 0 events 5", "n2: follow, partition 0 of 1, after 3 told 9 events 5")
	e.pieces(leader{0, 1, 9}, f, 3, 8, 10)
	e.pieces(leader{0, 1, 20}, f, 10, 21)
	p.hears(t, "event 8 of partition 0, at [8]", "event 10 of partition 0, at [10]", "trimmed", "event 21 of partition 0, at [21]")
}

// TestFollowerSaysAgain what a full link did not take.
func TestFollowerSaysAgain(t *testing.T) {
	e := newEdge(1)
	_, _ = e.follow(FollowSpec{Start: FollowCursor, Cursor: e.cursor(3), Window: 5})
	e.links.fails = transport.ErrLinkDown
	e.lead("n2", 0, 1)
	e.links.fails = nil
	e.sweepWants()
	e.sweepWants()
	e.hears(t, "n2: follow, partition 0 of 1, after 3 told 0 events 5")
}
