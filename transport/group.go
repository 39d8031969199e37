package transport

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// group is what is known of a Raft group for as long as the transport lives;
// handles of it come and go.
type group struct {
	id      uint32
	current atomic.Pointer[handle] // the last one opened

	newest atomic.Uint64 // term: the newest seen, sent or received
	led    atomic.Uint64 // term: the newest in which an append was sent from here
}

// raise keeps the larger of the two.
func raise(term *atomic.Uint64, to uint64) {
	for {
		now := term.Load()
		if to <= now || term.CompareAndSwap(now, to) {
			return
		}
	}
}

// handle is one group's raft.Transport.
type handle struct {
	t     *TCP
	group *group

	consumer   chan raft.RPC
	replies    chan pendingReply // in the order in which Raft was asked
	heartbeats chan inbound
	fastPath   atomic.Pointer[func(raft.RPC)]

	done chan struct{}
	once sync.Once
	wait sync.WaitGroup

	mu struct {
		sync.Mutex

		snapshots map[net.Conn]struct{} // being sent or received; nil once closed
	}
}

var (
	_ raft.Transport   = (*handle)(nil)
	_ raft.WithPreVote = (*handle)(nil)
	_ raft.WithClose   = (*handle)(nil)
)

func newHandle(t *TCP, g *group) *handle {
	h := &handle{
		t: t, group: g,
		consumer: make(chan raft.RPC, MaxGroupQueue), replies: make(chan pendingReply, MaxGroupQueue),
		heartbeats: make(chan inbound, MaxHeartbeatQueue), done: make(chan struct{}),
	}
	h.mu.snapshots = make(map[net.Conn]struct{})
	return h
}

// Consumer implements raft.Transport.
func (h *handle) Consumer() <-chan raft.RPC { return h.consumer }

// LocalAddr implements raft.Transport: an address is a node's id.
func (h *handle) LocalAddr() raft.ServerAddress { return raft.ServerAddress(h.t.config.Self) }

// EncodePeer implements raft.Transport: an address is a node's id.
func (h *handle) EncodePeer(_ raft.ServerID, address raft.ServerAddress) []byte {
	return []byte(address)
}

// DecodePeer implements raft.Transport.
func (h *handle) DecodePeer(address []byte) raft.ServerAddress { return raft.ServerAddress(address) }

// SetHeartbeatHandler implements raft.Transport. Heartbeats go to f on a
// goroutine of their own: a new term makes f write to the stable store.
func (h *handle) SetHeartbeatHandler(f func(raft.RPC)) {
	if f == nil {
		h.fastPath.Store(nil)
		return
	}
	h.fastPath.Store(&f)
}

// AppendEntries implements raft.Transport. It may cut args.Entries so that the
// request fits MaxAppendBytes; Raft goes on after the last entry left in it.
func (h *handle) AppendEntries(
	_ raft.ServerID, target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	if isHeartbeat(args) {
		return h.heartbeat(target, args, resp)
	}
	cutEntries(args)
	h.holdCommit(args)
	h.leads(args.Term)
	return h.roundTrip(target, &request{
		kind: frameAppend, size: appendSize(args), timeout: AppendTimeout, reply: resp,
		encode: func(b []byte) []byte { return appendAppend(b, args, h.t.config.Self) },
	})
}

// RequestVote implements raft.Transport.
func (h *handle) RequestVote(
	_ raft.ServerID, target raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse,
) error {
	raise(&h.group.newest, args.Term)
	return h.roundTrip(target, &request{
		kind: frameVote, timeout: VoteTimeout, reply: resp,
		encode: func(b []byte) []byte { return appendVote(b, args, h.t.config.Self) },
	})
}

// RequestPreVote implements raft.WithPreVote.
func (h *handle) RequestPreVote(
	_ raft.ServerID, target raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse,
) error {
	return h.roundTrip(target, &request{
		kind: framePreVote, timeout: VoteTimeout, reply: resp,
		encode: func(b []byte) []byte { return appendPreVote(b, args, h.t.config.Self) },
	})
}

// TimeoutNow implements raft.Transport. The term in which this node last led
// goes with it, so that the receiver can drop one that has been overtaken.
func (h *handle) TimeoutNow(
	_ raft.ServerID, target raft.ServerAddress, args *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse,
) error {
	term := h.group.led.Load()
	return h.roundTrip(target, &request{
		kind: frameTimeoutNow, timeout: VoteTimeout, reply: resp,
		encode: func(b []byte) []byte { return appendTimeoutNow(b, args, term, h.t.config.Self) },
	})
}

