package wire

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

// TestBadInput is the table of what is refused, and of the sentences for it.
func TestBadInput(t *testing.T) {
	long := strings.Repeat("x", 256)
	list := func(n int, item string) string { return strings.TrimSuffix(strings.Repeat(item+",", n), ",") }
	distinct := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, strconv.Quote(strconv.Itoa(i))+`:""`)
		}
		return strings.Join(names, ",")
	}
	deep := strings.Repeat("[", 128) + strings.Repeat("]", 128)
	for _, c := range []struct {
		frame string
		kind  error
		text  string
		id    int // -1: not known
	}{
		// What is not the protocol at all.
		{`[]`, ErrMalformed, "malformed JSON: a message must be a JSON object", -1},
		{`{"type":"ready"} x`, nil, "", 0},
		{`{"type":"ready"`, ErrMalformed, "malformed JSON: expected a comma or the closing bracket", -1},
		{`{"type":"ready",}`, ErrMalformed, "malformed JSON: a comma before the closing bracket", -1},
		{`{"type":"ack","seq":01}`, ErrMalformed, "malformed JSON: expected a comma or the closing bracket", -1},
		{`{"type":"ack","seq":+1}`, ErrMalformed, "malformed JSON: expected a value", -1},
		{`{"type":"ack","seq":-}`, ErrMalformed, "malformed JSON: expected a digit", -1},
		{`{"type":"ack","seq":1.}`, ErrMalformed, "malformed JSON: expected a digit after the point", -1},
		{`{"type":"ack","seq":1e}`, ErrMalformed, "malformed JSON: expected a digit in the exponent", -1},
		{`{"type":"ack" "seq":1}`, ErrMalformed, "malformed JSON: expected a comma or the closing bracket", -1},
		{`{"type":"ack",seq:1}`, ErrMalformed, "malformed JSON: expected a quoted field name", -1},
		{`{"type" "ack"}`, ErrMalformed, "malformed JSON: expected a colon", -1},
		{`{"type":"ack","seq":1,"x":nul}`, ErrMalformed, "malformed JSON: expected a value", -1},
		{`{"type":"ack","x":"a`, ErrMalformed, "malformed JSON: a string without its closing quote", -1},
		{`{"type":"ack","x":"\x"}`, ErrMalformed, "malformed JSON: an unknown escape", -1},
		{`{"type":"ack","x":"\u12g4"}`, ErrMalformed, "malformed JSON: an unknown escape", -1},
		{"{\"type\":\"ack\",\"x\":\"\n\"}", ErrMalformed, "malformed JSON: a control character in a string", -1},
		{"{\"type\":\"ack\",\"x\":\"\xff\"}", ErrMalformed, "malformed JSON: a string that is not valid UTF-8", -1},
		{"{\"type\":\"ack\",\"x\":\"\xed\xa0\x80\"}", ErrMalformed, "malformed JSON: a string that is not valid UTF-8", -1},
		{`{"type":"publish","id":1,"channel":"a","data":` + deep + `}`, ErrMalformed, "malformed JSON: nested deeper than 128", -1},
		{`{"type":"publish","id":1,"channel":"a","data":1 2}`, ErrMalformed, "malformed JSON: expected a comma or the closing bracket", -1},
		{`{"type":"publish","id":1,"channel":"a","data":}`, ErrMalformed, "malformed JSON: expected a value", -1},
		// Malformed wins over refused.
		{`{"type":"publish","id":"x","channel":"a","data":}`, ErrMalformed, "malformed JSON: expected a value", -1},

		// Types.
		{`{}`, ErrMissingType, "type is missing or not a string", -1},
		{`{"id":4,"type":null}`, ErrMissingType, "type is missing or not a string", 4},
		{`{"id":4,"type":7}`, ErrMissingType, "type is missing or not a string", 4},
		{`{"type":"","id":4}`, ErrUnknownType, `unknown type ""`, 4},
		{`{"type":"publsh","data":{"id":1},"id":4}`, ErrUnknownType, `unknown type "publsh"`, 4},
		{`{"id":4,"type":"wel\u0063ome"}`, ErrUnknownType, `unknown type "welcome"`, 4},
		{`{"type":"ack","seq":1,"type":"ack"}`, ErrBadField, "type is given twice", -1},

		// Fields.
		{`{"type":"credit","subscription":"s","credit":"8"}`, ErrBadField, "credit must be an integer from 0 to 2^53-1", -1},
		{`{"type":"credit","credit":-1,"subscription":"s","id":9}`, ErrBadField, "credit must be an integer from 0 to 2^53-1", 9},
		{`{"type":"ack","seq":-0}`, ErrBadField, "seq must be an integer from 0 to 2^53-1", -1},
		{`{"type":"ack","seq":1.0}`, ErrBadField, "seq must be an integer from 0 to 2^53-1", -1},
		{`{"type":"ack","seq":1e3}`, ErrBadField, "seq must be an integer from 0 to 2^53-1", -1},
		{`{"type":"ack","seq":9007199254740992}`, ErrBadField, "seq must be an integer from 0 to 2^53-1", -1},
		{`{"type":"ack","seq":99999999999999999999}`, ErrBadField, "seq must be an integer from 0 to 2^53-1", -1},
		{`{"type":"ack","seq":true}`, ErrBadField, "seq must be an integer from 0 to 2^53-1", -1},
		{`{"type":"ack","seq":null}`, ErrBadField, "seq is missing", -1},
		{`{"type":"ack","seq":1,"seq":1}`, ErrBadField, "seq is given twice", -1},
		{`{"type":"publish","id":1}`, ErrBadField, "channel is missing", 1},
		{`{"type":"publish","channel":"a","data":1}`, ErrBadField, "id is missing", -1},
		{`{"type":"publish","id":"1","channel":"a","data":1}`, ErrBadField, "id must be an integer from 0 to 2^53-1", -1},
		{`{"type":"publish","id":1,"channel":"a"}`, ErrBadField, "data is missing", 1},
		{`{"type":"publish","id":1,"channel":"a","data":1,"data":2}`, ErrBadField, "data is given twice", 1},
		{`{"type":"publish","id":1,"channel":"a","data_base64":"","data":null}`, ErrBadField, "data must not stand beside data_base64", 1},
		{`{"type":"publish","id":1,"channel":"a","data":null,"data_base64":""}`, ErrBadField, "data_base64 must not stand beside data", 1},
		{`{"type":"publish","id":1,"channel":"a","data_base64":"a"}`, ErrBadField, "data_base64 must be a string of padded base64", 1},
		{`{"type":"publish","id":1,"channel":"a","data_base64":"YQ"}`, ErrBadField, "data_base64 must be a string of padded base64", 1},
		{`{"type":"publish","id":1,"channel":"a","data_base64":"YQ==\n"}`, ErrBadField, "data_base64 must be a string of padded base64", 1},
		{`{"type":"publish","id":1,"channel":"a","data_base64":7}`, ErrBadField, "data_base64 must be a string of padded base64", 1},
		{`{"type":"publish","id":1,"channel":"a b","data":1}`, ErrBadField, "channel must be 1 to 255 of A-Z a-z 0-9 . _ -", 1},
		{`{"type":"publish","id":1,"channel":"","data":1}`, ErrBadField, "channel must be 1 to 255 of A-Z a-z 0-9 . _ -", 1},
		{`{"type":"publish","id":1,"channel":"` + long + `","data":1}`, ErrBadField, "channel must be 1 to 255 of A-Z a-z 0-9 . _ -", 1},
		{`{"type":"publish","id":1,"channel":["a"],"data":1}`, ErrBadField, "channel must be a string", 1},
		{`{"type":"publish","id":1,"channel":"a","key":"` + long + `","data":1}`, ErrBadField, "key must be at most 255 bytes", 1},
		{`{"type":"publish","id":1,"channel":"a","idempotency_key":"` + long + `"}`, ErrBadField, "idempotency_key must be at most 255 bytes", 1},
		{`{"type":"publish","id":1,"channel":"a","correlation_id":"` + long + `"}`, ErrBadField, "correlation_id must be at most 255 bytes", 1},
		{`{"type":"publish","id":1,"channel":"a","key":"\ud800"}`, ErrBadField, "key must not escape half a surrogate pair", 1},
		{`{"type":"publish","id":1,"channel":"a","key":"\udc00\ud800"}`, ErrBadField, "key must not escape half a surrogate pair", 1},
		{`{"type":"publish","id":1,"channel":"a","priority":10}`, ErrBadField, "priority must be an integer from 0 to 9", 1},
		{`{"type":"publish","id":1,"channel":"a","client_seq":0}`, ErrBadField, "client_seq must be an integer from 1 to 2^53-1", 1},
		{`{"type":"publish","id":1,"channel":"a","headers":[]}`, ErrBadField, "headers must be an object of strings", 1},
		{`{"type":"publish","id":1,"channel":"a","headers":{"a":1}}`, ErrBadField, "headers must be an object of strings", 1},
		{`{"type":"publish","id":1,"channel":"a","headers":{"a":"1","a":"1"}}`, ErrBadField, "headers must not repeat a name", 1},
		{
			`{"type":"publish","id":1,"channel":"a","headers":{"a":"` + strings.Repeat("y", MaxHeaderBytes) + `"}}`, ErrBadField,
			"headers must be at most 16384 bytes, names and values together", 1,
		},
		{`{"type":"publish","id":1,"channel":"a","headers":{` + distinct(65) + `}}`, ErrBadField, "headers must be at most 64", 1},
		{`{"type":"hello","client_id":"` + long + `"}`, ErrBadField, "client_id must be at most 255 bytes", -1},
		{`{"type":"hello","device_id":"` + long + `"}`, ErrBadField, "device_id must be at most 255 bytes", -1},
		{`{"type":"hello","ready":"yes"}`, ErrBadField, "ready must be true or false", -1},
		{`{"type":"hello","resume":"dead"}`, ErrBadField, `resume must be "live" or an object of epoch and seq`, -1},
		{`{"type":"hello","resume":7}`, ErrBadField, `resume must be "live" or an object of epoch and seq`, -1},
		{`{"type":"hello","resume":{"epoch":"a"}}`, ErrBadField, "resume.seq is missing", -1},
		{`{"type":"hello","resume":{"epoch":1,"seq":1}}`, ErrBadField, "resume.epoch must be a string", -1},
		{`{"type":"follow","id":1,"channel":"a","from":"then"}`, ErrBadField, "from " + wantFrom, 1},
		{`{"type":"follow","id":1,"channel":"a","from":{}}`, ErrBadField, "from " + wantFrom, 1},
		{`{"type":"follow","id":1,"channel":"a","from":{"cursor":"c","time":1}}`, ErrBadField, "from " + wantFrom, 1},
		{`{"type":"follow","id":1,"channel":"a","from":{"time":"1"}}`, ErrBadField, "from.time must be an integer from 0 to 2^53-1", 1},
		{`{"type":"follow","id":1,"channel":"a","from":{"cursor":""}}`, ErrBadField, "from.cursor must not be empty", 1},
		{
			`{"type":"commit","subscription":"s","cursor":"` + strings.Repeat("y", MaxCursorBytes+1) + `"}`, ErrBadField,
			"cursor must be at most 16384 bytes", -1,
		},
		{`{"type":"renew","leases":"l"}`, ErrBadField, "leases must be an array", -1},
		{`{"type":"renew","leases":["l",7]}`, ErrBadField, "leases must be an array of strings and objects", -1},
		{`{"type":"renew","leases":["l",{"progress":1}]}`, ErrBadField, "leases[1].lease is missing", -1},
		{`{"type":"renew","leases":[` + list(1025, `"l"`) + `]}`, ErrBadField, "leases must have at most 1024 leases", -1},
		{`{"type":"release","lease":""}`, ErrBadField, "lease must not be empty", -1},
		{`{"type":"complete","id":1,"lease":"l","emit":{}}`, ErrBadField, "emit must be an array", 1},
		{`{"type":"complete","id":1,"lease":"l","emit":[1]}`, ErrBadField, "emit must be an array of objects", 1},
		{`{"type":"complete","id":1,"lease":"l","emit":[{"channel":"a","data":1},{"data":1}]}`, ErrBadField, "emit[1].channel is missing", 1},
		{`{"type":"complete","id":1,"lease":"l","emit":[{"channel":"a"}]}`, ErrBadField, "emit[0].data is missing", 1},
		{
			`{"type":"complete","id":1,"lease":"l","emit":[{"channel":"a","data":1,"tenant":"b"}]}`, ErrBadField,
			"emit[0].tenant is the job's: an emit cannot name it", 1,
		},
		{
			`{"type":"complete","id":1,"lease":"l","emit":[{"channel":"a","data":1,"on_end":"b"}]}`, ErrBadField,
			"emit[0].on_end is for publish: an emit cannot have it", 1,
		},
		{`{"type":"publish","id":1,"channel":"a","data":1,"on_end":5}`, ErrBadField, "on_end must be a string", 1},
		{
			`{"type":"complete","lease":"l","emit":[` + list(257, `{"channel":"a","data":1}`) + `],"id":1}`, ErrBadField,
			"emit must have at most 256 events", 1,
		},
		{
			`{"type":"complete","id":1,"lease":"l","notify":[` + list(257, `{"name":"a","data":1}`) + `]}`, ErrBadField,
			"notify must have at most 256 notifications", 1,
		},
		{`{"type":"complete","id":1,"lease":"l","notify":[{"data":1}]}`, ErrBadField, "notify[0].name is missing", 1},
		{`{"type":"park","id":1}`, ErrBadField, "lease is missing", 1},
		{`{"type":"park","id":1,"lease":"l","timeout_ms":-1}`, ErrBadField, "timeout_ms must be an integer from 0 to 2^53-1", 1},
		{`{"type":"fail","id":1,"lease":"l"}`, ErrBadField, "error is missing", 1},
		{`{"type":"fail","id":1,"lease":"l","error":"boom"}`, ErrBadField, "error must be an object", 1},
		{`{"type":"fail","id":1,"lease":"l","error":{"message":"m"}}`, ErrBadField, "error.code is missing", 1},
		{`{"type":"fail","id":1,"lease":"l","error":{"code":1.5,"message":"m"}}`, ErrBadField, "error.code must be a string or an integer", 1},
		{`{"type":"fail","id":1,"lease":"l","error":{"code":[],"message":"m"}}`, ErrBadField, "error.code must be a string or an integer", 1},
		{`{"type":"cancel","id":1}`, ErrBadField, "cancel must name exactly one of correlation_id, run and event_id", 1},
		{`{"type":"cancel","id":1,"run":"r","event_id":"e"}`, ErrBadField, "cancel must name exactly one of correlation_id, run and event_id", 1},
		{`{"type":"chunk","lease":"l","offset":0}`, ErrBadField, "data is missing", -1},
	} {
		checkBad(t, c.frame, c.kind, c.text, c.id)
	}
}

