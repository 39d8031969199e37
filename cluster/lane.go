package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport"
)

const (
	// AnswerTimeout is how long a submission is retried behind its caller's back.
	AnswerTimeout = 10 * time.Second
	// rewindDelay is how long a lane waits before it asks a leader again that
	// refused it and is still the leader.
	rewindDelay = 20 * time.Millisecond
	// MaxLaneBytes bounds what one partition's lane holds unanswered.
	MaxLaneBytes = 64 << 20
)

// asker receives the answer of an ask. The body is valid during the call.
type asker interface {
	answered(how status, body *command.Reader)
}

// ask is one unanswered request of a lane.
type ask struct {
	seq      uint64
	op       op
	relend   uint64
	body     []byte
	to       asker
	deadline time.Time
	// sent means that some leader may have seen it, resent that two may have, or
	// one twice.
	sent, resent bool
}

// lane carries this node's requests to one group's leader, in order. What is
// refused or loses its link is sent again, with everything behind it.
type lane struct {
	group uint32
	send  func(to transport.NodeID, frame []byte) error

	mu struct {
		sync.Mutex

		leader     transport.NodeID
		generation uint64
		// up means that requests flow: the leader is known and reachable, and did
		// not refuse the last ones.
		up       bool
		rewindAt time.Time
		asks     []*ask
		first    uint64
		bytes    int
		buffer   []byte
	}
}

// newLane is a lane whose requests are numbered from first on.
func newLane(group uint32, first uint64, send func(transport.NodeID, []byte) error) *lane {
	l := &lane{group: group, send: send}
	l.mu.first = first
	return l
}

// ask sends a request, now or when there is a leader. relend, when not 0, is the
// subscription that lends a credit with it. It returns false, and calls nobody,
// when too much waits already.
func (l *lane) ask(what op, relend uint64, body []byte, to asker) bool {
	a := &ask{op: what, relend: relend, body: append([]byte(nil), body...), to: to, deadline: time.Now().Add(AnswerTimeout)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.bytes+len(body) > MaxLaneBytes {
		return false
	}
	a.seq = l.mu.first + uint64(len(l.mu.asks))
	l.mu.asks = append(l.mu.asks, a)
	l.mu.bytes += len(a.body)
	if l.mu.up {
		l.transmit(a)
	}
	return true
}

// keepCredit takes the credit of a subscription off the requests that still
// carry it: a new registration counts it anew.
func (l *lane) keepCredit(subscription uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range l.mu.asks {
		if a != nil && a.relend == subscription {
			a.relend = 0
		}
	}
}

// transmit sends one request; mu is held.
func (l *lane) transmit(a *ask) {
	b := appendFrame(l.mu.buffer[:0], frameAsk, l.group, l.mu.generation)
	b = command.AppendUint(b, a.seq)
	b = append(b, byte(a.op))
	b = command.AppendUint(b, a.relend)
	b = append(b, a.body...)
	l.mu.buffer = b
	if err := l.send(l.mu.leader, b); err != nil {
		l.mu.up = false
		if !errors.Is(err, transport.ErrLinkDown) { // A link that is down comes up; one that is full stays.
			l.mu.rewindAt = time.Now().Add(rewindDelay)
		}
		return
	}
	a.relend = 0 // Lent with this frame; a second one would lend it twice.
	a.sent, a.resent = true, a.sent
}

// tell sends a frame that needs no answer to the leader of a generation; when
// that is not the leader any more it is lost, and no error: the new one is told
// everything anew.
func (l *lane) tell(generation uint64, frame []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.generation != generation || l.mu.leader == "" {
		return nil
	}
	return l.send(l.mu.leader, frame)
}

// lead learns of a leader. It returns whether this is news.
func (l *lane) lead(leader transport.NodeID, generation uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if generation <= l.mu.generation {
		return false
	}
	l.mu.leader, l.mu.generation, l.mu.up, l.mu.rewindAt = leader, generation, false, time.Time{}
	return true
}

// resume begins, or begins again, to send everything unanswered, in order.
func (l *lane) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mu.up, l.mu.rewindAt = l.mu.leader != "", time.Time{}
	for _, a := range l.mu.asks {
		if a != nil && l.mu.up {
			l.transmit(a)
		}
	}
}

// linkDown stops the flow when it went to peer.
func (l *lane) linkDown(peer transport.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.mu.leader == peer {
		l.mu.up, l.mu.rewindAt = false, time.Time{}
	}
}

// current is the leader and generation as this node knows them.
func (l *lane) current() (leader transport.NodeID, generation uint64, up bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.mu.leader, l.mu.generation, l.mu.up
}

// answer hands an answer to its asker, or has a refused request sent again.
func (l *lane) answer(f *frame) {
	seq, how := f.Uint(), status(f.Byte())
	l.mu.Lock()
	at := seq - l.mu.first
	if f.Err() != nil || seq < l.mu.first || at >= uint64(len(l.mu.asks)) || l.mu.asks[at] == nil {
		l.mu.Unlock()
		return
	}
	if how == statusNotLeader || how == statusUnknown {
		if f.generation == l.mu.generation && l.mu.up {
			l.mu.up, l.mu.rewindAt = false, time.Now().Add(rewindDelay)
		}
		l.mu.Unlock()
		return
	}
	a := l.mu.asks[at]
	l.remove(at)
	l.mu.Unlock()
	if how == statusOverloaded && a.resent {
		how = statusUnknown // This time it was refused; the time before is not known.
	}
	a.to.answered(how, &f.Reader)
}

// remove takes an ask out; mu is held.
func (l *lane) remove(at uint64) {
	l.mu.bytes -= len(l.mu.asks[at].body)
	l.mu.asks[at] = nil
	for len(l.mu.asks) > 0 && l.mu.asks[0] == nil {
		l.mu.asks = l.mu.asks[1:]
		l.mu.first++
	}
}

// tick gives up what is too old, and asks a leader again that refused.
func (l *lane) tick(now time.Time) {
	l.mu.Lock()
	var late []*ask
	for i, a := range l.mu.asks {
		if a == nil {
			continue
		}
		if a.deadline.After(now) {
			break
		}
		late = append(late, a)
		l.mu.bytes -= len(a.body)
		l.mu.asks[i] = nil
	}
	for len(l.mu.asks) > 0 && l.mu.asks[0] == nil {
		l.mu.asks = l.mu.asks[1:]
		l.mu.first++
	}
	again := !l.mu.rewindAt.IsZero() && now.After(l.mu.rewindAt)
	l.mu.Unlock()
	if again {
		l.resume()
	}
	for _, a := range late {
		how := statusNotLeader
		if a.sent {
			how = statusUnknown
		}
		a.to.answered(how, &command.Reader{})
	}
}
