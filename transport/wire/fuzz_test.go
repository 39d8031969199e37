package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzJSON holds the scanner against encoding/json: both take the same
// documents, except that ours refuses invalid UTF-8 and great depth.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,2.5e-3,{"b":null}],"c":"\u00e9\ud83d\ude00 \\\""}`, ` [ ] `, `-0`, `1E+9`, `"\ud800"`, "\"\xff\"", "\ufeff1", `[1,]`, `{"a":1,}`, `01`,
		`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"`, "\"aaaaaaaa\x1f\"", "1\x00", strings.Repeat("[", 127) + strings.Repeat("]", 127), `truefalse`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, want := ValidJSON(doc), json.Valid(doc)
		if got == want {
			return
		}
		if want && (!utf8.Valid(doc) || bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) >= MaxDepth) {
			return
		}
		t.Errorf("ValidJSON is %v, json.Valid is %v", got, want)
	})
}

// FuzzDecode reads any bytes as a frame, from either side. What is taken must
// be what encoding/json sees, and come back the same when it is written and
// read again.
func FuzzDecode(f *testing.F) {
	for _, g := range append(fromClients(), fromServers()...) {
		f.Add(g.m.json(), g.from == FromServer)
	}
	for _, seed := range []string{
		`{"id":1,"data":[1],"type":"publish","channel":"a"} {"type":"ack","seq":1e3}{"type":"x"}`,
		`{"type":"complete","id":1,"lease":"l","emit":[{"channel":"\u0061","data_base64":"aGk="}]}`,
		`{"type":"fail","id":1,"lease":"l","error":{"code":-12,"message":""}}`,
	} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, frame []byte, server bool) {
		side := FromClient
		if server {
			side = FromServer
		}
		original := bytes.Clone(frame)
		d, m := NewDecoder(side), new(Message)
		d.Reset(frame)
		for {
			start := d.pos
			err := d.Next(m)
			if err == io.EOF { //nolint:errorlint // Next returns it bare
				break
			}
			if errors.Is(err, ErrMalformed) {
				checkMalformed(t, frame[start:])
				break
			}
			object := bytes.TrimLeft(frame[start:d.pos], " \t\r\n")
			if !json.Valid(object) {
				t.Fatalf("%q was taken as one object", object)
			}
			if err == nil {
				checkFields(t, m, object)
				checkFixedPoint(t, m, side)
			}
		}
		if !bytes.Equal(frame, original) {
			t.Fatal("the frame was written to")
		}
	})
}

// FuzzBody reads any bytes as the body of an HTTP publish. What is taken must be
// what encoding/json sees, and come back the same.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"channel":"a","data":{"q":1}}`, ` {"tenant":"t","client_id":"c","channel":"a","data_base64":"aGk=","headers":{"a":"b"}} `,
		`{"channel":"a","key":"\u006b","idempotency_key":"i","correlation_id":"c","causation_id":"d","delay_ms":5,"ttl_ms":7,"on_end":"done","data":null}`,
		`{"channel":"a","data":1}{}`, `{"channel":"a","deliver_at":1e3,"priority":1,"data":"x"}`, `[]`, ``, `{"type":"publish","id":1,"channel":"a","data":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		original := bytes.Clone(body)
		d, m := NewDecoder(FromClient), new(Emit)
		err := d.Body(body, m)
		if !bytes.Equal(body, original) {
			t.Fatal("the body was written to")
		}
		if err != nil {
			checkRefusedBody(t, body, err)
			return
		}
		checkBody(t, body, m)
		once := AppendBody(nil, m)
		again := new(Emit)
		if err := NewDecoder(FromClient).Body(once, again); err != nil {
			t.Fatalf("%q: %v", once, err)
		}
		if twice := AppendBody(nil, again); !bytes.Equal(once, twice) {
			t.Fatalf("%q was read as %q", once, twice)
		}
	})
}

// FuzzLeaseBody reads any bytes as the body of an HTTP complete, and of a fail.
func FuzzLeaseBody(f *testing.F) {
	for _, seed := range []string{
		`{"lease":"l","result":1}`, `{"lease":"l","emit":[{"channel":"a","data":1}],"notify":[{"name":"n","data_base64":""}]}`,
		`{"lease":"l","error":{"code":7,"message":"m"},"retryable":false}`, `{"id":1,"type":"fail","lease":""}`, `{}`, `[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		original, d := bytes.Clone(body), NewDecoder(FromClient)
		complete, fail := new(Complete), new(Fail)
		if err := d.CompleteBody(body, complete); err != nil {
			checkRefusedBody(t, body, err)
		} else {
			once, again := AppendCompleteBody(nil, complete), new(Complete)
			if err := NewDecoder(FromClient).CompleteBody(once, again); err != nil || !bytes.Equal(AppendCompleteBody(nil, again), once) {
				t.Fatalf("%q was read as %q, %v", once, AppendCompleteBody(nil, again), err)
			}
		}
		if err := d.FailBody(body, fail); err != nil {
			checkRefusedBody(t, body, err)
		} else {
			once, again := AppendFailBody(nil, fail), new(Fail)
			if err := NewDecoder(FromClient).FailBody(once, again); err != nil || !bytes.Equal(AppendFailBody(nil, again), once) {
				t.Fatalf("%q was read as %q, %v", once, AppendFailBody(nil, again), err)
			}
		}
		if !bytes.Equal(body, original) {
			t.Fatal("the body was written to")
		}
	})
}

