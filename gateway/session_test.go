package gateway

import (
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestWelcomeWithoutClient: no client id, no stream.
func TestWelcomeWithoutClient(t *testing.T) {
	e := newEdge(t)
	c := e.connect("Sec-WebSocket-Protocol: baton.v1.binary, baton.v1.json")
	c.send(`{"type":"hello","tenant":"acme","window":100000}`)
	m := c.expect("welcome")
	for _, field := range []string{"client_id", "epoch", "seq", "oldest", "resumed"} {
		if _, ok := m[field]; ok {
			t.Fatalf("%s is in %v", field, m)
		}
	}
	has(t, m, "node", "n1")
	has(t, m, "tenant", "acme")
	has(t, m, "protocol", "baton.v1.json")
	has(t, m, "heartbeat_ms", 25000.0)
	limits, _ := m["limits"].(map[string]any)
	has(t, limits, "max_in_flight", 64.0)
	has(t, limits, "max_message_bytes", float64(1<<20))
	has(t, limits, "max_payload_bytes", float64(64<<10))
	has(t, limits, "window", 4096.0)
	nodes, _ := m["nodes"].([]any)
	if len(nodes) != 2 || nodes[0] != "ws://127.0.0.1:7700/ws" || nodes[1] != "wss://two.example.com:7710/ws" {
		t.Fatalf("nodes are %v", nodes)
	}
	if session, _ := m["session"].(string); len(session) < 20 {
		t.Fatalf("session is %v", m["session"])
	}
}

// TestWelcomeWithClient: the stream is asked for as hello says, and described in welcome.
func TestWelcomeWithClient(t *testing.T) {
	e := newEdge(t)
	c := e.connect()
	c.send(`{"type":"hello","client_id":"ann","window":7,"resume":{"epoch":"e1","seq":3},"ready":false}` + "\n" + `{"type":"ping","time":1}`)
	m := c.expect("welcome")
	has(t, m, "tenant", "default")
	has(t, m, "client_id", "ann")
	has(t, m, "epoch", "e1")
	has(t, m, "seq", 5.0)
	has(t, m, "oldest", 2.0)
	has(t, m, "resumed", "full")
	c.expect("pong")
	stream := <-e.broker.attached
	want := StreamSpec{Tenant: "default", ClientID: "ann", DeviceID: "default", Resume: ResumeSeq, Epoch: "e1", Seq: 3, Window: 7, Hold: true}
	if stream.spec != want {
		t.Fatalf("attached %+v, want %+v", stream.spec, want)
	}
	c.send(`{"type":"ready"}`)
	<-stream.ready
	_ = c.conn.Close()
	<-stream.closed
}

// TestWelcomeComesFirst: whatever a client sends behind its hello waits for welcome.
func TestWelcomeComesFirst(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.holdAttach = true })
	c := e.connect()
	c.send(`{"type":"hello","client_id":"ann","device_id":"phone","resume":"live"}`)
	c.send(`{"type":"publish","id":1,"channel":"c","data":1}`)
	stream := <-e.broker.attached
	if stream.spec.Resume != ResumeLive || stream.spec.DeviceID != "phone" || stream.spec.Hold {
		t.Fatalf("attached %+v", stream.spec)
	}
	stream.sink.Attached(StreamState{Epoch: "e1", Oldest: 1, Resumed: ResumedPartial})
	stream.sink.Gap(1, 2, "trimmed")
	has(t, c.expect("welcome"), "resumed", "partial")
	for range 2 {
		if m := c.next(); m["type"] != "ok" && m["type"] != "gap" {
			t.Fatalf("got %v", m)
		}
	}
}

// TestNoStream: who cannot have a stream is told to come again.
func TestNoStream(t *testing.T) {
	e := newEdge(t)
	e.broker.set(func() { e.broker.state = StreamState{Reason: command.NoLeader} })
	c := e.connect()
	c.send(`{"type":"hello","client_id":"ann"}`)
	m := c.expectError(503, "no_leader")
	has(t, m, "retryable", true)
	c.expectClose(4002)
}

// TestSubprotocols: none and JSON are spoken, binary alone is refused with a code.
func TestSubprotocols(t *testing.T) {
	e := newEdge(t)
	c := e.connect("Sec-WebSocket-Protocol: baton.v1.binary")
	c.expectClose(4506)
	c = e.connect("Sec-WebSocket-Protocol: baton.v1.json")
	c.send(`{"type":"hello"}`)
	c.expect("welcome")
}

// TestByeReleasesJobs: a bye hands every job back, by partition.
func TestByeReleasesJobs(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	s := e.subscribe(c, 2100)
	want := make(map[command.LeaseID]bool)
	for i := range 2100 {
		lease := leaseOf(uint16(i%2), uint64(i+1))
		want[lease] = true
		s.sink.Job(&command.Job{Lease: lease, LeaseMS: 1000, Event: command.Event{Channel: "c"}})
	}
	c.send(`{"type":"bye"}`)
	c.expectClose(1000)
	<-s.closed
	for len(want) > 0 {
		sub := e.submission()
		if sub.prefix.Kind != command.KindRelease || command.PartitionOf(sub.prefix.Slot, fakePartitions) != sub.partition {
			t.Fatalf("got %+v", sub.prefix)
		}
		for _, lease := range sub.release().Leases {
			if !want[lease] || uint32(lease.Event.Partition) != sub.partition {
				t.Fatalf("%v is released in partition %d", lease, sub.partition)
			}
			delete(want, lease)
		}
	}
}
