package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// recorder is a Handler that holds the transport to its promises: the order
// of events of one peer, and the order of frames, which are counters.
type recorder struct {
	t        testing.TB
	ups      chan NodeID
	downs    chan NodeID
	received atomic.Int64
	mu       struct {
		sync.Mutex

		peers map[NodeID]*recorded
	}
}

type recorded struct {
	busy atomic.Bool // an event of the peer is being handled
	up   bool
	last uint64
}

func newRecorder(tb testing.TB) *recorder {
	tb.Helper()
	r := &recorder{t: tb, ups: make(chan NodeID, 1000), downs: make(chan NodeID, 1000)}
	r.mu.peers = make(map[NodeID]*recorded)
	return r
}

func (r *recorder) LinkUp(peer NodeID) {
	r.event(peer, func(p *recorded) {
		if p.up {
			r.t.Errorf("%s came up twice", peer)
		}
		p.up = true
	})
	r.ups <- peer
}

func (r *recorder) LinkDown(peer NodeID) {
	r.event(peer, func(p *recorded) {
		if !p.up {
			r.t.Errorf("%s went down twice", peer)
		}
		p.up = false
	})
	r.downs <- peer
}

func (r *recorder) Receive(peer NodeID, frame []byte) {
	r.event(peer, func(p *recorded) {
		n := binary.BigEndian.Uint64(frame)
		if !p.up {
			r.t.Errorf("frame %d of %s without a link", n, peer)
		}
		if n <= p.last {
			r.t.Errorf("frame %d of %s after %d", n, peer, p.last)
		}
		p.last = n
	})
	r.received.Add(1)
}

func (r *recorder) event(peer NodeID, f func(*recorded)) {
	r.mu.Lock()
	p := r.mu.peers[peer]
	if p == nil {
		p = &recorded{}
		r.mu.peers[peer] = p
	}
	r.mu.Unlock()
	if !p.busy.CompareAndSwap(false, true) {
		r.t.Errorf("two events of %s at once", peer)
	}
	f(p)
	p.busy.Store(false)
}

func frameOf(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// pair is two nodes with a link between them.
type pair struct {
	a, b   Transport
	ra, rb *recorder
}

func startPair(tb testing.TB, n network) *pair {
	tb.Helper()
	p := &pair{ra: newRecorder(tb), rb: newRecorder(tb)}
	p.a = start(tb, n, Config{Self: "a.1", Handler: p.ra})
	p.b = start(tb, n, Config{Self: "b.1", Handler: p.rb})
	p.a.SetPeers([]NodeID{"a.1", "b.1"})
	p.b.SetPeers([]NodeID{"a.1", "b.1"})
	p.awaitUp(tb)
	return p
}

func (p *pair) awaitUp(tb testing.TB) {
	tb.Helper()
	receive(tb, "b up at a", p.ra.ups)
	receive(tb, "a up at b", p.rb.ups)
}

// TestLinkCarriesFramesInOrder sends both ways at once.
func TestLinkCarriesFramesInOrder(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		p := startPair(t, n)
		const frames = 5000
		var wait sync.WaitGroup
		for _, from := range []struct {
			node Transport
			to   NodeID
		}{{p.a, "b.1"}, {p.b, "a.1"}} {
			wait.Go(func() {
				for i := range uint64(frames) {
					if err := from.node.Send(from.to, frameOf(i+1)); err != nil {
						t.Errorf("send: %v", err)
						return
					}
				}
			})
		}
		wait.Wait()
		eventually(t, "all frames arrive", func() bool {
			return p.ra.received.Load() == frames && p.rb.received.Load() == frames
		})
		if s := p.a.Stats(); s.LinksUp != 1 || s.Link.FramesSent < frames || s.Link.Writes > s.Link.FramesSent {
			t.Errorf("stats: %+v", s)
		}
	})
}

// TestLargeFramesArrive sends frames around the sizes of the buffers, and one too large.
func TestLargeFramesArrive(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		p := startPair(t, n)
		for i, size := range []int{readBufferBytes - 5, readBufferBytes, maxSpareBuffer, MaxLinkFrame} {
			frame := make([]byte, size)
			copy(frame, frameOf(uint64(i+1)))
			must(t, p.a.Send("b.1", frame))
		}
		eventually(t, "all frames arrive", func() bool { return p.rb.received.Load() == 4 })
		if err := p.a.Send("b.1", make([]byte, MaxLinkFrame+1)); !errors.Is(err, ErrFrameTooLarge) {
			t.Errorf("an oversize frame: %v", err)
		}
	})
}

// TestBrokenLinkComesBack breaks connections under a sender.
func TestBrokenLinkComesBack(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		p := startPair(t, n)
		stop := make(chan struct{})
		var wait sync.WaitGroup
		wait.Go(func() {
			for i := uint64(1); ; i++ {
				select {
				case <-stop:
					return
				default:
					_ = p.a.Send("b.1", frameOf(i)) // Down in between: the recorder checks the order.
				}
			}
		})
		for range 5 {
			before := p.rb.received.Load()
			eventually(t, "frames flow", func() bool { return p.rb.received.Load() > before })
			n.breakAll()
			receive(t, "b down at a", p.ra.downs)
			receive(t, "a down at b", p.rb.downs)
			p.awaitUp(t)
		}
		close(stop)
		wait.Wait()
	})
}