func checkBad(t *testing.T, frame string, kind error, text string, id int) {
	t.Helper()
	d, m := NewDecoder(FromClient), new(Message)
	d.Reset([]byte(frame))
	err := d.Next(m)
	if kind == nil {
		if err != nil {
			t.Errorf("%s: %v", frame, err)
		}
		return
	}
	bad, ok := errors.AsType[*DecodeError](err)
	if !ok || !errors.Is(err, kind) || bad.Message != text || m.Type != TypeUnknown {
		t.Errorf("%s:\n%v, want\n%s", frame, err, text)
		return
	}
	if bad.HasID != (id >= 0) || bad.HasID && bad.ID != uint64(id) {
		t.Errorf("%s: id %v %d", frame, bad.HasID, bad.ID)
	}
	if want := map[bool]error{true: ErrMalformed, false: io.EOF}[errors.Is(kind, ErrMalformed)]; !errors.Is(d.Next(m), want) {
		t.Errorf("%s: what follows is not %v", frame, want)
	}
}

// TestRefusalIsLocal: what comes after a refused message in a frame is read.
func TestRefusalIsLocal(t *testing.T) {
	d, m := NewDecoder(FromClient), new(Message)
	frame := `{"type":"what","id":1}{"type":"ack","seq":[{"x":"}"}]}` + "\n\t" + `{"data":{"a":[` + "\n" + `1]},"type":"publish","id":3,"channel":"c"} }`
	d.Reset([]byte(frame))
	if err := d.Next(m); !errors.Is(err, ErrUnknownType) {
		t.Fatal(err)
	}
	if err := d.Next(m); !errors.Is(err, ErrBadField) {
		t.Fatal(err)
	}
	if err := d.Next(m); err != nil || m.Type != TypePublish || string(m.Publish.Payload.Bytes) != "{\"a\":[\n1]}" {
		t.Fatalf("%v %+v", err, m.Publish)
	}
	for range 2 {
		err := d.Next(m)
		bad, ok := errors.AsType[*DecodeError](err)
		if !ok || !errors.Is(err, ErrMalformed) || bad.Position != len(frame)-1 {
			t.Fatalf("%v at %+v", err, bad)
		}
	}
	if reply := (&DecodeError{Message: "m", ID: 4, HasID: true}).Reply(); string(AppendError(JSON.On(nil), &reply).Bytes) !=
		`{"type":"error","id":4,"code":400,"reason":"bad_request","message":"m","retryable":false}` {
		t.Errorf("%s", AppendError(JSON.On(nil), &reply).Bytes)
	}
}

