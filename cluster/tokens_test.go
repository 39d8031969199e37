package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

// hearsChunks wants exactly these lines to have been sent for chunks since the last
// look.
func (e *edge) hearsChunks(tb tester, want ...string) {
	tb.Helper()
	var heard []string
	for _, s := range e.links.takeChunks() {
		f := readFrame(s.data)
		line := fmt.Sprintf("%s: generation %d ", s.to, f.generation)
		switch f.kind { //nolint:exhaustive // An edge sends no others.
		case frameWrite:
			w := readWrite(&f, "")
			line += fmt.Sprintf("write %q at %d of %d", w.Data, w.Offset, w.Base)
			if w.Tenant != "acme" {
				line += " for tenant " + w.Tenant
			}
			if w.Final {
				line += " final"
			}
		case frameRead:
			w := readTokenWant(&f, "")
			line += fmt.Sprintf("read from %d, attempt %d, fence %d, turn %d", w.Offset, w.Attempt, w.Fence, w.Turn)
		case frameUnread:
			line += "unread"
		}
		heard = append(heard, line)
	}
	if !slices.Equal(heard, want) {
		tb.Fatalf("heard\n  %s\nwant\n  %s", strings.Join(heard, "\n  "), strings.Join(want, "\n  "))
	}
}

// took has the leader answer a write.
func (e *edge) took(generation uint64, s *source, status tokens.Status, end uint64) {
	b := command.AppendUint(appendFrame(nil, frameTook, 1, generation), s.id)
	e.ReceiveChunk("n2", command.AppendUint(append(b, byte(status)), end))
}

func (e *edge) source() *source { return e.WriteTokens(leaseOf(0, 7), "", "acme").(*source) }

// TestChunksGather: the first chunk goes at once; what follows waits for the interval,
// and for the answer, and goes as one.
func TestChunksGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		s := e.source()
		for i, text := range []string{"a", "b", "c"} {
			s.Write(uint64(i), TokenText, []byte(text), false)
		}
		e.hearsChunks(t, `n2: generation 1 write "a" at 0 of 0`)
		e.took(1, s, tokens.Taken, 1)
		time.Sleep(ChunkInterval - time.Millisecond)
		synctest.Wait()
		e.hearsChunks(t)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		e.hearsChunks(t, `n2: generation 1 write "bc" at 1 of 0`)
		s.Write(3, TokenText, []byte("d"), false)
		time.Sleep(2 * ChunkInterval)
		synctest.Wait()
		e.hearsChunks(t) // The last one is not answered.
		e.took(1, s, tokens.Taken, 3)
		e.hearsChunks(t, `n2: generation 1 write "d" at 3 of 0`)
		e.took(1, s, tokens.Taken, 4)
		s.Close(true)
		e.hearsChunks(t, `n2: generation 1 write "" at 4 of 0 final`)
		e.took(1, s, tokens.Taken, 4)
		if left := len(e.tokens.allSources()); left > 0 {
			t.Errorf("%d sources are left", left)
		}
	})
}

// TestTailIsSaidAgain: a new leader is told what is kept, one that lacks something is
// told that, and what was not answered is sent again.
func TestTailIsSaidAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		s := e.source()
		s.Write(0, TokenText, []byte("hello"), false)
		e.hearsChunks(t) // There is no leader.
		e.lead("n2", 0, 1)
		e.hearsChunks(t, `n2: generation 1 write "hello" at 0 of 0`)
		e.took(1, s, tokens.Taken, 3)
		time.Sleep(ChunkInterval)
		synctest.Wait()
		e.hearsChunks(t, `n2: generation 1 write "lo" at 3 of 0`)
		time.Sleep(sayAgain)
		synctest.Wait()
		e.hearsChunks(t, `n2: generation 1 write "hello" at 0 of 0`)
		e.took(1, s, tokens.Taken, 5)
		e.hearsChunks(t)
		e.lead("n3", 0, 2)
		e.hearsChunks(t, `n3: generation 2 write "hello" at 0 of 0`)
		e.took(1, s, tokens.Taken, 1) // Of the former leader.
		e.took(2, s, tokens.Taken, 9) // Another node has sent more than this one knows.
		e.ChunksUp("n3")
		e.hearsChunks(t, `n3: generation 2 write "hello" at 0 of 0`)
		e.took(2, s, tokens.Lost, 0)
		if s.Write(5, TokenText, []byte("x"), false) {
			t.Error("a chunk of a lost lease is taken")
		}
		if left := len(e.tokens.allSources()); left > 0 {
			t.Errorf("%d sources are left", left)
		}
	})
}

