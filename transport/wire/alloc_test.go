package wire

import (
	"io"
	"runtime"
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
			Seq: 42, Name: b("done"), EventID: b("0000000g000g0000c00000000008g"), CorrelationID: b("0000000g000g0000c00000000007g"),
			CausationID: b("0000000g000g0000c00000000007g"), Time: 1790000000000, Payload: event.Payload,
		}}},
		"ok": {FromServer, Message{Type: TypeOK, OK: OK{
			ID: 1, EventID: b("0000000g000g0000c00000000008g"), CorrelationID: b("0000000g000g0000c00000000008g"), Offset: 77,
		}}},
		"ok of a complete": {FromServer, Message{Type: TypeOK, OK: OK{ID: 1, HasEvents: true, Events: [][]byte{b("e-1"), nil}}}},
		"error":            {FromServer, Message{Type: TypeError, Error: NewError(ReasonOverloaded, "busy")}},
	}
}

// TestNoAllocations holds the hot path to its promise, both ways, in both encodings.
func TestNoAllocations(t *testing.T) {
	for name, g := range hotLines() {
		for _, encoding := range []Encoding{JSON, Binary} {
			once := g.m.Append(encoding.On(nil))
			if encoding == JSON {
				once.Bytes = append(once.Bytes, '\n')
			}
			frame := g.m.Append(once).Bytes
			if n := testing.AllocsPerRun(100, decoding(t, encoding, frame, g.from)); n != 0 {
				t.Errorf("decoding %s from %s allocates %v times", name, encoding.Protocol(), n)
			}
			dst := encoding.On(make([]byte, 0, 4096))
			if n := testing.AllocsPerRun(100, func() { g.m.Append(dst) }); n != 0 {
				t.Errorf("encoding %s to %s allocates %v times", name, encoding.Protocol(), n)
			}
		}
	}
}

// decoding reads all of a frame, again and again with one Decoder.
func decoding(t *testing.T, encoding Encoding, frame []byte, from Side) func() {
	t.Helper()
	d, m, handles := NewDecoder(from), new(Message), new(ChannelHandles)
	return func() {
		d.ResetAs(encoding, frame, handles)
		for {
			err := d.Next(m)
			if err == io.EOF { //nolint:errorlint // Next returns it bare
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestHandlesAllocateOnce: a channel's number costs what its name takes, once.
func TestHandlesAllocateOnce(t *testing.T) {
	first := Message{Type: TypePublish, Publish: Publish{ID: 1, EventFields: EventFields{Channel: b("orders.new"), ChannelHandle: 1, Payload: jsonData("1")}}}
	later := Message{Type: TypePublish, Publish: Publish{ID: 2, EventFields: EventFields{ChannelHandle: 1, Payload: jsonData("1")}}}
	frame := later.Append(first.Append(Binary.On(nil))).Bytes
	if n := testing.AllocsPerRun(100, decoding(t, Binary, frame, FromClient)); n != 0 {
		t.Errorf("a handle allocates %v times, every time", n)
	}
}

// TestClaimsAllocateNothing: what a record says of its lengths costs nothing that
// its bytes do not.
func TestClaimsAllocateNothing(t *testing.T) {
	for name, frame := range map[string][]byte{
		"record":  {0xff, 0xff, 0xff, 0x7f, byte(TypePublish), 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0},
		"list":    rec(TypeRenew, 0, 0, spell(fieldLeases, kindList, "\xff\xff\xff\x7f")),
		"text":    rec(TypeRelease, 0, 0, spell(fieldLease, kindText, "\xff\xff\xff\xff\x0f")),
		"nothing": rec(TypeRenewed, 0, 0, spell(fieldLeases, kindList, group(""))),
	} {
		d, m := NewDecoder(FromClient), new(Message)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			d.ResetAs(Binary, frame, nil)
			if err := d.Next(m); err == nil {
				t.Fatalf("%s was taken", name)
			}
		}
		runtime.ReadMemStats(&after)
		if used := (after.TotalAlloc - before.TotalAlloc) / 100; used > 2<<10 { // the error, its sentence
			t.Errorf("%s: %d bytes", name, used)
		}
	}
}

// measured is a hot message in one encoding.
type measured struct {
	golden

	name     string
	encoding Encoding
}

func hot() (all []measured) {
	lines := hotLines()
	for _, name := range []string{"publish", "job", "complete", "notify", "ok", "ack"} {
		all = append(all, measured{lines[name], name, JSON}, measured{lines[name], name + "/binary", Binary})
	}
	return all
}

// BenchmarkDecode reads one message per iteration.
func BenchmarkDecode(bench *testing.B) {
	for _, h := range hot() {
		frame := h.m.Append(h.encoding.On(nil)).Bytes
		bench.Run(h.name, func(bench *testing.B) {
			d, m := NewDecoder(h.from), new(Message)
			bench.SetBytes(int64(len(frame)))
			bench.ReportAllocs()
			for bench.Loop() {
				d.ResetAs(h.encoding, frame, nil)
				if err := d.Next(m); err != nil {
					bench.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkEncode writes one message per iteration.
func BenchmarkEncode(bench *testing.B) {
	for _, h := range hot() {
		bench.Run(h.name, func(bench *testing.B) {
			dst := h.m.Append(h.encoding.On(nil))
			bench.SetBytes(int64(len(dst.Bytes)))
			bench.ReportAllocs()
			for bench.Loop() {
				dst = h.m.Append(h.encoding.On(dst.Bytes[:0]))
			}
		})
	}
}
