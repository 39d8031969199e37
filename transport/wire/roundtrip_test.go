package wire

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestRoundTrip writes messages with any values in their fields and reads them
// back. Values are drawn by kind, so that a new field is covered when it is added.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		typ := Type(rapid.IntRange(1, TypeCount-1).Draw(t, "type"))
		m := Message{Type: typ}
		drawInto(t, reflect.ValueOf(&m).Elem().FieldByName(goName(typ)), goName(typ))
		for _, side := range []Side{FromClient, FromServer} {
			if typ.SentBy(side) {
				one := m
				tidy(&one, side)
				checkRoundTrip(t, &one, side)
				checkRecord(t, &one, side)
			}
		}
	})
}

func checkRoundTrip(t *rapid.T, m *Message, side Side) {
	line := m.Append(JSON.On([]byte("\n"))).Bytes
	if !json.Valid(line) {
		t.Fatalf("%q is not JSON", line)
	}
	var back Message
	d := NewDecoder(side)
	d.Reset(line)
	if err := d.Next(&back); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	if !sameValue(reflect.ValueOf(*m).FieldByName(goName(m.Type)), reflect.ValueOf(back).FieldByName(goName(m.Type))) {
		t.Fatalf("%s\n%s", line, back.json())
	}
}

// checkRecord is checkRoundTrip in binary, where no text needs an escape.
func checkRecord(t *rapid.T, m *Message, side Side) {
	record := m.record()
	var back Message
	d := NewDecoder(side)
	d.ResetAs(Binary, record, nil)
	if err := d.Next(&back); err != nil {
		t.Fatalf("%s: %x: %v", m.json(), record, err)
	}
	if !sameValue(reflect.ValueOf(*m).FieldByName(goName(m.Type)), reflect.ValueOf(back).FieldByName(goName(m.Type))) {
		t.Fatalf("%s\n%s", m.json(), back.json())
	}
}

// drawInto fills a message, or a part of one.
func drawInto(t *rapid.T, v reflect.Value, name string) {
	switch p := v.Addr().Interface().(type) {
	case *Payload:
		*p = drawPayload(t)
		return
	case *Raw:
		*p = rapid.SampledFrom([]Raw{nil, Raw("null"), Raw("0"), Raw("{\"a\":\n[1 ]}")}).Draw(t, name)
		return
	case *Reason:
		*p = rapid.SampledFrom(Reasons()).Draw(t, name).Reason
		return
	case *From:
		*p = rapid.SampledFrom([]From{{}, {Kind: FromNew}, {Kind: FromEarliest}, {Kind: FromCursor, Cursor: b("c")}, {Kind: FromTime, Time: 5}}).Draw(t, name)
		return
	case *Resume:
		*p = rapid.SampledFrom([]Resume{{}, {Kind: ResumeLive}, {Kind: ResumeAfter, Epoch: b("e"), Seq: 5}}).Draw(t, name)
		return
	case *[]Header:
		for i := range rapid.IntRange(0, 3).Draw(t, name) {
			*p = append(*p, Header{Name: append(b("h"), byte('0'+i)), Value: drawText(t, "value")})
		}
		return
	case *[]byte:
		if *p = drawText(t, name); name == "Channel" || name == "Group" {
			*p = b(rapid.StringMatching(`[A-Za-z0-9._-]{1,20}`).Draw(t, name))
		}
		return
	}
	drawKind(t, v, name)
}

func drawKind(t *rapid.T, v reflect.Value, name string) {
	switch v.Kind() { //nolint:exhaustive // the kinds that messages have; others fail
	case reflect.Struct:
		for i := range v.NumField() {
			drawInto(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		n := rapid.IntRange(0, 3).Draw(t, name)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			drawInto(t, v.Index(i), "item")
		}
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64Range(0, MaxInteger).Draw(t, name))
	case reflect.Int64:
		v.SetInt(rapid.Int64Range(0, MaxInteger).Draw(t, name))
	case reflect.Int:
		v.SetInt(rapid.Int64Range(0, 999).Draw(t, name))
	case reflect.Uint8:
		if name == "ChannelHandle" {
			return // Of records only, and for their connection; see TestChannelHandles.
		}
		limit := map[string]uint64{"uint8": MaxPriority, "Tristate": 2, "Resumed": 2, "GapReason": 1}[v.Type().Name()]
		v.SetUint(rapid.Uint64Range(0, limit).Draw(t, name))
	default:
		t.Fatalf("%s is a %s", name, v.Type())
	}
}

// drawText draws text of at least one byte and any runes.
func drawText(t *rapid.T, name string) []byte {
	return b("." + rapid.StringN(0, 20, 80).Draw(t, name))
}

func drawPayload(t *rapid.T) Payload {
	if rapid.Bool().Draw(t, "binary") {
		return Payload{Bytes: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(t, "data"), Kind: PayloadBytes}
	}
	data, err := json.Marshal(rapid.String().Draw(t, "data"))
	if err != nil {
		t.Fatal(err)
	}
	return Payload{Bytes: data, Kind: PayloadJSON}
}

// tidy clears what the wire has no place for: parts that stand or fall together,
// and the other side's parts of the messages that both sides send.
func tidy(m *Message, side Side) {
	if side == FromServer {
		m.Chunk.Lease = nil
		m.Cancel = Cancel{Lease: m.Cancel.Lease, Reason: m.Cancel.Reason, GraceMs: m.Cancel.GraceMs}
	} else {
		m.Bye = Bye{}
		m.Chunk.CorrelationID, m.Chunk.Attempt = nil, 0
		m.Cancel.Lease, m.Cancel.GraceMs = nil, 0
		m.Cancel.Run, m.Cancel.EventID = nil, nil
	}
	if m.Checkpoint.Checkpoint == nil {
		m.Checkpoint.Checkpoint = Raw("null")
	}
	if m.OK.EventID == nil {
		m.OK.CorrelationID, m.OK.Offset = nil, 0
	}
	if !m.OK.HasEvents {
		m.OK.Events = nil
	}
	if !m.Error.HasID {
		m.Error.ID = 0
	}
	if m.Checkpoint.Checkpoint == nil {
		m.Checkpoint.Checkpoint = Raw("null") // It must be given.
	}
	for i := range m.Complete.Emit {
		m.Complete.Emit[i].Tenant, m.Complete.Emit[i].OnEnd = nil, nil
	}
}

// TestSharedEvents: an event that is encoded once for all followers is, made whole for
// one, the same as one that is encoded for it.
func TestSharedEvents(t *testing.T) {
	bare := Event{Subscription: b("s2"), Cursor: b("k"), EventID: b("e-1"), EventFields: EventFields{Channel: b("a"), Payload: binData("")}}
	full := Event{
		Subscription: b("a \"name\""), Cursor: b("k"), EventID: b("e-1"), ClientID: b("ana"), Tenant: b("acme"), Time: 1790000000000,
		EventFields: fullEvent(jsonData(`{"a":"}"}`)),
	}
	for _, m := range []Event{bare, full} {
		for _, encoding := range []Encoding{JSON, Binary} {
			ahead := encoding.On([]byte("before"))
			want := AppendEvent(ahead, &m)
			shared := AppendSharedEvent(encoding.On(nil), &m, nil)
			got := AppendEventOf(ahead, m.Subscription, m.Cursor, shared.Bytes)
			if string(got.Bytes) != string(want.Bytes) || got.Encoding != want.Encoding {
				t.Errorf("%s: got\n%q\nwant\n%q", encoding.Protocol(), got.Bytes, want.Bytes)
			}
		}
	}
}
