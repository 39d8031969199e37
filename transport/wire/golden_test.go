package wire

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func b(text string) []byte { return []byte(text) }

func jsonData(text string) Payload { return Payload{Bytes: b(text), Kind: PayloadJSON} }

func binData(text string) Payload { return Payload{Bytes: b(text), Kind: PayloadBytes} }

// fullEvent has every publish field set.
func fullEvent(data Payload) EventFields {
	return EventFields{
		Channel: b("orders.new"), IdempotencyKey: b("i-1"), CorrelationID: b("c-1"), CausationID: b("e-0"),
		Key: b("user \"7\"\n"), ClientSeq: 9, Priority: 7, DelayMs: 1500, DeliverAt: 1790000000000, TTLMs: 60000,
		Headers:     []Header{{Name: b("traceparent"), Value: b("00-ab-cd-01")}, {Name: b(""), Value: b("naïve \\ \u2028")}},
		ContentType: b("application/json"), Payload: data,
	}
}

type golden struct {
	from Side
	m    Message
}

// fromClients are the lines of testdata/client.jsonl.
func fromClients() []golden {
	var list []golden
	add := func(m Message) { list = append(list, golden{FromClient, m}) }
	add(Message{Type: TypeHello})
	add(Message{Type: TypeHello, Hello: Hello{
		Token: b("t"), Tenant: b("acme"), ClientID: b("ana"), DeviceID: b("phone"), Window: 64,
		Resume: Resume{Kind: ResumeAfter, Epoch: b("x1"), Seq: 41}, Ready: No, Name: b("baton-go"), Version: b("1.0"),
	}})
	add(Message{Type: TypeHello, Hello: Hello{ClientID: b("ana"), Resume: Resume{Kind: ResumeLive}, Ready: Yes}})
	add(Message{Type: TypeReady})
	add(Message{Type: TypeBye})
	add(Message{Type: TypePing})
	add(Message{Type: TypePing, Ping: Ping{Time: 1790000000000}})
	add(Message{Type: TypePong, Pong: Pong{Time: 1790000000000}})
	add(Message{Type: TypeAuth, Auth: Auth{ID: 3, Token: b("t2")}})
	add(Message{Type: TypePublish, Publish: Publish{EventFields: EventFields{Channel: b("a"), Payload: jsonData("null")}}})
	add(Message{Type: TypePublish, Publish: Publish{ID: MaxInteger, EventFields: fullEvent(jsonData(`{"a": [1.50, "\ud800"]}`))}})
	add(Message{Type: TypePublish, Publish: Publish{ID: 1, EventFields: EventFields{Channel: b("a"), Payload: binData("\x00\xff")}}})
	add(Message{Type: TypeAck, Ack: Ack{Seq: 42}})
	add(Message{Type: TypeSubscribe, Subscribe: Subscribe{ID: 1, Channel: b("a"), Credit: 0}})
	add(Message{Type: TypeSubscribe, Subscribe: Subscribe{
		ID: 1, Channel: b("a"), Group: b("g"), From: From{Kind: FromNew}, Credit: 16, LeaseMs: 30000,
	}})
	add(Message{Type: TypeCredit, Credit: Credit{Subscription: b("s1"), Credit: 8}})
	add(Message{Type: TypeRenew, Renew: Renew{Leases: []RenewLease{
		{Lease: b("l1")},
		{Lease: b("l2"), Progress: Raw("0.5"), Checkpoint: Raw(`{"page":3}`)},
	}}})
	add(Message{Type: TypeComplete, Complete: Complete{ID: 5, Lease: b("l1")}})
	add(Message{Type: TypeComplete, Complete: Complete{
		ID: 5, Lease: b("l1"), Result: Raw("null"), Usage: Raw(`{"tokens":12}`),
		Emit: []Emit{
			{EventFields: fullEvent(jsonData("1")), ClientID: b("bob")},
			{EventFields: EventFields{Channel: b("z"), Payload: binData("")}},
		},
		Notify: []NotifyItem{{Name: b("done"), Payload: jsonData("{}")}, {ClientID: b("bob"), Name: b("n"), Payload: binData("hi")}},
	}})
	add(Message{Type: TypeFail, Fail: Fail{ID: 6, Lease: b("l1"), Error: FailError{Code: b("429"), Message: b("slow down")}}})
	add(Message{Type: TypeFail, Fail: Fail{
		ID: 6, Lease: b("l1"), Error: FailError{Code: b("limit"), Message: b("m"), Detail: Raw("[1]")},
		Retryable: No, RetryAfterMs: 1000, Throttled: true,
	}})
	add(Message{Type: TypeRelease, Release: Release{Lease: b("l1")}})
	add(Message{Type: TypePark, Park: Park{ID: 7, Lease: b("l1")}})
	add(Message{Type: TypePark, Park: Park{ID: 8, Lease: b("l1"), TimeoutMs: 60000}})
	add(Message{Type: TypeUnsubscribe, Unsubscribe: Unsubscribe{ID: 8, Subscription: b("s1")}})
	add(Message{Type: TypeFollow, Follow: Follow{ID: 9, Channel: b("a")}})
	add(Message{Type: TypeFollow, Follow: Follow{ID: 9, Channel: b("a"), From: From{Kind: FromEarliest}, Name: b("f"), Window: 100}})
	add(Message{Type: TypeFollow, Follow: Follow{ID: 9, Channel: b("a"), From: From{Kind: FromCursor, Cursor: b("k")}}})
	add(Message{Type: TypeFollow, Follow: Follow{ID: 9, Channel: b("a"), From: From{Kind: FromTime, Time: 1790000000000}}})
	add(Message{Type: TypeCommit, Commit: Commit{Subscription: b("s1"), Cursor: b("k")}})
	add(Message{Type: TypeChunk, Chunk: Chunk{Lease: b("l1"), Stream: b("text"), Offset: 12, Payload: jsonData(`"Hel"`)}})
	add(Message{Type: TypeChunk, Chunk: Chunk{Lease: b("l1"), Offset: 15, Final: true}})
	add(Message{Type: TypeRead, Read: Read{ID: 10, Stream: b("text"), Offset: 12}})
	add(Message{Type: TypeCancel, Cancel: Cancel{ID: 11, CorrelationID: b("c-1"), Reason: b("changed my mind")}})
	add(Message{Type: TypeCancel, Cancel: Cancel{ID: 11, Run: b("r-1")}})
	add(Message{Type: TypeCancel, Cancel: Cancel{ID: 11, EventID: b("e-1")}})
	add(Message{Type: TypeCheckpoint, Checkpoint: Checkpoint{ID: 12, Lease: b("l1"), Checkpoint: Raw(`{"page":3}`)}})
	ending := fullEvent(jsonData("1"))
	ending.OnEnd = b("answered")
	add(Message{Type: TypePublish, Publish: Publish{ID: 12, EventFields: ending}})
	add(Message{Type: TypeRead, Read: Read{ID: 10, Stream: b("text"), Attempt: 2, Offset: 12}})
	add(Message{Type: TypeListen, Listen: Listen{ID: 13, ClientID: b("ana")}})
	add(Message{Type: TypeListen, Listen: Listen{
		ID: 13, ClientID: b("ana"), DeviceID: b("phone"), Window: 16, Resume: Resume{Kind: ResumeAfter, Epoch: b("x1"), Seq: 41},
	}})
	add(Message{Type: TypeUnlisten, Unlisten: Unlisten{ID: 14, Subscription: b("l1")}})
	add(Message{Type: TypeAck, Ack: Ack{Subscription: b("l1"), Seq: 42}})
	add(Message{Type: TypePublish, Publish: Publish{ID: 15, ClientID: b("ana"), EventFields: EventFields{Channel: b("a"), Payload: jsonData("1")}}})
	add(Message{Type: TypeBroadcast, Broadcast: Broadcast{
		ID: 16, ClientIDs: [][]byte{b("ana"), b("ben")}, Name: b("news"), IdempotencyKey: b("i-1"), CorrelationID: b("c-1"),
		CausationID: b("e-0"), Payload: jsonData(`{"n":1}`),
	}})
	return list
}

