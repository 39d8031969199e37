package tokens

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// table is a board with everything around it in a test's hands.
type table struct {
	*Board

	t         *testing.T
	now       time.Time
	held      map[command.LeaseID]bool
	down      bool
	pieces    []Piece
	took      []string
	announced []ID
}

func newTable(t *testing.T) *table {
	t.Helper()
	b := &table{t: t, now: time.Unix(1000, 0), held: make(map[command.LeaseID]bool)}
	b.Board = New(Config{
		Pusher: b, Now: func() time.Time { return b.now },
		Holds: func(id command.LeaseID) bool { return b.held[id] },
		Owner: func(command.EventID) (fsm.Owner, bool) {
			return fsm.Owner{Tenant: "t", ClientID: "ana", CorrelationID: "c"}, true
		},
	})
	b.Lead()
	return b
}

var errDown = errors.New("down")

func (b *table) PushPiece(_ string, p *Piece) error {
	if b.down {
		return errDown
	}
	b.pieces = append(b.pieces, Piece{
		Reader: p.Reader, Turn: p.Turn, Fence: p.Fence, Attempt: p.Attempt, Offset: p.Offset, Kind: p.Kind,
		Final: p.Final, Gone: p.Gone, CorrelationID: p.CorrelationID, Data: append([]byte(nil), p.Data...),
	})
	return nil
}

func (b *table) PushTook(_ string, _ uint64, status Status, end uint64) error {
	b.took = append(b.took, fmt.Sprint(status, " ", end))
	return nil
}

func (b *table) Announce(_ fsm.Owner, id ID) { b.announced = append(b.announced, id) }

func event(position uint64) command.EventID {
	return command.EventID{Epoch: 1, Partition: 2, Queue: 3, Position: position}
}

// grant makes a lease of an event, in force.
func (b *table) grant(position uint64, group, attempt uint32, fence uint64) command.LeaseID {
	l := command.LeaseID{Event: event(position), Group: group, Attempt: attempt, Fence: fence}
	b.held[l] = true
	b.Granted(l)
	return l
}

func (b *table) write(l command.LeaseID, offset uint64, text string) {
	b.Write(&Write{Node: "w", Source: 1, Lease: l, Kind: Text, Offset: offset, Data: []byte(text)})
}

// tookOne is the answer to the last write.
func (b *table) tookOne(want string) {
	b.t.Helper()
	if len(b.took) != 1 || b.took[0] != want {
		b.t.Fatalf("took %q, not %q", b.took, want)
	}
	b.took = nil
}

// piece is the only answer that readers got.
func (b *table) piece() Piece {
	b.t.Helper()
	if len(b.pieces) != 1 {
		b.t.Fatalf("%d pieces", len(b.pieces))
	}
	p := b.pieces[0]
	b.pieces = nil
	return p
}

func (b *table) quiet() {
	b.t.Helper()
	if len(b.pieces) > 0 {
		b.t.Fatalf("pieces: %+v", b.pieces)
	}
}

func (b *table) want(offset, fence uint64) {
	b.Want(&Want{Node: "r", Reader: 7, Turn: 3, ID: ID{Event: event(1)}, Fence: fence, Offset: offset})
}

// TestOthersDoNotWrite: a lease is good for writers of the job's tenant, and for those
// who work for all; what another sends is lost, begun or not.
func TestOthersDoNotWrite(t *testing.T) {
	b := newTable(t)
	l := b.grant(1, 1, 1, 10)
	write := func(tenant, text, took string) {
		t.Helper()
		b.Write(&Write{Node: "w", Source: 1, Lease: l, Tenant: tenant, Kind: Text, Data: []byte(text)})
		b.tookOne(took)
	}
	write("other", "no", "2 0")
	write("t", "yes", "1 3")
	write("other", "never", "2 0")
	write("", "yes, all", "1 8")
	b.want(0, 0)
	if p := b.piece(); string(p.Data) != "yes, all" {
		t.Fatalf("%+v", p)
	}
}

// TestReaderFollowsAWriter: a reader that came first is answered with each write, once
// for each want, and told of its turn.
func TestReaderFollowsAWriter(t *testing.T) {
	b := newTable(t)
	b.want(0, 0)
	l := b.grant(1, 1, 1, 10)
	b.write(l, 0, "Hel")
	b.tookOne("1 3")
	if p := b.piece(); string(p.Data) != "Hel" || p.Turn != 3 || p.Reader != 7 || p.Fence != 10 || p.Attempt != 1 || p.CorrelationID != "c" || p.Final {
		t.Fatalf("%+v", p)
	}
	b.write(l, 3, "lo")
	b.quiet() // Nobody wants more.
	b.want(3, 10)
	if p := b.piece(); string(p.Data) != "lo" || p.Offset != 3 {
		t.Fatalf("%+v", p)
	}
	b.took = nil
	b.want(5, 10)
	b.Write(&Write{Node: "w", Lease: l, Kind: Text, Offset: 5, Final: true})
	b.tookOne("1 5")
	if p := b.piece(); !p.Final || len(p.Data) > 0 || p.Offset != 5 {
		t.Fatalf("%+v", p)
	}
}