// AppendEntriesPipeline implements raft.Transport.
func (h *handle) AppendEntriesPipeline(_ raft.ServerID, target raft.ServerAddress) (raft.AppendPipeline, error) {
	c, err := h.t.peer(NodeID(target)).connection(VoteTimeout, h.done)
	if err != nil {
		return nil, err
	}
	return newPipeline(h, c), nil
}

// InstallSnapshot implements raft.Transport.
func (h *handle) InstallSnapshot(
	_ raft.ServerID, target raft.ServerAddress,
	args *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader,
) error {
	h.leads(args.Term)
	if err := h.sendSnapshot(NodeID(target), args, resp, data); err != nil {
		return fmt.Errorf("sending a snapshot of group %d to %s: %w", h.group.id, target, err)
	}
	raise(&h.group.newest, resp.Term)
	return nil
}

// Close implements raft.WithClose: what is outstanding fails with ErrClosed,
// what was received and not answered is refused, and Raft(group) opens anew.
func (h *handle) Close() error {
	h.stop()
	h.wait.Wait()
	return nil
}

func (h *handle) heartbeat(
	target raft.ServerAddress, args *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse,
) error {
	if gate := h.t.config.HeartbeatGate; gate != nil && !gate(h.group.id) {
		return ErrHeartbeatGated
	}
	h.leads(args.Term)
	return h.roundTrip(target, &request{
		kind: frameHeartbeat, timeout: HeartbeatTimeout, reply: resp,
		encode: func(b []byte) []byte { return appendHeartbeat(b, args, h.t.config.Self) },
	})
}

func (h *handle) leads(term uint64) {
	raise(&h.group.led, term)
	raise(&h.group.newest, term)
}

// cutEntries keeps control frames short. Raft looks at what is left in
// args.Entries to learn how far the request went, in both ways of replicating.
func cutEntries(args *raft.AppendEntriesRequest) {
	size := 0
	for i, entry := range args.Entries {
		size += entrySize(entry)
		if size > MaxAppendBytes && i > 0 || i == maxEntries {
			args.Entries = args.Entries[:i]
			return
		}
	}
}

// holdCommit tells a follower of no commit that rests on an entry which is not
// synced here: Raft has counted this node for it already.
func (h *handle) holdCommit(args *raft.AppendEntriesRequest) {
	if durable := h.t.config.Durable; durable != nil {
		args.LeaderCommitIndex = min(args.LeaderCommitIndex, durable.DurableIndex(h.group.id))
	}
}

func (h *handle) isClosed() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

func (h *handle) start() {
	h.wait.Go(h.reply)
	h.wait.Go(h.beat)
}

func (h *handle) stop() {
	h.once.Do(func() {
		close(h.done)
		h.mu.Lock()
		defer h.mu.Unlock()
		for raw := range h.mu.snapshots {
			_ = raw.Close()
		}
		h.mu.snapshots = nil
	})
}

// holdSnapshot makes Close break the connection; false: it is broken already.
func (h *handle) holdSnapshot(raw net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.mu.snapshots == nil {
		return false
	}
	h.mu.snapshots[raw] = struct{}{}
	return true
}

func (h *handle) releaseSnapshot(raw net.Conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.mu.snapshots, raw)
}

// request is one request that its caller waits for.
type request struct {
	kind    frameKind
	size    int // an upper bound of the body, 0: small
	timeout time.Duration
	reply   any
	encode  func([]byte) []byte
}

func (h *handle) roundTrip(target raft.ServerAddress, r *request) error {
	if h.isClosed() {
		return ErrClosed
	}
	if r.size > MaxRaftFrame {
		return fmt.Errorf("request of up to %d bytes: %w", r.size, ErrFrameTooLarge)
	}
	c, err := h.t.peer(NodeID(target)).connection(r.timeout, h.done)
	if err != nil {
		return err
	}
	p := &pendingRequest{group: h.group, reply: r.reply, finished: make(chan error, 1)}
	if err = c.ask(p, r); err != nil {
		return err
	}
	timer := time.NewTimer(r.timeout)
	defer timer.Stop()
	select {
	case err = <-p.finished:
		return err
	case <-timer.C:
		err = ErrTimeout
	case <-h.done:
		err = ErrClosed
	}
	if !c.forget(p) { // It is being answered: the reply must not be written after we return.
		return <-p.finished
	}
	return err
}
