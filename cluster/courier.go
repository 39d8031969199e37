package cluster

import (
	"sync"

	"github.com/batonmq/baton/cluster/duty"
	"github.com/batonmq/baton/fsm/command"
)

// courier keeps one socket attached to its client's stream, through leader
// changes: what the socket has got already is never given to it again.
type courier struct {
	id      uint64
	spec    StreamSpec
	sink    StreamSink
	cluster *Cluster

	// delivering keeps pushes in order.
	delivering sync.Mutex

	mu struct {
		sync.Mutex

		generation uint64
		// last is the seq that the socket has, acked what it acknowledged; known
		// means that last says where to go on.
		last, acked uint64
		began       int64 // by the cluster's clock
		known       bool
		synced      bool
		attached    bool
		hold        bool
		closed      bool
		// opening means that nothing followed Attached yet: a gap now is of what
		// comes before the stream's beginning.
		opening bool
		// untold means that the leader could not be told something: it is attached
		// anew.
		untold bool
	}
}

// Ready implements Stream.
func (c *courier) Ready() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.hold = false
	c.tellLocked(frameStreamReady, 0)
}

// Ack implements Stream.
func (c *courier) Ack(seq uint64, delivered []command.Delivery) {
	slot := command.SlotOf(c.spec.Tenant, c.spec.ClientID)
	ack := command.Ack{
		Route:  command.Route{Slot: slot, SlotMap: command.SlotMapVersion},
		Tenant: c.spec.Tenant, ClientID: c.spec.ClientID, DeviceID: c.spec.DeviceID, Seq: seq, Delivered: delivered,
	}
	c.mu.Lock()
	c.mu.acked = max(c.mu.acked, seq)
	c.tellLocked(frameAcked, seq)
	c.mu.Unlock()
	c.cluster.SubmitLazy(c.partition(), ack.Append(nil))
}

// Close implements Stream.
func (c *courier) Close() {
	c.cluster.forgetStream(c.id)
	// Not under delivering: a sink may close its own stream.
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.closed = true
	c.tellLocked(frameDetach, 0)
}

func (c *courier) tellLocked(kind frameKind, number uint64) {
	if c.mu.generation == 0 {
		return
	}
	b := appendFrame(nil, kind, c.partition()+1, c.mu.generation)
	b = command.AppendUint(b, c.id)
	if c.cluster.laneOf(c.partition()).tell(c.mu.generation, command.AppendUint(b, number)) != nil {
		c.mu.untold = true
	}
}

// receive takes a frame of the leader: only of the one it is attached at.
func (c *courier) receive(f *frame) {
	c.delivering.Lock()
	defer c.delivering.Unlock()
	c.mu.Lock()
	current := !c.mu.closed && c.mu.generation == f.generation
	c.mu.Unlock()
	if !current {
		return
	}
	switch f.kind { //nolint:exhaustive // Receive has chosen these.
	case frameAttached:
		c.attached(f)
	case frameNotify:
		c.notify(f)
	case frameGap:
		c.gap(f)
	case frameSynced:
		c.synced(f)
	}
}

func (c *courier) attached(f *frame) {
	state := StreamState{Epoch: c.cluster.Epoch(c.partition()), Head: f.Uint(), Oldest: f.Uint()}
	next := f.Uint()
	state.Resumed = Resumed(f.Byte())
	c.mu.Lock()
	first := !c.mu.attached
	c.mu.attached = true
	if !c.mu.known && next > 0 {
		c.mu.known, c.mu.last, c.mu.acked = true, next-1, next-1
		c.mu.opening = true
	}
	c.mu.Unlock()
	if first {
		c.sink.Attached(state)
	}
}

func (c *courier) notify(f *frame) {
	redelivered := f.Bool()
	n := f.Notification()
	if f.Err() != nil || !c.advance(n.Seq) {
		return
	}
	c.sink.Notification(&n, redelivered)
}

