package gateway

import (
	"errors"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/fsm/command"
)

// fakeFollower records what a follower is told.
type fakeFollower struct {
	broker  *fakeBroker
	spec    FollowSpec
	sink    FollowSink
	resumed chan struct{}
	commits chan string
	closed  chan struct{}
}

func (b *fakeBroker) Follow(spec FollowSpec, sink FollowSink) Follower {
	f := &fakeFollower{
		broker: b, spec: spec, sink: sink,
		resumed: make(chan struct{}, 100_000), commits: make(chan string, 100), closed: make(chan struct{}),
	}
	b.mu.Lock()
	result, hold := b.result, b.holdFollow
	b.mu.Unlock()
	if !hold {
		sink.Began(&result, []byte("cursor0"))
	}
	b.followed <- f
	return f
}

func (f *fakeFollower) Resume() { f.resumed <- struct{}{} }

func (f *fakeFollower) Commit(cursor []byte) error {
	if string(cursor) == "bad" {
		return errors.New("the cursor is none")
	}
	f.commits <- string(cursor)
	return nil
}

func (f *fakeFollower) Close(to Replier, slot uint64) {
	close(f.closed)
	if to == nil {
		return
	}
	f.broker.mu.Lock()
	result, hold := f.broker.result, f.broker.hold
	f.broker.mu.Unlock()
	if hold {
		f.broker.submissions <- submission{to: to, slot: slot, through: "unfollow"}
	} else {
		to.Reply(slot, &result)
	}
}

// give hands events on as the cluster does, until there is no room; it returns how
// many.
func (f *fakeFollower) give(events int, data string) (given int) {
	for given < events && f.sink.Room() {
		given++
		f.sink.Event(followed(uint64(given), data), []byte("cursor"))
	}
	return given
}

func followed(position uint64, data string) *cluster.FollowedEvent {
	return &cluster.FollowedEvent{Followed: command.Followed{
		ID: command.EventID{Epoch: 1, Partition: 3, Queue: 2, Position: position}, CorrelationID: "co", CausationID: "ca",
		StoredMS: 1000, DeliverMS: 5000,
		Event: command.Event{
			Channel: "c", Tenant: "t", ClientID: "ann", Key: "k", IdempotencyKey: "i", Headers: []byte(`{"h":"v"}`),
			ContentType: "x", ClientSeq: 7, TTLMS: 9000, Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(data)},
		},
	}}
}
