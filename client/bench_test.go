package client

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/batonmq/baton/transport/wire"
)

// BenchmarkPublish is what a publish costs on this side of the socket: encoding,
// the table of requests, the answer. The socket itself is left out.
func BenchmarkPublish(b *testing.B) {
	c := &Client{flight: newFlight(), prefix: newPrefix(), room: make(chan struct{}, 64)}
	c.flight.attach(&session{out: newOutbox(wire.JSON), maxInFlight: 64, maxMessage: 1 << 20})
	data := json.RawMessage(`{"text":"` + string(make256()) + `"}`)
	ok := wire.OK{EventID: []byte("0123456789abcdef"), CorrelationID: []byte("0123456789abcdef")}
	frames := make([]byte, 0, 1<<16)
	b.ReportAllocs()
	for b.Loop() {
		err := c.PublishAsync(context.Background(), Event{Channel: "questions", Data: data}, func(Receipt, error) {})
		if err != nil {
			b.Fatal(err)
		}
		c.flight.answered(c.flight.ids.Load(), &ok, nil)
		frames, _ = c.flight.session.out.take(frames[:0])
	}
}

func make256() []byte {
	text := make([]byte, 256)
	for i := range text {
		text[i] = 'x'
	}
	return text
}