// TestWhatCameBeforeIsPassedOver: a worker that says something again changes nothing,
// and a hole is waited for unless nobody has what lies in it.
func TestWhatCameBeforeIsPassedOver(t *testing.T) {
	b := newTable(t)
	l := b.grant(1, 1, 1, 10)
	for _, step := range []struct {
		offset, base uint64
		text, took   string
	}{
		{0, 0, "Hello", "1 5"},
		{0, 0, "Hel", "1 5"},
		{3, 0, "lo wor", "1 9"},
		{20, 0, "x", "1 9"},   // A hole: what is behind the 9th byte is asked for.
		{20, 20, "y", "1 21"}, // It is lost: the ring begins anew.
	} {
		b.Write(&Write{Lease: l, Kind: Text, Offset: step.offset, Base: step.base, Data: []byte(step.text)})
		b.tookOne(step.took)
	}
	b.want(9, 10)
	if p := b.piece(); p.Offset != 20 || string(p.Data) != "y" {
		t.Fatalf("%+v", p)
	}
}

// TestFence: whoever lost the lease writes nothing any more; another attempt clears
// what there was at once, before it has written anything.
func TestFence(t *testing.T) {
	b := newTable(t)
	first := b.grant(1, 1, 1, 10)
	b.write(first, 0, "old")
	b.want(3, 10)
	b.held[first] = false
	b.Ended(first, true)
	b.took = nil
	b.write(first, 3, "er")
	b.tookOne("2 0")
	b.quiet()
	second := b.grant(1, 1, 2, 11)
	b.Tick(b.now)
	if p := b.piece(); p.Attempt != 2 || p.Offset != 0 || len(p.Data) > 0 {
		t.Fatalf("%+v", p)
	}
	b.write(first, 0, "old")
	b.tookOne("2 0")
	b.write(second, 0, "new")
	b.tookOne("1 3")
	b.want(0, 11)
	if p := b.piece(); string(p.Data) != "new" {
		t.Fatalf("%+v", p)
	}
	other := b.grant(1, 2, 1, 12) // Of another group, while the first still works.
	b.write(other, 0, "theirs")
	b.tookOne("4 0")
}

// TestLateChunks: what a worker wrote before it completed is taken, though the
// completion came first.
func TestLateChunks(t *testing.T) {
	b := newTable(t)
	l := b.grant(1, 1, 1, 10)
	b.write(l, 0, "a")
	b.held[l] = false
	b.Ended(l, false)
	b.took = nil
	b.write(l, 1, "b")
	b.tookOne("1 2")
	unknown := command.LeaseID{Event: event(2), Group: 1, Attempt: 1, Fence: 9}
	b.write(unknown, 0, "b")
	b.tookOne("2 0")
}

// TestResume: what a returning reader gets that says how much it has.
func TestResume(t *testing.T) {
	for _, c := range []struct {
		name  string
		want  Want
		offer string // "offset text", or "" for nothing
	}{
		{"nothing", Want{}, "0 Hello"},
		{"some", Want{Offset: 2}, "2 llo"},
		{"some of this attempt", Want{Offset: 2, Attempt: 2}, "2 llo"},
		{"some of another attempt", Want{Offset: 2, Attempt: 1}, "0 Hello"},
		{"more than there is", Want{Offset: 9}, "0 Hello"},
		{"more than there is yet", Want{Offset: 9, Attempt: 2}, ""},
		{"all", Want{Offset: 5, Attempt: 2}, ""},
		{"all, of another grant", Want{Offset: 5, Attempt: 2, Fence: 3}, "0 Hello"},
		{"all, of a settled event", Want{Offset: 5, Attempt: 2, Settled: true}, "5 "},
	} {
		b := newTable(t)
		b.write(b.grant(1, 1, 2, 10), 0, "Hello")
		w := c.want
		w.Node, w.ID = "r", ID{Event: event(1)}
		b.Want(&w)
		got := ""
		if len(b.pieces) > 0 {
			got = fmt.Sprint(b.pieces[0].Offset, " ", string(b.pieces[0].Data))
		}
		if got != c.offer {
			t.Errorf("who has %s gets %q, not %q", c.name, got, c.offer)
		}
	}
}

