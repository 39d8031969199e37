package gateway

import (
	"testing"

	"github.com/batonmq/baton/fsm/command"
)

// TestStream: notifications, gaps and acknowledgements.
func TestStream(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","client_id":"ann"}`)
	stream := <-e.broker.attached
	event := command.EventID{Epoch: 1, Queue: 1, Position: 9}
	stream.sink.Gap(3, 5, "epoch")
	for seq := range uint64(3) {
		stream.sink.Notification(&command.Notification{
			Seq: 6 + seq, Name: "answer", Event: event, CorrelationID: "co", CausationID: "ca", TimeMS: 1000,
			Payload: command.Payload{Codec: command.CodecJSON, Bytes: []byte(`{"a":1}`)},
		}, seq == 0)
	}
	stream.sink.Synced(8)
	m := c.expect("gap")
	has(t, m, "from", 3.0)
	has(t, m, "to", 5.0)
	has(t, m, "reason", "epoch")
	m = c.expect("notify")
	for field, want := range map[string]any{
		"seq": 6.0, "name": "answer", "event_id": event.String(), "correlation_id": "co", "causation_id": "ca", "time": 1000.0, "redelivered": true,
	} {
		has(t, m, field, want)
	}
	if _, ok := c.expect("notify")["redelivered"]; ok {
		t.Fatal("it came once")
	}
	c.expect("notify")
	has(t, c.expect("synced"), "seq", 8.0)

	c.send(`{"type":"ack","seq":7}`)
	ack := <-stream.acks
	if ack.seq != 7 || len(ack.delivered) != 2 || ack.delivered[0].Seq != 6 || ack.delivered[1].Seq != 7 || ack.delivered[0].TimeMS == 0 {
		t.Fatalf("%+v", ack)
	}
	c.send(`{"type":"ack","seq":9}`)
	c.expectError(400, "bad_request")
	c.send(`{"type":"ack","seq":8}`)
	if ack = <-stream.acks; ack.seq != 8 || len(ack.delivered) != 1 {
		t.Fatalf("%+v", ack)
	}
	c.alive()
}
