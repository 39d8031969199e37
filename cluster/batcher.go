package cluster

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/batonmq/baton/fsm"
	"github.com/batonmq/baton/fsm/command"
)

// Bounds of a group's queue of commands that wait for an entry.
const (
	// MaxQueuedCommands is how many there may be; more are refused as overloaded.
	MaxQueuedCommands = 32_768
	// MaxQueuedBytes is how large they may be together.
	MaxQueuedBytes = 64 << 20
	// maxEntriesInFlight is how many proposed entries may be unapplied. One at a
	// time makes fewer entries, which all nodes pay for, and has a command wait for
	// a whole commit before its own: at 500 events a second it took a third longer.
	maxEntriesInFlight = 3
)

// proposal is one command on its way into the log.
type proposal struct {
	// encoded is empty for a marker, which rides along and writes nothing.
	encoded []byte
	// lazy means that nobody waits: it has no entry made, and rides along.
	lazy bool
	// done is called once, with a result that is valid during the call; nil for
	// nobody waits.
	done func(status, *command.Result)
}

// batcher packs a group's commands into entries. While maxEntriesInFlight are on
// their way, written, replicated and applied, the commands of the next one gather:
// the load itself sets the size, and no timer is needed.
type batcher struct {
	group *Group
	wake  chan struct{}
	stop  chan struct{}
	// packing is the goroutine that packs; answered is closed when the one that
	// answers has ended, which follows it.
	packing  sync.WaitGroup
	answered chan struct{}
	// inFlight are the proposed entries in order, slots as many as there are.
	inFlight chan *proposed
	slots    chan struct{}

	mu struct {
		sync.Mutex

		queue []proposal
		bytes int
		// pressing means that somebody waits: lazy commands alone do not press.
		pressing bool
	}

	// What follows belongs to the packing goroutine.
	batch    []proposal
	commands [][]byte
	clock    entryClock
}

// proposed is an entry in flight.
type proposed struct {
	future    raft.ApplyFuture
	proposals []proposal
	packed    packedEntry
}

func newBatcher(g *Group) *batcher {
	b := &batcher{
		group: g, wake: make(chan struct{}, 1), stop: make(chan struct{}), answered: make(chan struct{}),
		inFlight: make(chan *proposed, maxEntriesInFlight), slots: make(chan struct{}, maxEntriesInFlight),
		clock: entryClock{wall: g.config.wallClock},
	}
	b.packing.Go(b.pack)
	go b.answerAll()
	return b
}

// answerPatience is how long a batcher that ends waits for the entries in flight:
// longer than a leader without a majority remains one.
const answerPatience = 2 * time.Second