// TestTailIsBounded: a worker that nobody listens to costs no more than the tail, and
// what is lost is said to be.
func TestTailIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(1)
		s := e.source()
		piece := []byte(strings.Repeat("x", 10<<10))
		for i := range 100 {
			s.Write(uint64(i*len(piece)), TokenText, piece, false)
			if len(s.mu.tail) > MaxTailBytes {
				t.Fatalf("%d bytes are kept", len(s.mu.tail))
			}
		}
		e.lead("n2", 0, 1)
		sent := e.links.takeChunks()
		f := readFrame(sent[0].data)
		if w := readWrite(&f, ""); w.Offset != w.Base || w.Base == 0 || len(w.Data) != tokens.MaxPieceBytes {
			t.Errorf("%d bytes at %d of %d", len(w.Data), w.Offset, w.Base)
		}
		s.Close(false)
		time.Sleep(2 * closingTime)
		synctest.Wait()
		if left := len(e.tokens.allSources()); left > 0 {
			t.Errorf("%d sources are left that nobody answers", left)
		}
	})
}

// tape is a TokenSink that writes down what it is given.
type tape struct {
	page

	full bool
}

func (p *tape) Began(result *command.Result) { p.add("began %v", result.Reason) }
func (p *tape) Room() bool                   { return !p.full }
func (p *tape) Reset(attempt uint32)         { p.add("reset %d", attempt) }
func (p *tape) Gone()                        { p.add("gone") }
func (p *tape) Chunk(c *TokenChunk) {
	p.add("%q at %d of attempt %d%s", c.Data, c.Offset, c.Attempt, map[bool]string{true: " final"}[c.Final])
}

// gives has the leader answer a reader.
func (e *edge) gives(r *reader, p tokens.Piece) {
	p.Reader, p.Kind = r.id, TokenText
	e.ReceiveChunk("n2", appendTokenPiece(appendFrame(nil, framePiece, 1, 1), &p))
}

// TestReaderGoesOn: a reader asks from where it is, through leaders and lost
// connections, and takes each piece once.
func TestReaderGoesOn(t *testing.T) {
	e := newEdge(1)
	e.lead("n2", 0, 1)
	p := &tape{}
	r := e.ReadTokens(TokenSpec{ID: TokenID{Event: leaseOf(0, 7).Event}, Announced: true}, p).(*reader)
	e.hearsChunks(t, "n2: generation 1 read from 0, attempt 0, fence 0, turn 1")
	e.gives(r, tokens.Piece{Turn: 1, Fence: 9, Attempt: 1, Data: []byte("he")})
	e.gives(r, tokens.Piece{Turn: 1, Fence: 9, Attempt: 1, Data: []byte("he")}) // It came twice.
	p.hears(t, `"he" at 0 of attempt 1`)
	e.hearsChunks(t, "n2: generation 1 read from 2, attempt 1, fence 9, turn 2")
	p.full = true
	e.gives(r, tokens.Piece{Turn: 2, Fence: 9, Attempt: 1, Offset: 2, Data: []byte("llo")})
	p.hears(t)
	e.hearsChunks(t) // It is asked for when there is room.
	p.full = false
	r.Resume()
	e.hearsChunks(t, "n2: generation 1 read from 2, attempt 1, fence 9, turn 3")
	e.gives(r, tokens.Piece{Turn: 3, Fence: 9, Attempt: 1, Offset: 2, Data: []byte("llo"), Final: true})
	p.hears(t, `"llo" at 2 of attempt 1 final`)
	e.gives(r, tokens.Piece{Turn: 4, Fence: 11, Attempt: 2})
	p.hears(t, "reset 2")
	e.gives(r, tokens.Piece{Turn: 5, Fence: 11, Attempt: 2, Offset: 40, Data: []byte("x")})
	p.hears(t, "reset 2", `"x" at 40 of attempt 2`) // The beginning is lost.
	e.gives(r, tokens.Piece{Turn: 6, Gone: true})
	p.hears(t, "gone")
	e.gives(r, tokens.Piece{Turn: 6, Fence: 11, Attempt: 2, Offset: 41, Data: []byte("y")})
	p.hears(t)
}