// fromServers are the lines of testdata/server.jsonl.
func fromServers() []golden {
	var list []golden
	add := func(m Message) { list = append(list, golden{FromServer, m}) }
	add(Message{Type: TypeWelcome, Welcome: Welcome{
		Session: b("ses"), Node: b("n1"), Tenant: b("acme"), ClientID: b("ana"), Epoch: b("x1"), Seq: 44, Oldest: 2,
		Resumed: ResumedPartial, Protocol: b("baton.v1.json"), Features: [][]byte{b("streams")},
		Limits: Limits{MaxInFlight: 64, MaxMessageBytes: 1 << 20, MaxPayloadBytes: 64 << 10, Window: 64},
		Nodes:  [][]byte{b("ws://a/ws"), b("ws://b/ws")}, HeartbeatMs: 25000, ServerTime: 1790000000000,
	}})
	add(Message{Type: TypeWelcome, Welcome: Welcome{Session: b("ses"), Node: b("n1"), Tenant: b("default"), Protocol: b("baton.v1.json")}})
	add(Message{Type: TypeBye, Bye: Bye{Reason: b("drain"), Reconnect: true, AfterMs: 120, Nodes: [][]byte{b("ws://b/ws")}}})
	add(Message{Type: TypePing, Ping: Ping{Time: 1}})
	add(Message{Type: TypePong})
	add(Message{Type: TypeOK, OK: OK{ID: 1}})
	add(Message{Type: TypeOK, OK: OK{ID: 1, EventID: b("e-1"), CorrelationID: b("c-1"), Offset: 77}})
	add(Message{Type: TypeOK, OK: OK{ID: 1, EventID: b("e-1"), CorrelationID: b("c-1"), Duplicate: true}})
	add(Message{Type: TypeOK, OK: OK{ID: 2, HasEvents: true}})
	add(Message{Type: TypeOK, OK: OK{ID: 2, HasEvents: true, Events: [][]byte{b("e-2"), nil}, Duplicate: true}})
	add(Message{Type: TypeOK, OK: OK{ID: 3, Subscription: b("s1"), Cursor: b("k")}})
	add(Message{Type: TypeError, Error: NewError(ReasonBadRequest, "type is missing")})
	add(Message{Type: TypeError, Error: Error{
		ID: 4, HasID: true, Code: 429, Reason: ReasonRateLimited, Message: b("slow"), Retryable: true, RetryAfterMs: 50,
	}})
	add(Message{Type: TypeNotify, Notify: Notify{
		Seq: 42, Name: b("done"), EventID: b("e-1"), CorrelationID: b("c-1"), CausationID: b("e-0"), Time: 1790000000000,
		Redelivered: true, Payload: jsonData(`{"ok":true}`),
	}})
	add(Message{Type: TypeGap, Gap: Gap{From: 3, To: 9}})
	add(Message{Type: TypeGap, Gap: Gap{From: 3, To: 9, Reason: GapEpoch}})
	add(Message{Type: TypeSynced, Synced: Synced{Seq: 44}})
	add(Message{Type: TypeJob, Job: Job{
		Subscription: b("s1"), Lease: b("l1"), Fence: 12, EventID: b("e-1"), Channel: b("a"), Group: b("default"), Attempt: 2,
		LeaseMs: 30000, Key: b("k"), IdempotencyKey: b("i"), CorrelationID: b("c-1"), CausationID: b("e-0"), ClientID: b("ana"),
		Tenant: b("acme"), Headers: []Header{{Name: b("h"), Value: b("v")}}, Run: b("r-1"), Step: b("st"),
		Checkpoint: Raw(`{"page":3}`), Payload: jsonData(`{"order":7}`),
	}})
	add(Message{Type: TypeRenewed, Renewed: Renewed{Leases: []RenewedLease{{Lease: b("l1"), LeaseMs: 30000}}, Lost: [][]byte{b("l2")}}})
	add(Message{Type: TypeCancel, Cancel: Cancel{Lease: b("l1"), Reason: b("run cancelled"), GraceMs: 5000}})
	add(Message{Type: TypeEvent, Event: Event{
		Subscription: b("s2"), Cursor: b("k"), EventID: b("e-1"), ClientID: b("ana"), Tenant: b("acme"), Time: 1790000000000,
		EventFields: fullEvent(jsonData("[]")),
	}})
	add(Message{Type: TypeChunk, Chunk: Chunk{
		Stream: b("text"), CorrelationID: b("c-1"), Attempt: 1, Offset: 12, Final: true, Payload: jsonData(`"lo"`),
	}})
	add(Message{Type: TypeReset, Reset: Reset{Stream: b("text"), Attempt: 2}})
	add(Message{Type: TypeGap, Gap: Gap{Subscription: b("f1")}})
	add(Message{Type: TypeJob, Job: Job{
		Subscription: b("s1"), Lease: b("l1"), Fence: 12, EventID: b("e-1"), Channel: b("a"), Attempt: 1, LeaseMs: 30000,
		ContentType: b("image/png"), Payload: binData("hi"),
	}})
	add(Message{Type: TypeWelcome, Welcome: Welcome{
		Session: b("ses"), Node: b("n1"), Tenant: b("acme"), Protocol: b("baton.v1.json"), ServerTime: 1790000000000, TokenExpiresMs: 3600000,
	}})
	add(Message{Type: TypeOK, OK: OK{ID: 4, TokenExpiresMs: 3600000}})
	add(Message{Type: TypeOK, OK: OK{ID: 5, Subscription: b("l1"), Epoch: b("x1"), Seq: 44, Oldest: 2, Resumed: ResumedPartial}})
	add(Message{Type: TypeNotify, Notify: Notify{Subscription: b("l1"), ClientID: b("ana"), Seq: 45, Name: b("done"), Payload: jsonData("1")}})
	add(Message{Type: TypeSynced, Synced: Synced{Subscription: b("l1"), Seq: 45}})
	add(Message{Type: TypeGap, Gap: Gap{Subscription: b("l1"), From: 3, To: 9}})
	return list
}