// TestLenient is what is taken though it need not be.
func TestLenient(t *testing.T) {
	for _, c := range [][2]string{
		{`{"type":"fail","id":1,"lease":"l","error":{"code":-429,"message":"m"}}`, `"code":"-429"`},
		{`{"type":"publish","id":1,"channel":"a","key":null,"lease":[1],"lease":2,"data":null}`, `{"type":"publish","id":1,"channel":"a","data":null}`},
		{`{"type":"publish","id":1,"channel":"a","k\u0065y":"\ud83d\ude00\/","data":"\ud800"}`, `"key":"😀/","data":"\ud800"}`},
		{`{"type":"publish","id":1,"channel":"a","key\ud800":7,"data_base64":"\/\/8="}`, `"data_base64":"//8="}`},
		{`{"type":"hello","x":{"type":"y"},"resume":null}`, `{"type":"hello"}`},
		{`{"type":"subscribe","id":1,"channel":"a","from":"earliest","credit":1}`, `"from":"earliest"`},
	} {
		d, m := NewDecoder(FromClient), new(Message)
		d.Reset([]byte(c[0]))
		if err := d.Next(m); err != nil || !strings.Contains(string(m.json()), c[1]) {
			t.Errorf("%s:\n%v %s", c[0], err, m.json())
		}
	}
}

