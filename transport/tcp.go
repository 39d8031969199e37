package transport

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// TCP is the transport over a listener and a dialer. See the package's
// documentation for the order of calls.
type TCP struct {
	config   Config
	logger   *slog.Logger
	counters counters
	refusals logLimiter
	greeters chan struct{} // one token per inbound connection that has not greeted
	callers  chan struct{} // one token per call that is being served
	replies  sync.Pool     // of chan raft.RPCResponse, empty, one slot

	//nolint:containedctx // The transport's own lifetime, from New to Close.
	life   context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup

	jitter func() float64                               // in [0, 1)
	faults func(from, to NodeID) func() []time.Duration // only in a Network

	linkTable atomic.Pointer[map[linkKey]*link] // a copy of mu.links, never written

	mu struct {
		sync.Mutex

		closed bool
		raws   map[net.Conn]struct{} // every open connection
		groups map[uint32]*group
		peers  map[NodeID]*raftPeer
		links  map[linkKey]*link
		turns  map[linkKey]chan struct{} // outlives a link, see link.turn
	}
}

// New checks the configuration. Nothing runs, and nothing is accepted, until Start.
func New(config Config) (*TCP, error) {
	if err := config.prepare(); err != nil {
		return nil, err
	}
	t := &TCP{
		config: config, logger: config.Logger,
		greeters: make(chan struct{}, MaxGreetings), callers: make(chan struct{}, MaxCalls),
		jitter: rand.Float64,
	}
	t.replies.New = func() any { return make(chan raft.RPCResponse, 1) }
	t.life, t.cancel = context.WithCancel(context.Background())
	t.mu.raws = make(map[net.Conn]struct{})
	t.mu.groups = make(map[uint32]*group)
	t.mu.peers = make(map[NodeID]*raftPeer)
	t.mu.links = make(map[linkKey]*link)
	t.mu.turns = make(map[linkKey]chan struct{})
	return t, nil
}

// Start begins to accept connections. Call it once.
func (t *TCP) Start() { t.spawn(t.accept) }

// Close closes the listener, every connection and every group's handle, and
// returns when every goroutine of the transport has ended: LinkDown has been
// called for each link that was up. The error is the listener's.
func (t *TCP) Close() error {
	t.mu.Lock()
	if t.mu.closed {
		t.mu.Unlock()
		t.wait.Wait()
		return nil
	}
	t.mu.closed = true
	raws := slices.Collect(maps.Keys(t.mu.raws)) // What comes later, track closes.
	handles := make([]*handle, 0, len(t.mu.groups))
	for _, g := range t.mu.groups {
		handles = append(handles, g.current.Load())
	}
	t.mu.Unlock()
	t.cancel()
	err := t.config.Listener.Close()
	for _, raw := range raws {
		_ = raw.Close() // Not under the lock: TLS says goodbye.
	}
	for _, h := range handles {
		if h != nil {
			_ = h.Close()
		}
	}
	t.wait.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Stats returns the counters since New.
func (t *TCP) Stats() Stats { return t.counters.stats() }

// Raft opens the group's handle, or returns the one that is open. After Close
// of the transport it returns a closed handle.
func (t *TCP) Raft(id uint32) raft.Transport {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groupLocked(id)
	if h := g.current.Load(); h != nil && !h.isClosed() {
		return h
	}
	h := newHandle(t, g)
	if t.mu.closed {
		h.stop()
		return h
	}
	g.current.Store(h)
	h.start()
	return h
}

func (t *TCP) groupLocked(id uint32) *group {
	g := t.mu.groups[id]
	if g == nil {
		g = &group{id: id}
		t.mu.groups[id] = g
	}
	return g
}

// hosted returns nil when nobody here has opened the group.
func (t *TCP) hosted(id uint32) *handle {
	t.mu.Lock()
	g := t.mu.groups[id]
	t.mu.Unlock()
	if g == nil {
		return nil
	}
	h := g.current.Load()
	if h == nil || h.isClosed() {
		return nil
	}
	return h
}

// spawn runs f, which Close waits for, and reports false after Close.
func (t *TCP) spawn(f func()) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.mu.closed {
		return false
	}
	t.wait.Go(f)
	return true
}

// track makes Close close the connection; false: it is closed already.
func (t *TCP) track(raw net.Conn) bool {
	t.mu.Lock()
	closed := t.mu.closed
	if !closed {
		t.mu.raws[raw] = struct{}{}
	}
	t.mu.Unlock()
	if closed {
		_ = raw.Close()
	}
	return !closed
}

func (t *TCP) drop(raw net.Conn) {
	_ = raw.Close()
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.mu.raws, raw)
}

// backoff is how long to wait after so many failures in a row, with jitter.
func (t *TCP) backoff(failures int, most time.Duration) time.Duration {
	delay := minBackoff << min(failures, 10)
	delay = min(delay, most)
	return delay/2 + time.Duration(t.jitter()*float64(delay/2))
}

// pause waits unless the transport is closed or stop is closed meanwhile.
func (t *TCP) pause(delay time.Duration, stop <-chan struct{}) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.life.Done():
	case <-stop:
	}
	return false
}

func (t *TCP) accept() {
	for {
		raw, err := t.config.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !t.pause(acceptBackoff, nil) {
				return
			}
			t.refusals.warn(t.logger, "cannot accept a connection", slog.Any("error", err))
			continue
		}
		if !t.track(raw) {
			return
		}
		select {
		case t.greeters <- struct{}{}:
		default:
			t.refuseQuietly(raw, errors.New("too many connections are greeting"))
			continue
		}
		if !t.spawn(func() { t.serve(raw) }) {
			<-t.greeters
			t.drop(raw)
			return
		}
	}
}

func (t *TCP) refuseQuietly(raw net.Conn, err error) {
	t.counters.refused.Add(1)
	t.refusals.warn(t.logger, "refused a connection",
		slog.String("remote", raw.RemoteAddr().String()), slog.Any("error", err))
	t.drop(raw)
}

// logLimiter lets one line through per refusalLogInterval and counts the rest.
type logLimiter struct {
	mu struct {
		sync.Mutex

		last       time.Time
		suppressed int
	}
}

func (l *logLimiter) warn(logger *slog.Logger, message string, attributes ...slog.Attr) {
	l.mu.Lock()
	now := time.Now()
	if !l.mu.last.IsZero() && now.Sub(l.mu.last) < refusalLogInterval {
		l.mu.suppressed++
		l.mu.Unlock()
		return
	}
	attributes = append(attributes, slog.Int("suppressed", l.mu.suppressed))
	l.mu.last, l.mu.suppressed = now, 0
	l.mu.Unlock()
	//nolint:sloglint // The callers give constants.
	logger.LogAttrs(context.Background(), slog.LevelWarn, message, attributes...)
}