// TestClosedNodeIsDown closes one of two.
func TestClosedNodeIsDown(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		p := startPair(t, n)
		must(t, p.b.Close())
		receive(t, "b down at a", p.ra.downs)
		receive(t, "a down at b, before Close returned", p.rb.downs)
		if err := p.a.Send("b.1", frameOf(1)); !errors.Is(err, ErrLinkDown) {
			t.Errorf("send: %v", err)
		}
	})
}

// TestRemovedPeerIsDownAndMayComeBack takes a peer out and in again.
func TestRemovedPeerIsDownAndMayComeBack(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		p := startPair(t, n)
		for range 3 {
			p.b.SetPeers(nil)
			receive(t, "b down at a", p.ra.downs)
			receive(t, "a down at b", p.rb.downs)
			if err := p.b.Send("a.1", frameOf(1)); !errors.Is(err, ErrLinkDown) {
				t.Errorf("send: %v", err)
			}
			p.b.SetPeers([]NodeID{"a.1"})
			p.awaitUp(t)
		}
	})
}

// TestQuicklyRemovedAndAddedPeerStaysInOrder does so without waiting: LinkDown still comes before LinkUp.
func TestQuicklyRemovedAndAddedPeerStaysInOrder(t *testing.T) {
	overNetworks(t, func(t *testing.T, n network) {
		t.Helper()
		p := startPair(t, n)
		for i := range uint64(50) {
			p.a.SetPeers(nil)
			p.a.SetPeers([]NodeID{"b.1"})
			_ = p.a.Send("b.1", frameOf(i+1))
		}
		eventually(t, "the link works again", func() bool {
			return p.a.Send("b.1", frameOf(1<<60)) == nil
		})
	})
}

// TestFullLinkRefuses fills the buffer of a link that does not move.
func TestFullLinkRefuses(t *testing.T) {
	n := &memoryNetwork{Network: NewNetwork(1)}
	p := startPair(t, n)
	n.Cut("a.1", "b.1")
	frame := make([]byte, MaxLinkFrame)
	var err error
	for range 2*MaxLinkBuffer/MaxLinkFrame + 2 {
		if err = p.a.Send("b.1", frame); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrLinkFull) {
		t.Fatalf("got %v", err)
	}
}

// TestSilentPeerIsNoticed cuts an idle link and takes the time.
func TestSilentPeerIsNoticed(t *testing.T) {
	for _, both := range []bool{true, false} {
		t.Run(fmt.Sprint("both ways ", both), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &memoryNetwork{Network: NewNetwork(1)}
				p := startPair(t, n)
				time.Sleep(time.Minute) // The bubble's time: an idle link lives.
				if len(p.ra.downs)+len(p.rb.downs) > 0 {
					t.Fatal("an idle link broke")
				}
				began := time.Now()
				n.Cut("a.1", "b.1")
				if both {
					n.Cut("b.1", "a.1")
				}
				receive(t, "a down at b", p.rb.downs)
				receive(t, "b down at a", p.ra.downs)
				if took := time.Since(began); took > SilenceLimit+PingInterval {
					t.Errorf("it took %v", took)
				}
				n.HealAll()
				p.awaitUp(t)
				must(t, p.a.Close())
				must(t, p.b.Close())
			})
		})
	}
}

// TestSlowHandlerIsNotSilence blocks a handler for longer than the silence limit.
func TestSlowHandlerIsNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &memoryNetwork{Network: NewNetwork(1)}
		release := make(chan struct{})
		slow := &slowHandler{recorder: newRecorder(t), release: release}
		a := start(t, n, Config{Self: "a.1", Handler: slow})
		b := start(t, n, Config{Self: "b.1", Handler: newRecorder(t)})
		a.SetPeers([]NodeID{"b.1"})
		b.SetPeers([]NodeID{"a.1"})
		receive(t, "b up at a", slow.ups)
		eventually(t, "b sends", func() bool { return b.Send("a.1", frameOf(1)) == nil })
		time.Sleep(10 * SilenceLimit) // The bubble's time.
		if len(slow.downs) > 0 {
			t.Error("the link broke while a handler worked")
		}
		close(release)
		must(t, a.Close())
		must(t, b.Close())
	})
}

type slowHandler struct {
	*recorder

	release chan struct{}
}

func (s *slowHandler) Receive(peer NodeID, frame []byte) {
	<-s.release
	s.recorder.Receive(peer, frame)
}

// TestFramesCostNoAllocation counts allocations of both sides of a link.
func TestFramesCostNoAllocation(t *testing.T) {
	n := newTCPNetwork()
	handler := &counter{wake: make(chan struct{}, 1)}
	a := start(t, n, Config{Self: "a.1"})
	b := start(t, n, Config{Self: "b.1", Handler: handler})
	a.SetPeers([]NodeID{"b.1"})
	b.SetPeers([]NodeID{"a.1"})
	frame := make([]byte, 200)
	eventually(t, "the link is up", func() bool { return a.Send("b.1", frame) == nil })
	<-handler.wake
	allocations := testing.AllocsPerRun(2000, func() { // Both sides are measured.
		if err := a.Send("b.1", frame); err != nil {
			t.Error(err)
		}
		<-handler.wake
	})
	if allocations > 0 {
		t.Errorf("%v allocations per frame", allocations)
	}
}

// counter is a Handler that counts.
type counter struct {
	frames atomic.Int64
	wake   chan struct{}
}

func (c *counter) LinkUp(NodeID)   {}
func (c *counter) LinkDown(NodeID) {}

func (c *counter) Receive(NodeID, []byte) {
	c.frames.Add(1)
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