// TestUnreachedReaderWaits: a piece that could not be sent goes with the next one.
func TestUnreachedReaderWaits(t *testing.T) {
	b := newTable(t)
	b.want(0, 0)
	l := b.grant(1, 1, 1, 10)
	b.down = true
	b.write(l, 0, "a")
	b.down = false
	b.write(l, 1, "b")
	if p := b.piece(); string(p.Data) != "ab" {
		t.Fatalf("%+v", p)
	}
	b.want(2, 10)
	b.Forget("r")
	b.write(l, 2, "c")
	b.quiet()
}

// TestStreamsAreForgotten: one whose job goes on stays, one that ended is kept for a
// while, and its readers are told.
func TestStreamsAreForgotten(t *testing.T) {
	b := newTable(t)
	l := b.grant(1, 1, 1, 10)
	b.write(l, 0, "a")
	b.want(1, 10)
	b.now = b.now.Add(10 * KeepTimeout)
	b.Tick(b.now)
	b.quiet()
	b.held[l] = false
	b.Ended(l, false)
	b.Tick(b.now)
	b.now = b.now.Add(KeepTimeout - time.Second)
	b.Tick(b.now)
	b.quiet()
	b.now = b.now.Add(2 * time.Second)
	b.Tick(b.now)
	if p := b.piece(); !p.Gone {
		t.Fatalf("%+v", p)
	}
	if s := b.Stats(); s != (Stats{}) {
		t.Fatalf("%+v is left", s)
	}
	b.Want(&Want{Node: "r", Reader: 7, ID: ID{Event: event(1)}, Settled: true})
	if p := b.piece(); !p.Gone {
		t.Fatalf("%+v", p)
	}
	b.want(0, 0) // It waits for a stream that may come, and is forgotten when it goes.
	if s := b.Stats(); s.Streams != 1 || s.Readers != 1 {
		t.Fatalf("%+v", s)
	}
	b.Unwant("r", 7)
	if s := b.Stats(); s != (Stats{}) {
		t.Fatalf("%+v is left", s)
	}
}

// TestBounds: a ring, the streams and all bytes together stay within their limits;
// what ended makes room, what is written does not.
func TestBounds(t *testing.T) {
	b := newTable(t)
	text := strings.Repeat("x", MaxPieceBytes)
	l := b.grant(1, 1, 1, 10)
	for offset := uint64(0); offset < 2*MaxRingBytes; offset += MaxPieceBytes {
		b.write(l, offset, text)
	}
	if s := b.Stats(); s.Bytes > MaxRingBytes {
		t.Fatalf("%+v", s)
	}
	for i := uint64(2); i <= MaxStreams; i++ {
		b.write(b.grant(i, 1, 1, 10+i), 0, "x")
	}
	b.took = nil
	b.write(b.grant(MaxStreams+1, 1, 1, 90_000), 0, "x")
	b.tookOne("3 0")
	if s := b.Stats(); s.Streams != MaxStreams || s.Refused != 1 {
		t.Fatalf("%+v", s)
	}
	b.held[l] = false
	b.Ended(l, false)
	b.now = b.now.Add(crowdedTime)
	b.write(b.grant(MaxStreams+2, 1, 1, 90_001), 0, "x")
	b.tookOne("1 1")
	if s := b.Stats(); s.Streams != MaxStreams || s.Bytes > MaxRingBytes {
		t.Fatalf("%+v", s)
	}
	for i := uint64(2); i <= MaxStreams; i++ {
		for offset := uint64(1); offset < MaxRingBytes/2; offset += MaxPieceBytes {
			b.write(command.LeaseID{Event: event(i), Group: 1, Attempt: 1, Fence: 10 + i}, offset, text)
		}
	}
	if s := b.Stats(); s.Bytes > MaxBytes || s.Refused < 2 {
		t.Fatalf("%+v", s)
	}
}

// TestAnnouncements: the client's sockets are told at once, then now and then.
func TestAnnouncements(t *testing.T) {
	b := newTable(t)
	l := b.grant(1, 1, 1, 10)
	b.write(l, 0, "a")
	b.write(l, 1, "b")
	b.now = b.now.Add(AnnounceInterval)
	b.write(l, 2, "c")
	if len(b.announced) != 2 || b.announced[0] != (ID{Event: event(1)}) {
		t.Fatalf("announced %v", b.announced)
	}
}

// TestOnlyTheLeaderAnswers: a board that does not lead says nothing.
func TestOnlyTheLeaderAnswers(t *testing.T) {
	b := newTable(t)
	l := b.grant(1, 1, 1, 10)
	b.write(l, 0, "a")
	b.took = nil
	b.Resign()
	b.write(l, 1, "b")
	b.want(0, 0)
	b.quiet()
	if len(b.took) > 0 {
		t.Fatalf("took %v", b.took)
	}
}
