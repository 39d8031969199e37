package transport

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/batonmq/baton/internal/invariants"
)

// Network connects the nodes of one process for tests: it takes the place of
// the wire, under the same TCP code, with streams that can be delayed, stalled
// and broken, and with Raft frames that can be lost, repeated and reordered.
// It uses channels, conditions and time only, so that it runs in a
// testing/synctest bubble. What it draws comes from its seed; the order in
// which goroutines draw is the scheduler's.
type Network struct {
	mu struct {
		sync.Mutex

		random    *rand.Rand
		listeners map[string]*memoryListener
		streams   map[*stream]struct{}
		cuts      map[direction]bool
		delays    map[direction]delayRange // direction{}: of all others
		faults    Faults
		changed   chan struct{} // closed and replaced when a cut changes
	}
}

// Faults are probabilities, 0 to 1, for each Raft request and reply.
// Snapshots, links and calls are streams: break them with Break.
type Faults struct {
	// Drop loses the frame, Duplicate repeats it, Reorder delays it.
	Drop, Duplicate, Reorder float64
	// Late is how long a repeated or reordered frame is delayed at most; frames
	// sent meanwhile overtake it. 0: one millisecond.
	Late time.Duration
}

type direction struct{ from, to NodeID }

type delayRange struct{ shortest, longest time.Duration }

// Memory is a node of a Network.
type Memory struct {
	*TCP

	listener *memoryListener
}

var (
	_ Transport = (*TCP)(nil)
	_ Transport = (*Memory)(nil)
)

// NewNetwork returns a network without faults and without delay.
func NewNetwork(seed uint64) *Network {
	n := &Network{}
	n.mu.random = rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // Repeatable on purpose.
	n.mu.listeners = make(map[string]*memoryListener)
	n.mu.streams = make(map[*stream]struct{})
	n.mu.cuts = make(map[direction]bool)
	n.mu.delays = make(map[direction]delayRange)
	n.mu.changed = make(chan struct{})
	return n
}

// Join adds a node. Its address is its id. Listener and Dial of the
// configuration are replaced; Resolver and ClusterID have defaults: every id is
// its own address, and the cluster is "memory". A node that was closed may join
// again; a wrong configuration is a mistake in the test and panics.
func (n *Network) Join(config Config) *Memory {
	listener := &memoryListener{n: n, id: config.Self, backlog: make(chan net.Conn, 128), done: make(chan struct{})}
	config.Listener = listener
	config.Dial = func(ctx context.Context, address string) (net.Conn, error) {
		return n.dial(ctx, listener, address)
	}
	if config.Resolver == nil {
		config.Resolver = sameAddress{}
	}
	if config.ClusterID == nil {
		config.ClusterID = func() string { return "memory" }
	}
	t, err := New(config)
	if err != nil {
		invariants.Failf("joining a network: %v", err)
	}
	t.jitter = n.float
	t.faults = func(from, to NodeID) func() []time.Duration {
		return n.frameFaults
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.listeners[string(config.Self)] = listener
	return &Memory{TCP: t, listener: listener}
}

// SetFaults replaces the faults of Raft frames, for all nodes.
func (n *Network) SetFaults(f Faults) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.faults = f
}

// SetDelay gives every write a one-way delay, drawn between the two. Streams
// stay in order.
func (n *Network) SetDelay(shortest, longest time.Duration) {
	n.SetDelayBetween("", "", shortest, longest)
}

// SetDelayBetween is SetDelay for one direction; both ids "": for all others.
func (n *Network) SetDelayBetween(from, to NodeID, shortest, longest time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.mu.delays[direction{from, to}] = delayRange{shortest, longest}
}

// Cut holds back what goes from one node to the other, as a network does that
// loses packets one way: what was written arrives after Heal, if the
// connection has not been given up by then, and connecting stalls both ways.
func (n *Network) Cut(from, to NodeID) {
	n.change(func() { n.mu.cuts[direction{from, to}] = true })
}

// CutBoth is Cut in both directions.
func (n *Network) CutBoth(a, b NodeID) {
	n.change(func() { n.mu.cuts[direction{a, b}], n.mu.cuts[direction{b, a}] = true, true })
}

// Heal ends Cut in one direction.
func (n *Network) Heal(from, to NodeID) {
	n.change(func() { delete(n.mu.cuts, direction{from, to}) })
}

// HealAll ends every Cut.
func (n *Network) HealAll() {
	n.change(func() { clear(n.mu.cuts) })
}

