package cluster

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/batonmq/baton/cluster/tokens"
	"github.com/batonmq/baton/fsm/command"
)

// wantAgain is after how long a want that was not answered is said again: it, or its
// answer, may have been lost.
const wantAgain = 5 * time.Second

// reader brings one socket a token stream, through leader changes. It asks the
// partition's leader for what follows what it has, and again when that is handed on.
// A socket that has no room drops the piece, and asks for it anew later: so slow
// readers cost no memory.
type reader struct {
	id      uint64
	spec    TokenSpec
	sink    TokenSink
	cluster *Cluster

	// delivering keeps calls of the sink in order.
	delivering sync.Mutex

	mu struct {
		sync.Mutex

		generation uint64
		// checked means that the stream may be read, begun that the socket was told so;
		// settled that its event had come to its end before.
		checked, begun, settled, closed bool
		fence                           uint64
		attempt                         uint32
		next                            uint64
		done                            bool
		// turn counts what was asked: an answer to a former want is none.
		turn            uint64
		wanting, parked bool
		asked, began    time.Time
	}
}

// ReadTokens begins to bring a socket a token stream.
func (c *Cluster) ReadTokens(spec TokenSpec, sink TokenSink) TokenReader {
	r := &reader{id: c.nextID.Add(1), spec: spec, sink: sink, cluster: c}
	r.mu.attempt, r.mu.next, r.mu.began = spec.Attempt, spec.Offset, time.Now()
	r.mu.checked, r.mu.begun = spec.Announced, spec.Announced
	c.tokens.addReader(r)
	if !spec.Announced {
		r.check()
		return r
	}
	r.want(true)
	return r
}

// Resume implements TokenReader.
func (r *reader) Resume() {
	r.delivering.Lock()
	defer r.delivering.Unlock()
	r.mu.Lock()
	parked := r.mu.parked
	r.mu.parked = false
	r.mu.Unlock()
	if parked {
		r.want(true)
	}
}

// Close implements TokenReader.
func (r *reader) Close() {
	r.cluster.tokens.removeReader(r.id)
	r.mu.Lock()
	r.mu.closed = true
	generation := r.mu.generation
	r.mu.Unlock()
	if generation != 0 {
		r.cluster.tellUnread(r.partition()+1, generation, r.id)
	}
}

// readable is what check looks at.
type readable struct {
	ClientID string `json:"client_id"`
	State    string `json:"state"`
}

// settled tells whether an event in that state will never be worked on again, but for
// a redrive.
func (e *readable) settled() bool {
	switch e.State {
	case "waiting", "delayed", "leased", "parked":
		return false
	default:
		return true
	}
}

func (r *reader) partition() uint32 { return uint32(r.spec.ID.Event.Partition) }

// check asks whose the event is.
func (r *reader) check() {
	body := command.AppendEventID(command.AppendString(nil, r.spec.Tenant), r.spec.ID.Event)
	if l := r.cluster.laneOf(r.partition()); l == nil || !l.ask(opEvent, 0, body, r) {
		r.unchecked()
	}
}

const noStream = "there is no such stream, or it is not kept any more"

// answered implements asker.
func (r *reader) answered(how status, body *command.Reader) {
	var event *readable
	if how != statusDone || json.Unmarshal(body.Rest(), &event) != nil {
		r.unchecked()
		return
	}
	if event == nil || r.spec.ClientID != "" && event.ClientID != r.spec.ClientID {
		r.refuse(command.NotFound, noStream)
		return
	}
	r.mu.Lock()
	r.mu.checked, r.mu.settled = true, event.settled()
	begins := !r.mu.settled
	r.mu.Unlock()
	r.delivering.Lock()
	if begins {
		r.begin()
	}
	r.delivering.Unlock()
	r.want(true)
}

// unchecked goes on with a stream that was read before, and refuses one that was not.
func (r *reader) unchecked() {
	r.mu.Lock()
	begun := r.mu.begun
	r.mu.Unlock()
	if begun {
		r.want(true)
		return
	}
	r.refuse(command.NoLeader, "")
}