// advance notes what the socket has; false when it had it already.
func (c *courier) advance(seq uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.known && seq <= c.mu.last {
		return false
	}
	c.mu.known, c.mu.last, c.mu.opening = true, seq, false
	return true
}

// gap declares what is not to be had, as far as the socket does not know it yet.
// It counts as acknowledged: nobody acknowledges a gap, and the leader's window
// moves along with it.
func (c *courier) gap(f *frame) {
	from, to, reason := f.Uint(), f.Uint(), f.String()
	if f.Err() != nil {
		return
	}
	c.mu.Lock()
	opening := c.mu.opening || !c.mu.known
	if !opening {
		from = max(from, c.mu.last+1)
	}
	if opening || from <= to {
		c.mu.known, c.mu.opening = true, false
		c.mu.last, c.mu.acked = max(c.mu.last, to), max(c.mu.acked, to)
	}
	c.mu.Unlock()
	if opening || from <= to {
		c.sink.Gap(from, to, reason)
	}
}

// synced says once that the replay is over.
func (c *courier) synced(f *frame) {
	seq := f.Uint()
	c.mu.Lock()
	first := !c.mu.synced && f.Err() == nil
	c.mu.synced, c.mu.opening = c.mu.synced || first, false
	c.mu.Unlock()
	if first {
		c.sink.Synced(seq)
	}
}

// tick gives up an attach that no leader answered, and attaches anew where the
// leader could not be told something.
func (c *courier) tick(now int64) {
	c.mu.Lock()
	late := !c.mu.attached && !c.mu.closed && now-c.mu.began > int64(AnswerTimeout)
	if late {
		c.mu.attached, c.mu.closed = true, true
	}
	if c.mu.untold {
		c.registerLocked(c.mu.generation)
	}
	c.mu.Unlock()
	if late {
		c.sink.Attached(StreamState{Epoch: c.cluster.Epoch(c.partition()), Reason: command.NoLeader})
	}
}

// partition is where the client's stream lives. A socket may be older than the
// cluster that it learns of: nothing is sent for it until there is one.
func (c *courier) partition() uint32 {
	slot := command.SlotOf(c.spec.Tenant, c.spec.ClientID)
	return command.PartitionOf(slot, max(1, c.cluster.Partitions()))
}

// register attaches at a partition's new leader.
func (c *courier) register(partition uint32, generation uint64) {
	if partition != c.partition() {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation >= c.mu.generation {
		c.registerLocked(generation)
	}
}

// begin is register for a courier that no leader knows of yet.
func (c *courier) begin(generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mu.generation == 0 {
		c.registerLocked(generation)
	}
}

func (c *courier) registerLocked(generation uint64) {
	if c.mu.closed {
		return
	}
	c.mu.generation = generation
	a := duty.Attachment{
		Stream: c.id, Tenant: c.spec.Tenant, ClientID: c.spec.ClientID, DeviceID: c.spec.DeviceID,
		From: duty.From(c.spec.Resume), Epoch: c.spec.Epoch, Seq: c.spec.Seq, Acked: c.spec.Seq,
		Window: c.spec.Window, Hold: c.mu.hold,
	}
	if c.mu.known {
		a.Again, a.Synced = true, c.mu.synced
		a.From, a.Epoch, a.Seq, a.Acked = duty.FromSeq, "", c.mu.last, c.mu.acked
	}
	frame := appendAttachment(appendFrame(nil, frameAttach, c.partition()+1, generation), &a)
	c.mu.untold = c.cluster.laneOf(c.partition()).tell(generation, frame) != nil
}

// announced tells the socket of a token stream of its client.
func (c *courier) announced(id TokenID) {
	c.mu.Lock()
	there := c.mu.attached && !c.mu.closed
	c.mu.Unlock()
	if listener, ok := c.sink.(TokenListener); ok && there {
		listener.Announced(id)
	}
}
