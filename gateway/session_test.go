package gateway

import (
	"slices"
	"testing"

	"github.com/gobwas/ws"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// TestWelcomeWithoutClient: no client id, no stream.
func TestWelcomeWithoutClient(t *testing.T) {
	e := newEdge(t)
	c := e.connect()
	c.send(`{"type":"hello","tenant":"acme","window":100000}`)
	m := c.expect("welcome")
	for _, field := range []string{"client_id", "epoch", "seq", "oldest", "resumed"} {
		if _, ok := m[field]; ok {
			t.Fatalf("%s is in %v", field, m)
		}
	}
	has(t, m, "node", "n1")
	has(t, m, "tenant", "acme")
	has(t, m, "protocol", spoken.Protocol())
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

// TestSubprotocols: the first that is offered and spoken is chosen, none means
// JSON, and offers of nothing that is spoken are refused with a code.
func TestSubprotocols(t *testing.T) {
	e := newEdge(t)
	for offer, want := range map[string]string{
		"Sec-WebSocket-Protocol: baton.v1.json":                                  "baton.v1.json",
		"Sec-WebSocket-Protocol: baton.v1.binary":                                "baton.v1.binary",
		"Sec-WebSocket-Protocol: baton.v2.binary, baton.v1.binary,baton.v1.json": "baton.v1.binary",
		"Sec-WebSocket-Protocol: baton.v1.json, baton.v1.binary":                 "baton.v1.json",
		"Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: baton.v1.binary":   "baton.v1.binary",
		noOffer: "baton.v1.json",
	} {
		c := e.connect(offer)
		c.send(`{"type":"hello"}`)
		has(t, c.expect("welcome"), "protocol", want)
	}
	c := e.connect("Sec-WebSocket-Protocol: baton.v2.binary")
	c.expectClose(4506)
	contains(t, c.text, "baton.v1.json, baton.v1.binary")
}

// TestFramesOfTheOtherEncoding: a connection has one encoding, in both directions.
func TestFramesOfTheOtherEncoding(t *testing.T) {
	e := newEdge(t)
	c := e.connect("Sec-WebSocket-Protocol: baton.v1.binary")
	c.frame(ws.NewTextFrame([]byte(`{"type":"hello"}`)))
	c.expectClose(4501)
	contains(t, c.text, "text frame on a baton.v1.binary connection")
	c = e.connect("Sec-WebSocket-Protocol: baton.v1.json")
	c.frame(ws.NewBinaryFrame(recode(t, wire.FromClient, wire.Binary, wire.JSON.On([]byte(`{"type":"hello"}`)))))
	c.expectClose(4501)
	contains(t, c.text, "binary frame on a baton.v1.json connection")
}

// TestBadRecords: a record that is refused is answered, with its id, and harms
// nothing behind it; one that cannot be told from the next ends the connection.
func TestBadRecords(t *testing.T) {
	e := newEdge(t)
	c := e.connect("Sec-WebSocket-Protocol: baton.v1.binary")
	c.send(`{"type":"hello"}`)
	c.expect("welcome")
	records := func(messages string) []byte {
		return recode(t, wire.FromClient, wire.Binary, wire.JSON.On([]byte(messages)))
	}
	unknown := records(`{"type":"park","id":3,"lease":"l"}`)
	unknown[4] = 99
	broken := records(`{"type":"publish","id":4,"channel":"q","data":1}`)
	broken[len(broken)-1] = '{'
	c.frame(ws.NewBinaryFrame(slices.Concat(unknown, broken, records(`{"type":"ping","time":5}`))))
	has(t, c.expectError(400, "bad_request"), "id", 3.0)
	m := c.expectError(400, "bad_request")
	has(t, m, "id", 4.0)
	has(t, m, "message", "data must be one JSON value, nested at most 128 deep with the message")
	has(t, c.expect("pong"), "time", 5.0)
	c.frame(ws.NewBinaryFrame(records(`{"type":"ping","time":6}`)[:15]))
	has(t, c.expectError(400, "bad_request"), "message", "malformed record: a header that is cut off")
	c.expectClose(4501)
}

// TestChannelHandles: a publish may name its channel by a number, on its own
// connection; what is forwarded has the name.
func TestChannelHandles(t *testing.T) {
	e := newEdge(t)
	publish := func(id uint64, channel string) ws.Frame {
		m := wire.Publish{ID: id, EventFields: wire.EventFields{
			Channel: []byte(channel), ChannelHandle: 9, Payload: wire.Payload{Bytes: []byte{0, 255}, Kind: wire.PayloadBytes},
		}}
		return ws.NewBinaryFrame(wire.AppendPublish(wire.Binary.On(nil), &m).Bytes)
	}
	c := e.connect("Sec-WebSocket-Protocol: baton.v1.binary")
	c.send(`{"type":"hello"}`)
	c.expect("welcome")
	for id, channel := range []string{"orders", "", ""} {
		c.frame(publish(uint64(id+1), channel))
		stored := e.submission().publish()
		if stored.Event.Channel != "orders" || stored.Event.Payload.Codec != command.CodecBytes || string(stored.Event.Payload.Bytes) != "\x00\xff" {
			t.Fatalf("forwarded %+v", stored.Event)
		}
	}
	other := e.connect("Sec-WebSocket-Protocol: baton.v1.binary")
	other.send(`{"type":"hello"}`)
	other.expect("welcome")
	other.frame(publish(7, ""))
	m := other.expectError(400, "bad_request")
	has(t, m, "id", 7.0)
	has(t, m, "message", "channel_handle 9 is not known on this connection: send it once with channel beside it")
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
