package gateway

import (
	"fmt"
	"testing"
)

// slowToEnd is a broker whose streams end when they are let.
type slowToEnd struct {
	*fakeBroker

	ending chan struct{}
	let    chan struct{}
}

// Attach implements Broker.
func (b *slowToEnd) Attach(_ StreamSpec, sink StreamSink) Stream {
	sink.Attached(StreamState{Epoch: "e1", Oldest: 1})
	return &slowStream{b: b}
}

type slowStream struct {
	quickStream

	b *slowToEnd
}

// Close implements Stream.
func (s *slowStream) Close() {
	s.b.ending <- struct{}{}
	<-s.b.let
}

// TestConnectionsEndInTurns: of many whose other side is gone at once some are ended at a
// time, while those that live go on, and all in the end.
func TestConnectionsEndInTurns(t *testing.T) {
	const many = 3 * maxEnds
	b := &slowToEnd{fakeBroker: newFakeBroker(), ending: make(chan struct{}, many), let: make(chan struct{})}
	e := newEdge(t, func(c *Config) { c.Broker = b })
	t.Cleanup(func() { close(b.let) }) // Before the edge's own, which waits for all.
	living := e.open(`{"type":"hello"}`)
	var gone []*client
	for i := range many {
		gone = append(gone, e.open(fmt.Sprintf(`{"type":"hello","client_id":"c%d"}`, i)))
	}
	for _, c := range gone {
		_ = c.conn.Close()
	}
	for ended := 0; ended < many; ended += maxEnds {
		for range maxEnds {
			<-b.ending
		}
		living.alive()
		if more := len(b.ending); more != 0 {
			t.Fatalf("%d end beside %d", more, maxEnds)
		}
		for range maxEnds {
			b.let <- struct{}{}
		}
	}
	e.awaitConnections(1)
}
