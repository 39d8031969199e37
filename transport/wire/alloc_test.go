package wire

import (
	"io"
	"testing"
)

// hotLines are the messages that must cost no allocation.
func hotLines() map[string]golden {
	event := EventFields{
		Channel: b("orders.new"), IdempotencyKey: b("i-18c2f0"), Key: b("user-7"),
		Headers: []Header{{Name: b("traceparent"), Value: b("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}},
		Payload: jsonData(`{"order":{"id":18273,"lines":[{"sku":"A-1","n":2},{"sku":"B-9","n":1}],"note":"leave it at the door, please; the bell is broken and the dog is not","total":118.5,"paid":true}}`),
	}
	emit := Emit{EventFields: event}
	return map[string]golden{
		"publish": {FromClient, Message{Type: TypePublish, Publish: Publish{ID: 18273, EventFields: event}}},
		"complete": {FromClient, Message{Type: TypeComplete, Complete: Complete{
			ID: 991, Lease: b("p3.18273.default.1.77.c0ffee"), Result: Raw(`{"ok":true}`), Emit: []Emit{emit},
			Notify: []NotifyItem{{Name: b("order.done"), Payload: event.Payload}},
		}}},
		"escapes": {FromClient, Message{Type: TypePublish, Publish: Publish{ID: 1, EventFields: EventFields{
			Channel: b("a"), Key: b("\"quoted\"\n"), Payload: binData("some bytes"),
		}}}},
		"ack":    {FromClient, Message{Type: TypeAck, Ack: Ack{Seq: 42}}},
		"credit": {FromClient, Message{Type: TypeCredit, Credit: Credit{Subscription: b("s1"), Credit: 8}}},
		"renew": {FromClient, Message{Type: TypeRenew, Renew: Renew{Leases: []RenewLease{
			{Lease: b("l1")},
			{Lease: b("l2"), Progress: Raw("0.5")},
		}}}},
		"job": {FromServer, Message{Type: TypeJob, Job: Job{
			Subscription: b("s1"), Lease: b("p3.18273.default.1.77.c0ffee"), Fence: 77, EventID: b("e-18273"),
			Channel: b("orders.new"), Group: b("default"), Attempt: 1, LeaseMs: 30000, Key: b("user-7"),
			IdempotencyKey: b("i-18c2f0"), CorrelationID: b("e-18273"), CausationID: b("e-18273"), ClientID: b("user-7"),
			Tenant: b("default"), Headers: event.Headers, Payload: event.Payload,
		}}},
		"notify": {FromServer, Message{Type: TypeNotify, Notify: Notify{
			Seq: 42, Name: b("done"), EventID: b("e-1"), CorrelationID: b("c-1"), CausationID: b("e-0"), Time: 1790000000000,
			Payload: event.Payload,
		}}},
		"ok":               {FromServer, Message{Type: TypeOK, OK: OK{ID: 1, EventID: b("e-1"), CorrelationID: b("c-1"), Offset: 77}}},
		"ok of a complete": {FromServer, Message{Type: TypeOK, OK: OK{ID: 1, HasEvents: true, Events: [][]byte{b("e-1"), nil}}}},
		"error":            {FromServer, Message{Type: TypeError, Error: NewError(ReasonOverloaded, "busy")}},
	}
}

// TestNoAllocations holds the hot path to its promise, both ways.
func TestNoAllocations(t *testing.T) {
	for name, g := range hotLines() {
		frame := g.m.json()
		frame = g.m.Append(JSON.On(append(frame, '\n'))).Bytes
		d, m := NewDecoder(g.from), new(Message)
		decode := func() {
			d.Reset(frame)
			for {
				err := d.Next(m)
				if err == io.EOF { //nolint:errorlint // Next returns it bare
					return
				}
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		if n := testing.AllocsPerRun(100, decode); n != 0 {
			t.Errorf("decoding %s allocates %v times", name, n)
		}
		dst := make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { dst = g.m.Append(JSON.On(dst[:0])).Bytes }); n != 0 {
			t.Errorf("encoding %s allocates %v times", name, n)
		}
	}
}

// BenchmarkDecode reads one message per iteration.
func BenchmarkDecode(bench *testing.B) {
	for _, name := range []string{"publish", "job", "complete", "ok", "ack"} {
		g := hotLines()[name]
		frame := g.m.json()
		bench.Run(name, func(bench *testing.B) {
			d, m := NewDecoder(g.from), new(Message)
			bench.SetBytes(int64(len(frame)))
			bench.ReportAllocs()
			for bench.Loop() {
				d.Reset(frame)
				if err := d.Next(m); err != nil {
					bench.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode writes one message per iteration.
func BenchmarkEncode(bench *testing.B) {
	for _, name := range []string{"publish", "job", "complete", "ok", "ack"} {
		g := hotLines()[name]
		bench.Run(name, func(bench *testing.B) {
			dst := g.m.json()
			bench.SetBytes(int64(len(dst)))
			bench.ReportAllocs()
			for bench.Loop() {
				dst = g.m.Append(JSON.On(dst[:0])).Bytes
			}
		})
	}
}