// TestBody reads what an HTTP publish carries.
func TestBody(t *testing.T) {
	var m Emit
	d := NewDecoder(FromClient)
	body := `{"tenant":"acme","client_id":"ana","channel":"a","data":{"x":1}}`
	if err := d.Body([]byte(body), &m); err != nil || string(AppendBody(nil, &m)) != body {
		t.Errorf("%v %s", err, AppendBody(nil, &m))
	}
	for body, kind := range map[string]error{
		`{"channel":"a","data":1} {}`: ErrMalformed, `[]`: ErrMalformed, ``: ErrMalformed,
		`{"channel":"a"}`: ErrBadField, `{"channel":"a","data":1}` + "\n": nil,
	} {
		if err := d.Body([]byte(body), &m); !errors.Is(err, kind) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestLeaseBodies reads what an HTTP complete and fail carry: a lease, and the
// fields of the message without its id.
func TestLeaseBodies(t *testing.T) {
	d := NewDecoder(FromClient)
	var complete Complete
	body := `{"lease":"l1","result":{"ok":true},"usage":1,"emit":[{"channel":"a","priority":2,"data":1}],"notify":[{"name":"n","data":2}]}`
	if err := d.CompleteBody([]byte(body), &complete); err != nil || string(AppendCompleteBody(nil, &complete)) != body {
		t.Errorf("%v %s", err, AppendCompleteBody(nil, &complete))
	}
	var fail Fail
	body = `{"lease":"l1","error":{"code":"no","message":"m","detail":[1]},"retryable":false,"retry_after_ms":5,"throttled":true}`
	if err := d.FailBody([]byte(body), &fail); err != nil || string(AppendFailBody(nil, &fail)) != body {
		t.Errorf("%v %s", err, AppendFailBody(nil, &fail))
	}
	for body, kind := range map[string]error{
		`{"lease":"l"}`: nil, `{"type":"complete","id":{"any":"thing"},"lease":"l"}`: nil, `{}`: ErrBadField, `{"lease":7}`: ErrBadField,
		`{"lease":"l"}{}`: ErrMalformed, `["l"]`: ErrMalformed, `{"lease":"l","emit":[{"channel":"a"}]}`: ErrBadField,
	} {
		if err := d.CompleteBody([]byte(body), &complete); !errors.Is(err, kind) {
			t.Errorf("%s: %v", body, err)
		}
	}
	for body, kind := range map[string]error{
		`{"lease":"l","error":{"code":1,"message":"m"}}`: nil, `{"lease":"l"}`: ErrBadField, `{"error":{"code":1,"message":"m"}}`: ErrBadField,
	} {
		if err := d.FailBody([]byte(body), &fail); !errors.Is(err, kind) {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestRawHeaders: headers that are encoded already make the same job.
func TestRawHeaders(t *testing.T) {
	job := Job{Lease: b("l"), Payload: jsonData("1")}
	raw := AppendJobRaw(JSON.On(nil), &job, AppendHeaders(nil, []Header{{Name: b("a"), Value: b("1\n")}})).Bytes
	job.Headers = []Header{{Name: b("a"), Value: b("1\n")}}
	if want := AppendJob(JSON.On(nil), &job).Bytes; string(raw) != string(want) {
		t.Errorf("%s, want\n%s", raw, want)
	}
}

// TestTristate is what a boolean means that may be absent.
func TestTristate(t *testing.T) {
	if !Unset.Or(true) || Unset.Or(false) || No.Or(true) || !Yes.Or(false) {
		t.Error("a fallback is for Unset only")
	}
}

// TestServerRefusals: a client reads its server's messages as strictly.
func TestServerRefusals(t *testing.T) {
	for frame, text := range map[string]string{
		`{"type":"publish","id":1}`:                                  `unknown type "publish"`,
		`{"type":"bye","reconnect":true}`:                            "reason is missing",
		`{"type":"cancel","reason":"r"}`:                             "lease is missing",
		`{"type":"gap","reason":"trimmed"}`:                          "from is missing",
		`{"type":"gap","subscription":"f1","from":1}`:                "reason is missing",
		`{"type":"gap","from":1,"to":2,"reason":"bored"}`:            `reason must be "trimmed" or "epoch"`,
		`{"type":"welcome","session":"s","resumed":"half"}`:          `resumed must be "full", "partial" or "none"`,
		`{"type":"welcome","session":"s","limits":{"window":-1}}`:    "limits.window must be an integer from 0 to 2^53-1",
		`{"type":"welcome","session":"s","nodes":["a",1]}`:           "nodes must be a string",
		`{"type":"ok","id":1,"events":["a",false]}`:                  "events must be a string",
		`{"type":"renewed","leases":[{"lease":"l"}],"lost":[]}`:      "leases[0].lease_ms is missing",
		`{"type":"error","code":1000,"reason":"x"}`:                  "code must be an HTTP status",
		`{"type":"error","code":503,"reason":"x","retryable":"yes"}`: "retryable must be true or false",
	} {
		d, m := NewDecoder(FromServer), new(Message)
		d.Reset([]byte(frame))
		if err := d.Next(m); err == nil || err.Error() != text {
			t.Errorf("%s:\n%v, want\n%s", frame, err, text)
		}
	}
}

// TestValidName is the alphabet of channels and groups.
func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "A-z_0.9": true, strings.Repeat("a", 255): true,
		"": false, strings.Repeat("a", 256): false, "a/b": false, "é": false, "a@": false, "a[": false, "a`": false, "a{": false, "a:": false,
	} {
		if ValidName(name) != want {
			t.Errorf("%q", name)
		}
	}
}