// begin tells the socket that it reads; delivering is held.
func (r *reader) begin() {
	r.mu.Lock()
	first := !r.mu.begun && !r.mu.closed
	r.mu.begun = true
	r.mu.Unlock()
	if first {
		r.sink.Began(&command.Result{})
	}
}

// refuse ends a reader: its socket is told why where it was not told that it reads.
func (r *reader) refuse(reason command.Reason, message string) {
	r.cluster.tokens.removeReader(r.id)
	r.mu.Lock()
	closed, begun := r.mu.closed, r.mu.begun
	r.mu.closed = true
	r.mu.Unlock()
	switch {
	case closed:
	case begun:
		r.sink.Gone()
	default:
		r.sink.Began(&command.Result{Reason: reason, Message: message})
	}
}

// want asks for what follows.
//
//nolint:revive // The flag says that it may have been asked before.
func (r *reader) want(anew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.cluster.laneOf(r.partition())
	if l == nil || r.mu.closed || !r.mu.checked || r.mu.parked || r.mu.wanting && !anew {
		return
	}
	_, generation, _ := l.current()
	r.mu.generation, r.mu.wanting, r.mu.asked = generation, true, time.Now()
	r.mu.turn++
	w := tokens.Want{
		Reader: r.id, Turn: r.mu.turn, ID: r.spec.ID, Fence: r.mu.fence, Attempt: r.mu.attempt, Offset: r.mu.next,
		Done: r.mu.done, Settled: r.mu.settled,
	}
	// What could not be asked is asked by the sweep.
	_ = r.cluster.tellChunk(l.group, generation, appendTokenWant(appendFrame(nil, frameRead, l.group, generation), &w))
}

// receive takes the piece that was wanted. What does not follow what the socket has
// makes that void.
func (r *reader) receive(f *frame) {
	p := readTokenPiece(f)
	if f.Err() != nil {
		return
	}
	r.delivering.Lock()
	defer r.delivering.Unlock()
	r.mu.Lock()
	stale := r.mu.closed || !r.mu.wanting || f.generation != r.mu.generation || p.Turn != r.mu.turn
	if !stale {
		r.mu.parked, r.mu.wanting, r.mu.settled = !p.Gone, false, false
	}
	r.mu.Unlock()
	switch {
	case stale:
		return
	case p.Gone:
		r.refuse(command.NotFound, noStream)
		return
	}
	r.begin()
	if !r.sink.Room() { // Parked before it looks: see Resume.
		return
	}
	r.hand(&p)
	r.want(false)
}

// hand gives a piece to the socket; delivering is held.
func (r *reader) hand(p *tokens.Piece) {
	r.mu.Lock()
	reset := r.mu.fence != 0 && r.mu.fence != p.Fence || r.mu.attempt != 0 && r.mu.attempt != p.Attempt ||
		p.Offset != r.mu.next
	r.mu.parked, r.mu.fence, r.mu.attempt = false, p.Fence, p.Attempt
	r.mu.next, r.mu.done = p.Offset+uint64(len(p.Data)), p.Final
	r.mu.Unlock()
	if reset {
		r.sink.Reset(p.Attempt)
	}
	if len(p.Data) > 0 || p.Final {
		r.sink.Chunk(&TokenChunk{
			CorrelationID: p.CorrelationID, Attempt: p.Attempt, Offset: p.Offset, Kind: p.Kind, Final: p.Final, Data: p.Data,
		})
	}
}

// sweep asks again where an answer may have been lost, and gives up a read that
// nobody answered.
func (r *reader) sweep(now time.Time) {
	r.mu.Lock()
	late := r.mu.wanting && now.Sub(r.mu.asked) >= wantAgain
	over := !r.mu.begun && now.Sub(r.mu.began) > AnswerTimeout
	r.mu.Unlock()
	if over {
		r.refuse(command.NoLeader, "")
	} else if late {
		r.want(true)
	}
}

// register asks a partition's new leader, or the same one whose connection was lost.
// The event may have come to its end meanwhile, and the stream be lost with its leader.
func (r *reader) register(partition uint32) {
	if partition == r.partition() {
		r.check()
	}
}