// checkRefusedBody: the refusal is one of ours, and what is called malformed is
// no JSON object, or one of the documented stricter points.
func checkRefusedBody(t *testing.T, body []byte, err error) {
	t.Helper()
	if _, ours := errors.AsType[*DecodeError](err); !ours {
		t.Fatalf("%q: %v", body, err)
	}
	nested := bytes.Count(body, []byte("[")) + bytes.Count(body, []byte("{"))
	object := bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{"))
	if errors.Is(err, ErrMalformed) && object && json.Valid(body) && utf8.Valid(body) && nested <= MaxDepth {
		t.Fatalf("%q was called malformed", body)
	}
}

// checkBody compares a few fields with what encoding/json finds.
func checkBody(t *testing.T, body []byte, m *Emit) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("%q was taken: %v", body, err)
	}
	for name, got := range map[string][]byte{
		"channel": m.Channel, "key": m.Key, "client_id": m.ClientID, "tenant": m.Tenant, "idempotency_key": m.IdempotencyKey,
	} {
		var want string
		if raw := fields[name]; raw != nil && string(raw) != "null" && (json.Unmarshal(raw, &want) != nil || want != string(got)) {
			t.Fatalf("%s %s was read as %q", name, raw, got)
		}
	}
	if m.Payload.Kind == PayloadJSON && !bytes.Equal(m.Payload.Bytes, fields["data"]) {
		t.Fatalf("data %q was read as %q", fields["data"], m.Payload.Bytes)
	}
}

// checkMalformed: encoding/json refuses what we call malformed, or it is one of
// the documented stricter points.
func checkMalformed(t *testing.T, rest []byte) {
	t.Helper()
	var object map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(rest))
	if err := decoder.Decode(&object); err != nil || object == nil {
		return
	}
	rest = rest[:decoder.InputOffset()]
	if utf8.Valid(rest) && bytes.Count(rest, []byte("["))+bytes.Count(rest, []byte("{")) <= MaxDepth {
		t.Fatalf("%q was called malformed", rest)
	}
}

// checkFields compares a few fields with what encoding/json finds.
func checkFields(t *testing.T, m *Message, object []byte) {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	text := func(name string) (s string) {
		_ = json.Unmarshal(fields[name], &s)
		return s
	}
	if text("type") != m.Type.String() {
		t.Fatalf("type %q was read as %q", text("type"), m.Type)
	}
	if m.Type != TypePublish {
		return
	}
	p := &m.Publish
	var id uint64
	if err := json.Unmarshal(fields["id"], &id); err != nil || id != p.ID {
		t.Fatalf("id %s was read as %d", fields["id"], p.ID)
	}
	if text("channel") != string(p.Channel) || text("key") != string(p.Key) {
		t.Fatalf("%s was read as %+v", object, p)
	}
	var decoded []byte
	switch p.Payload.Kind {
	case PayloadJSON:
		if !bytes.Equal(p.Payload.Bytes, fields["data"]) {
			t.Fatalf("data %q was read as %q", fields["data"], p.Payload.Bytes)
		}
	case PayloadBytes:
		if err := json.Unmarshal(fields["data_base64"], &decoded); err != nil || !bytes.Equal(decoded, p.Payload.Bytes) {
			t.Fatalf("data_base64 %q was read as %q", fields["data_base64"], p.Payload.Bytes)
		}
	case PayloadNone:
		t.Fatalf("%s has no data", object)
	}
}

// checkFixedPoint: what was read can be written, and reads the same.
func checkFixedPoint(t *testing.T, m *Message, side Side) {
	t.Helper()
	once := m.json()
	if !json.Valid(once) {
		t.Fatalf("%q is not JSON", once)
	}
	d, again := NewDecoder(side), new(Message)
	d.Reset(once)
	if err := d.Next(again); err != nil {
		t.Fatalf("%q: %v", once, err)
	}
	if twice := again.json(); !bytes.Equal(once, twice) {
		t.Fatalf("%q was read as %q", once, twice)
	}
}