// TestGolden holds the encoding: every message has its line in testdata, is
// written so, and is read back as it was.
func TestGolden(t *testing.T) {
	for file, list := range map[string][]golden{"client.jsonl": fromClients(), "server.jsonl": fromServers()} {
		var lines []byte
		for i := range list {
			lines = list[i].m.Append(JSON.On(lines)).Bytes
			lines = append(lines, '\n')
		}
		compareGolden(t, file, lines)
		d := NewDecoder(list[0].from)
		d.Reset(readGolden(t, file))
		for i := range list {
			var m Message
			if err := d.Next(&m); err != nil {
				t.Fatalf("%s: %s: %v", file, list[i].m.json(), err)
			}
			if !sameValue(reflect.ValueOf(m), reflect.ValueOf(list[i].m)) {
				t.Errorf("%s: got\n%+v\nwant\n%+v", file, m, list[i].m)
			}
		}
	}
}

// TestGoldenIsComplete fails when a type, or a field of one, is in no golden line.
func TestGoldenIsComplete(t *testing.T) {
	var union Message
	for _, g := range slices.Concat(fromClients(), fromServers(), numbered()) {
		used := reflect.ValueOf(g.m).FieldByName(goName(g.m.Type))
		mergeInto(reflect.ValueOf(&union).Elem().FieldByName(goName(g.m.Type)), used)
	}
	empty := map[string]bool{"Ready": true}
	all := reflect.ValueOf(union)
	for i := 1; i < all.NumField(); i++ {
		name := all.Type().Field(i).Name
		if all.Field(i).NumField() == 0 && !empty[name] {
			t.Errorf("%s has no fields", name)
		}
		for j := range all.Field(i).NumField() {
			if all.Field(i).Field(j).IsZero() {
				t.Errorf("no golden line sets %s.%s", name, all.Field(i).Type().Field(j).Name)
			}
		}
	}
}