// end packs no more, and waits until what is in flight is answered. It comes
// before Raft's shutdown, which forgets the entries that the FSM was given and had
// no time for: their futures are never answered. It says whether all were.
func (b *batcher) end(ctx context.Context) bool {
	close(b.stop)
	timer := time.NewTimer(answerPatience)
	defer timer.Stop()
	select {
	case <-b.answered:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// close refuses what still waits, when Raft has shut down. The goroutine that
// waits for an entry that Raft forgot is lost.
func (b *batcher) close() {
	b.packing.Wait()
	b.flush(statusNotLeader)
}

// add queues a proposal, or returns false when the queue is full.
func (b *batcher) add(p proposal) bool {
	b.mu.Lock()
	full := len(b.mu.queue) >= MaxQueuedCommands || b.mu.bytes >= MaxQueuedBytes
	if !full {
		b.mu.queue = append(b.mu.queue, p)
		b.mu.bytes += len(p.encoded)
		b.mu.pressing = b.mu.pressing || !p.lazy
	}
	b.mu.Unlock()
	if !full && !p.lazy {
		b.nudge()
	}
	return !full
}

// press has an entry made even if nobody waits for one: for lazy commands,
// credit and timers.
func (b *batcher) press() {
	b.mu.Lock()
	b.mu.pressing = true
	b.mu.Unlock()
	b.nudge()
}

// pressLazy is press when there are lazy commands.
func (b *batcher) pressLazy() {
	b.mu.Lock()
	waits := len(b.mu.queue) > 0 && !b.mu.pressing
	b.mu.pressing = b.mu.pressing || waits
	b.mu.Unlock()
	if waits {
		b.nudge()
	}
}

func (b *batcher) nudge() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// flush answers everything that waits: this node does not lead any more.
func (b *batcher) flush(how status) {
	b.mu.Lock()
	queue := b.mu.queue
	b.mu.queue, b.mu.bytes, b.mu.pressing = nil, 0, false
	b.mu.Unlock()
	for i := range queue {
		queue[i].finish(how, nil)
	}
}

func (p *proposal) finish(how status, result *command.Result) {
	if p.done != nil {
		p.done(how, result)
	}
}

// pack is the packing goroutine.
func (b *batcher) pack() {
	defer close(b.inFlight)
	for {
		select {
		case <-b.stop:
			return
		case <-b.wake:
		}
		for b.next() {
			b.propose()
		}
	}
}

// next waits for a slot and takes what is to go into it; false when nothing
// presses any more.
func (b *batcher) next() bool {
	select {
	case <-b.stop:
		return false
	case b.slots <- struct{}{}:
	}
	if !b.take() {
		<-b.slots
		return false
	}
	return true
}

// take moves what fits an entry from the queue into the batch; false when
// nothing presses.
func (b *batcher) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.mu.pressing {
		return false
	}
	b.batch = nil
	size := 0
	for len(b.batch) < len(b.mu.queue) && len(b.batch) < command.MaxEntryCommands {
		next := len(b.mu.queue[len(b.batch)].encoded)
		if len(b.batch) > 0 && size+next > command.MaxEntryBytes {
			break
		}
		size += next
		b.batch = b.mu.queue[:len(b.batch)+1]
	}
	b.mu.queue = b.mu.queue[len(b.batch):]
	b.mu.bytes -= size
	if len(b.mu.queue) == 0 {
		b.mu.queue, b.mu.pressing = nil, false
	}
	return true
}

// propose gives an entry to Raft.
func (b *batcher) propose() {
	b.commands = b.commands[:0]
	for i := range b.batch {
		if len(b.batch[i].encoded) > 0 {
			b.commands = append(b.commands, b.batch[i].encoded)
		}
	}
	packed, header := b.group.packEntry(b.commands)
	header.TimeMS = b.clock.now()
	data := command.AppendEntry(make([]byte, 0, b.sizeOf()), &header, b.commands)
	future := b.group.raft.Apply(data, 0)
	b.inFlight <- &proposed{future: future, proposals: b.batch, packed: packed}
}

func (b *batcher) sizeOf() int {
	size := 512
	for _, encoded := range b.commands {
		size += len(encoded) + 4
	}
	return size
}

// answerAll is the goroutine that answers entries, in order.
func (b *batcher) answerAll() {
	defer close(b.answered)
	for p := range b.inFlight {
		b.answer(p)
	}
}

// answer answers the proposals of an entry when its fate is known.
func (b *batcher) answer(p *proposed) {
	err := p.future.Error()
	<-b.slots
	var outcome *fsm.Outcome
	if err == nil {
		switch response := p.future.Response().(type) {
		case *fsm.Outcome:
			outcome = response
		case error:
			err = response
		}
	}
	how := statusOf(err)
	b.group.entryDone(&p.packed, how != statusNotLeader)
	at := 0
	for i := range p.proposals {
		waiting := &p.proposals[i]
		if how != statusDone || outcome == nil || len(waiting.encoded) == 0 {
			waiting.finish(how, nil)
			continue
		}
		waiting.finish(how, &outcome.Results[at])
		at++
	}
}

// statusOf is the outcome table: what an error of Raft says about whether the
// entry was applied.
func statusOf(err error) status {
	switch {
	case err == nil:
		return statusDone
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrEnqueueTimeout),
		errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return statusNotLeader
	default: // Leadership lost, shutdown, quarantine: it may be in the log.
		return statusUnknown
	}
}

// maxClockStep is how far the wall clock may run ahead of the monotonic one
// between two entries, beyond what passed.
const maxClockStep = time.Second

// entryClock stamps entries: the wall clock, never going back, and never
// jumping ahead by more than what passed and maxClockStep.
type entryClock struct {
	wall   func() time.Time
	last   int64
	lastAt time.Time
}

func (c *entryClock) now() int64 {
	at := time.Now()
	now := c.wall().UnixMilli()
	if c.last != 0 {
		ceiling := c.last + at.Sub(c.lastAt).Milliseconds() + maxClockStep.Milliseconds()
		now = max(min(now, ceiling), c.last)
	}
	c.last, c.lastAt = now, at
	return now
}