// Break resets the connections that are open between the two; what is on its
// way is lost. Both may connect again at once.
func (n *Network) Break(a, b NodeID) {
	n.change(func() {
		for s := range n.mu.streams {
			if s.way == (direction{a, b}) || s.way == (direction{b, a}) {
				s.resetLocked(errReset)
			}
		}
	})
}

// Unplug takes the node off the network at once, as a loss of power does: from
// now on it reads and writes nothing, connects nowhere and is not there for
// others. What it wrote before still arrives, and then the connection ends; with
// lost, that is lost too. Close it nevertheless.
func (m *Memory) Unplug(lost bool) {
	listener := m.listener
	listener.n.change(func() {
		listener.unplugged = true
		if listener.n.mu.listeners[string(listener.id)] == listener {
			delete(listener.n.mu.listeners, string(listener.id))
		}
		for s := range listener.n.mu.streams {
			switch {
			case s.way.from != listener.id && s.way.to != listener.id:
			case lost:
				s.resetLocked(errReset)
			case s.way.from == listener.id:
				s.written = true
			default:
				s.unread, s.chunks, s.size = true, nil, 0
			}
		}
	})
}

var (
	errReset       = errors.New("connection reset")
	errNobodyThere = errors.New("connection refused")
)

type sameAddress struct{}

func (sameAddress) PeerAddress(id NodeID) (string, bool) { return string(id), id != "" }

func (n *Network) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
	close(n.mu.changed)
	n.mu.changed = make(chan struct{})
	for s := range n.mu.streams {
		s.cond.Broadcast()
	}
}

func (n *Network) float() float64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.mu.random.Float64()
}

func (n *Network) frameFaults() []time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, random := n.mu.faults, n.mu.random
	if f == (Faults{}) {
		return []time.Duration{0}
	}
	late := func() time.Duration {
		return 1 + time.Duration(random.Float64()*float64(max(f.Late, time.Millisecond)))
	}
	var copies []time.Duration
	switch {
	case random.Float64() < f.Drop:
		return nil
	case random.Float64() < f.Reorder:
		copies = append(copies, late())
	default:
		copies = append(copies, 0)
	}
	if random.Float64() < f.Duplicate {
		copies = append(copies, late())
	}
	return copies
}

// delayLocked draws the delay of one write.
func (n *Network) delayLocked(way direction) time.Duration {
	r, ok := n.mu.delays[way]
	if !ok {
		r = n.mu.delays[direction{}]
	}
	if r.longest <= r.shortest {
		return r.shortest
	}
	return r.shortest + time.Duration(n.mu.random.Int64N(int64(r.longest-r.shortest)))
}

// dial stalls while either direction is cut: a connection needs both.
func (n *Network) dial(ctx context.Context, from *memoryListener, address string) (net.Conn, error) {
	for {
		n.mu.Lock()
		to := n.mu.listeners[address]
		if to == nil || from.unplugged {
			n.mu.Unlock()
			return nil, errNobodyThere
		}
		there := direction{from.id, to.id}
		back := direction{to.id, from.id}
		if !n.mu.cuts[there] && !n.mu.cuts[back] {
			conn, err := n.connectLocked(there, back, to)
			n.mu.Unlock()
			return conn, err
		}
		changed := n.mu.changed
		n.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (n *Network) connectLocked(there, back direction, to *memoryListener) (net.Conn, error) {
	out, in := n.newStreamLocked(there), n.newStreamLocked(back)
	select {
	case to.backlog <- &memoryConn{read: out, write: in}:
		return &memoryConn{read: in, write: out}, nil
	default:
		delete(n.mu.streams, out)
		delete(n.mu.streams, in)
		return nil, errNobodyThere
	}
}

// memoryListener is where a node is reached.
type memoryListener struct {
	n       *Network
	id      NodeID
	backlog chan net.Conn
	done    chan struct{}
	once    sync.Once

	unplugged bool // guarded by the network's lock
}

// Accept implements net.Listener.
func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.backlog:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *memoryListener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		if l.n.mu.listeners[string(l.id)] == l {
			delete(l.n.mu.listeners, string(l.id))
		}
		l.n.mu.Unlock()
		close(l.done)
		for {
			select {
			case conn := <-l.backlog:
				_ = conn.Close()
			default:
				return
			}
		}
	})
	return nil
}

// Addr implements net.Listener.
func (l *memoryListener) Addr() net.Addr { return memoryAddress(l.id) }

type memoryAddress NodeID

// Network implements net.Addr.
func (memoryAddress) Network() string { return "memory" }

// String implements net.Addr.
func (a memoryAddress) String() string { return string(a) }