// TestTables holds the tables that the documentation is generated from.
func TestTables(t *testing.T) {
	compareGolden(t, "errors.md", b(ErrorTableMarkdown()))
	compareGolden(t, "closes.md", b(CloseTableMarkdown()))
	for _, info := range Reasons() {
		if info.Code/100 != 4 && info.Code/100 != 5 || info.Reason.Code() != info.Code || reasonOf(b(string(info.Reason))) != info.Reason {
			t.Errorf("%+v", info)
		}
	}
	for _, info := range CloseCodes() {
		if info.Code.String() != info.Name || info.Code.Reconnect() != (info.Code < 4500) {
			t.Errorf("%+v", info)
		}
	}
}

// TestNames holds the switches over names against the tables of names.
func TestNames(t *testing.T) {
	for f := uint8(1); f < fieldCount; f++ {
		if nameOf(f) == "" || lookup(b(nameOf(f))) != f {
			t.Errorf("field %d is %q, which is found as %d", f, nameOf(f), lookup(b(nameOf(f))))
		}
	}
	for i := range uint8(TypeCount) {
		typ := Type(i)
		if typ.String() == "" || typ != TypeUnknown && typeOf(b(typ.String())) != typ {
			t.Errorf("type %d is %q", typ, typ)
		}
	}
	if int(fieldCount) > 64*len(fieldSet{}) {
		t.Errorf("%d fields do not fit a fieldSet", fieldCount)
	}
}

func goName(t Type) string {
	if t == TypeOK {
		return "OK"
	}
	name := t.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

// mergeInto copies the fields of src that are not zero.
func mergeInto(dst, src reflect.Value) {
	for i := range src.NumField() {
		if !src.Field(i).IsZero() {
			dst.Field(i).Set(src.Field(i))
		}
	}
}

// sameValue is reflect.DeepEqual, to which a nil and an empty slice are the same.
func sameValue(x, y reflect.Value) bool {
	switch x.Kind() { //nolint:exhaustive // the rest compares by itself
	case reflect.Struct:
		for i := range x.NumField() {
			if !sameValue(x.Field(i), y.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if x.Len() != y.Len() {
			return false
		}
		for i := range x.Len() {
			if !sameValue(x.Index(i), y.Index(i)) {
				return false
			}
		}
		return true
	default:
		return x.Equal(y)
	}
}

func readGolden(t *testing.T, file string) []byte {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	return want
}

func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(filepath.Join("testdata", file), got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if want := readGolden(t, file); !bytes.Equal(got, want) {
		t.Errorf("testdata/%s differs (run with -update and look at the diff):\n%s", file, got)
	}
}

// json is the message as one JSON object.
func (m *Message) json() []byte { return m.Append(JSON.On(nil)).Bytes }

// record is the message as one record.
func (m *Message) record() []byte { return m.Append(Binary.On(nil)).Bytes }
