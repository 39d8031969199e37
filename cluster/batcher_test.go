package cluster

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"github.com/batonmq/baton/fsm/command"
)

// idleBatcher is a batcher whose packing goroutine the test plays.
func idleBatcher() *batcher { return &batcher{wake: make(chan struct{}, 1), stop: make(chan struct{})} }

// nudged tells whether the packing goroutine was woken.
func (b *batcher) nudged() bool {
	select {
	case <-b.wake:
		return true
	default:
		return false
	}
}

// TestEntriesAreBounded: an entry is filled as far as its bounds allow, one command
// always fits, and the order stays.
func TestEntriesAreBounded(t *testing.T) {
	sizes := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, command.MaxEntryBytes+1))
	large := make([]byte, command.MaxEntryBytes+1)
	rapid.Check(t, func(t *rapid.T) {
		b, queued := idleBatcher(), []int{}
		for range rapid.IntRange(1, 8).Draw(t, "runs") {
			size := sizes.Draw(t, "size")
			for range rapid.SampledFrom([]int{1, 2, command.MaxEntryCommands}).Draw(t, "count") {
				if b.add(proposal{encoded: large[:size]}) {
					queued = append(queued, size)
				}
			}
		}
		for b.take() {
			count, size := len(b.batch), 0
			for i := range b.batch {
				if got := len(b.batch[i].encoded); got != queued[i] {
					t.Fatalf("a command of %d bytes where one of %d is next", got, queued[i])
				}
				size += queued[i]
			}
			if count > command.MaxEntryCommands || size > command.MaxEntryBytes && count > 1 {
				t.Fatalf("an entry has %d commands of %d bytes", count, size)
			}
			queued = queued[count:]
			if len(queued) > 0 && count < command.MaxEntryCommands && size+queued[0] <= command.MaxEntryBytes {
				t.Fatalf("an entry of %d commands and %d bytes has room for %d bytes more", count, size, queued[0])
			}
		}
		if len(queued) > 0 || b.mu.bytes != 0 {
			t.Fatalf("%d commands and %d bytes are left", len(queued), b.mu.bytes)
		}
	})
}

// TestQueueIsBounded: what is too much is refused, and taking makes room.
func TestQueueIsBounded(t *testing.T) {
	b := idleBatcher()
	for range MaxQueuedCommands {
		if !b.add(proposal{}) {
			t.Fatal("the queue takes less than it should")
		}
	}
	if b.add(proposal{}) {
		t.Error("the queue takes more commands than it should")
	}
	if b.take(); !b.add(proposal{}) {
		t.Error("taking makes no room")
	}
	b = idleBatcher()
	b.add(proposal{encoded: make([]byte, MaxQueuedBytes), lazy: true})
	if b.add(proposal{encoded: []byte{1}, lazy: true}) {
		t.Error("the queue takes more bytes than it should")
	}
}

// TestLazyCommandsWait: a command that nobody waits for has no entry made, but
// rides along with one that has; pressLazy presses for it, and for it only.
func TestLazyCommandsWait(t *testing.T) {
	b := idleBatcher()
	if b.pressLazy(); b.nudged() || b.take() {
		t.Error("an entry is made of nothing")
	}
	b.add(proposal{encoded: []byte("lazy"), lazy: true})
	if b.nudged() || b.take() {
		t.Error("a lazy command has an entry made")
	}
	b.add(proposal{encoded: []byte("pressing")})
	if !b.nudged() || !b.take() || len(b.batch) != 2 {
		t.Errorf("an entry of both has %d commands", len(b.batch))
	}
	b.add(proposal{encoded: []byte("lazy"), lazy: true})
	if b.pressLazy(); !b.nudged() || !b.take() || len(b.batch) != 1 || b.take() {
		t.Error("a lazy command is not pressed for once")
	}
}

// TestPressMakesAnEntryOfNothing: credit and timers need one without commands.
func TestPressMakesAnEntryOfNothing(t *testing.T) {
	b := idleBatcher()
	if b.press(); !b.nudged() || !b.take() || len(b.batch) != 0 || b.take() {
		t.Error("credit and timers have no entry made, or more than one")
	}
}

// TestFlushAnswersAll: who waits is told, once, and nothing is packed afterwards.
func TestFlushAnswersAll(t *testing.T) {
	b := idleBatcher()
	var told []status
	for range 3 {
		b.add(proposal{encoded: []byte("x"), done: func(how status, result *command.Result) {
			if result != nil {
				t.Error("there is no result")
			}
			told = append(told, how)
		}})
	}
	b.add(proposal{encoded: []byte("nobody waits")})
	b.flush(statusNotLeader)
	b.flush(statusUnknown)
	if len(told) != 3 || told[0] != statusNotLeader || told[1] != told[0] || told[2] != told[0] {
		t.Errorf("told %v", told)
	}
	if b.take() || b.mu.bytes != 0 {
		t.Error("something is left")
	}
}

// TestEntryClock: entries' times never go back, and run ahead by no more than what
// passed and maxClockStep, whatever the wall clock does.
func TestEntryClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := entryClock{wall: time.Now}
		first := c.now()
		if first != time.Now().UnixMilli() {
			t.Errorf("the first time is %d, the wall clock's %d", first, time.Now().UnixMilli())
		}
		time.Sleep(time.Hour)
		if got := c.now(); got != first+time.Hour.Milliseconds() {
			t.Errorf("an hour later is %d after", got-first)
		}
		c.last += time.Minute.Milliseconds() // The wall clock goes back by a minute.
		ahead := c.last
		time.Sleep(time.Second)
		if got := c.now(); got != ahead {
			t.Errorf("a clock behind its last entry goes by %d", got-ahead)
		}
		time.Sleep(time.Minute)
		if got := c.now(); got != time.Now().UnixMilli() {
			t.Errorf("when the wall clock has caught up it is not followed")
		}
		c.last -= time.Hour.Milliseconds() // The wall clock jumps ahead by an hour.
		behind := c.last
		time.Sleep(500 * time.Millisecond)
		if got := c.now() - behind; got != 500+maxClockStep.Milliseconds() {
			t.Errorf("after a jump of an hour half a second later is %d ms after", got)
		}
	})
}

// slowFuture is an entry that Raft answers when the test says so.
type slowFuture struct {
	raft.ApplyFuture

	answer chan error
}

func (f *slowFuture) Error() error { return <-f.answer }

// TestEndOfABatcher: the entries in flight are waited for, but not for ever: Raft
// may have forgotten one.
func TestEndOfABatcher(t *testing.T) {
	for _, late := range []time.Duration{time.Second, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			b := &batcher{
				group: &Group{}, stop: make(chan struct{}), answered: make(chan struct{}),
				inFlight: make(chan *proposed, 1), slots: make(chan struct{}, 1),
			}
			future := &slowFuture{answer: make(chan error)}
			var how status
			b.slots <- struct{}{}
			b.inFlight <- &proposed{future: future, proposals: []proposal{{done: func(s status, _ *command.Result) { how = s }}}}
			close(b.inFlight)
			go b.answerAll()
			time.AfterFunc(late, func() { future.answer <- raft.ErrLeadershipLost })
			if answered := b.end(t.Context()); answered != (late < answerPatience) {
				t.Errorf("an entry is answered after %v: %t", late, answered)
			} else if answered && how != statusUnknown {
				t.Errorf("the command got status %d", how)
			}
			<-b.answered
		})
	}
}