// TestReadIsChecked: a read is of the client's own event, or there is none; one whose
// event has come to its end waits for nothing.
func TestReadIsChecked(t *testing.T) {
	for _, c := range []struct{ event, client, want string }{
		{`null`, "ann", "began not_found"},
		{`{"client_id":"bob","state":"leased"}`, "ann", "began not_found"},
		{`{"client_id":"ann","state":"leased"}`, "ann", "began done"},
		{`{"client_id":"bob","state":"waiting"}`, "", "began done"},
		{`{"client_id":"ann","state":"completed"}`, "ann", ""},
	} {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		p := &tape{}
		r := e.ReadTokens(TokenSpec{ClientID: c.client, Attempt: 2, Offset: 5, ID: TokenID{Event: leaseOf(0, 7).Event}}, p).(*reader)
		p.hears(t)
		e.answers(0, 1, 0, []byte(c.event))
		if c.want != "" {
			p.hears(t, c.want)
		}
		if c.want == "began not_found" {
			e.hearsChunks(t)
			continue
		}
		e.hearsChunks(t, "n2: generation 1 read from 5, attempt 2, fence 0, turn 1")
		if c.want == "" {
			e.gives(r, tokens.Piece{Turn: 1, Gone: true})
			p.hears(t, "began not_found")
			continue
		}
		r.Close()
		e.hearsChunks(t, "n2: generation 1 unread")
	}
}

// FuzzReceiveChunk: what a peer sends for chunks, whatever it is, harms nobody.
func FuzzReceiveChunk(f *testing.F) {
	w := tokens.Write{Lease: leaseOf(0, 1), Data: []byte("x")}
	f.Add(appendWrite(appendFrame(nil, frameWrite, 1, 1), &w))
	f.Add(appendTokenPiece(appendFrame(nil, framePiece, 1, 1), &tokens.Piece{Reader: 1, Turn: 1, Data: []byte("x")}))
	f.Add(appendTokenWant(appendFrame(nil, frameRead, 1, 1), &tokens.Want{Reader: 1}))
	f.Fuzz(func(_ *testing.T, data []byte) {
		e := newEdge(1)
		e.lead("n2", 0, 1)
		e.ReadTokens(TokenSpec{ID: TokenID{Event: leaseOf(0, 7).Event}, Announced: true}, &tape{})
		e.ReceiveChunk("n2", data)
	})
}

// TestTokenFrames: what is written is what is read.
func TestTokenFrames(t *testing.T) {
	write := tokens.Write{
		Node: "n", Source: 1, Lease: leaseOf(3, 4), Name: "side", Kind: TokenBinary, Offset: 5, Base: 2, Final: true, Data: []byte("x"),
	}
	f := readFrame(appendWrite(appendFrame(nil, frameWrite, 1, 1), &write))
	if got := readWrite(&f, "n"); fmt.Sprint(got) != fmt.Sprint(write) || f.Err() != nil {
		t.Errorf("%+v", got)
	}
	want := tokens.Want{Node: "n", Reader: 1, Turn: 2, ID: TokenID{Event: leaseOf(3, 4).Event, Name: "side"}, Fence: 3, Attempt: 4, Offset: 5, Done: true}
	f = readFrame(appendTokenWant(appendFrame(nil, frameRead, 1, 1), &want))
	if got := readTokenWant(&f, "n"); got != want || f.Err() != nil {
		t.Errorf("%+v", got)
	}
	piece := tokens.Piece{Reader: 1, Turn: 2, Fence: 3, Attempt: 4, Offset: 5, Kind: TokenText, Final: true, CorrelationID: "c", Data: []byte("x")}
	f = readFrame(appendTokenPiece(appendFrame(nil, framePiece, 1, 1), &piece))
	reader := f.Uint()
	got := readTokenPiece(&f)
	got.Reader = reader
	if fmt.Sprint(got) != fmt.Sprint(piece) || f.Err() != nil {
		t.Errorf("%+v", got)
	}
}

// TestOwnChunksAreBounded: what this node sends itself for chunks is refused beyond a
// bound, and comes in order.
func TestOwnChunksAreBounded(t *testing.T) {
	first, hold, came := make(chan struct{}), make(chan struct{}), make(chan byte, 1000)
	l := newLoop("n1", func(_ transport.NodeID, frame []byte) {
		if frame[0] == 0 {
			close(first)
			<-hold
		}
		came <- frame[0]
	})
	l.limit = 100
	defer l.close()
	_ = l.offer([]byte{0})
	<-first
	sent := byte(1)
	for l.offer(append([]byte{sent}, make([]byte, 9)...)) == nil {
		sent++
	}
	close(hold)
	for want := range sent {
		if got := <-came; got != want {
			t.Fatalf("%d came in the place of %d", got, want)
		}
	}
	if sent != 11 {
		t.Errorf("%d frames of ten bytes were taken", sent-1)
	}
}
