package gateway

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// TestBadInput is what a client may send wrongly, and what it gets for it. A code
// of 0 means that the connection stays open.
func TestBadInput(t *testing.T) {
	e := newEdge(t)
	big := strings.Repeat("x", 70<<10)
	for _, test := range []struct {
		name  string
		sends string
		error string // reason of the error it gets, "" for none
		id    any
		code  int
	}{
		{name: "malformed JSON", sends: `{"type":"publish",`, error: "bad_request", code: 4501},
		{name: "not an object", sends: `[1,2]`, error: "bad_request", code: 4501},
		{name: "no JSON at all", sends: `hello?`, error: "bad_request", code: 4501},
		{name: "unknown type", sends: `{"type":"dance","id":3}`, error: "bad_request", id: 3.0},
		{name: "no type", sends: `{"id":3}`, error: "bad_request", id: 3.0},
		{name: "a type of the server", sends: `{"type":"welcome","session":"x"}`, error: "bad_request"},
		{name: "channel is a number", sends: `{"type":"publish","id":4,"channel":5,"data":1}`, error: "bad_request", id: 4.0},
		{name: "id is a string", sends: `{"type":"publish","id":"4","channel":"c","data":1}`, error: "bad_request"},
		{name: "no id", sends: `{"type":"publish","channel":"c","data":1}`, error: "bad_request"},
		{name: "no data", sends: `{"type":"publish","id":4,"channel":"c"}`, error: "bad_request", id: 4.0},
		{name: "a channel with a space", sends: `{"type":"publish","id":4,"channel":"a b","data":1}`, error: "bad_request", id: 4.0},
		{name: "data is two values", sends: `{"type":"publish","id":4,"channel":"c","data":1 2}`, error: "bad_request", code: 4501},
		{name: "data twice", sends: `{"type":"publish","id":4,"channel":"c","data":1,"data":2}`, error: "bad_request", id: 4.0},
		{name: "data breaks out", sends: `{"type":"publish","id":4,"channel":"c","data":1},{"type":"ping"}`, code: 4501, error: "?"},
		{name: "data above the limit", sends: `{"type":"publish","id":4,"channel":"c","data":"` + big + `"}`, error: "too_large", id: 4.0},
		{name: "negative ttl", sends: `{"type":"publish","id":4,"channel":"c","ttl_ms":-5,"data":1}`, error: "bad_request", id: 4.0},
		{name: "a delay of two years", sends: `{"type":"publish","id":4,"channel":"c","delay_ms":63072000000,"data":1}`, error: "bad_request", id: 4.0},
		{name: "delivery in another age", sends: `{"type":"publish","id":4,"channel":"c","deliver_at":9007199254740991,"data":1}`, error: "bad_request", id: 4.0},
		{name: "two times of delivery", sends: `{"type":"publish","id":4,"channel":"c","delay_ms":1,"deliver_at":1,"data":1}`, error: "bad_request", id: 4.0},
		{name: "priority", sends: `{"type":"publish","id":4,"channel":"c","priority":10,"data":1}`, error: "bad_request", id: 4.0},
		{name: "second hello", sends: `{"type":"hello"}`, error: "bad_request"},
		{name: "auth", sends: `{"type":"auth","id":4,"token":"x"}`, error: "not_available", id: 4.0},
		{name: "negative credit in subscribe", sends: `{"type":"subscribe","id":4,"channel":"c","credit":-1}`, error: "bad_request", id: 4.0},
		{name: "negative credit", sends: `{"type":"credit","subscription":"s","credit":-1}`, error: "bad_request"},
		{name: "credit of an unknown subscription", sends: `{"type":"credit","subscription":"s","credit":1}`, error: "not_found"},
		{name: "unsubscribe an unknown one", sends: `{"type":"unsubscribe","id":4,"subscription":"s"}`, error: "not_found", id: 4.0},
		{name: "a group with a space", sends: `{"type":"subscribe","id":4,"channel":"c","group":"a b","credit":1}`, error: "bad_request", id: 4.0},
		{name: "a group of 256 letters", sends: `{"type":"subscribe","id":4,"channel":"c","group":"` + strings.Repeat("g", 256) + `","credit":1}`, error: "bad_request", id: 4.0},
		{name: "from without a group", sends: `{"type":"subscribe","id":4,"channel":"c","from":"new","credit":1}`, error: "bad_request", id: 4.0},
		{name: "from with default", sends: `{"type":"subscribe","id":4,"channel":"c","group":"default","from":"earliest","credit":1}`, error: "bad_request", id: 4.0},
		{name: "from a time", sends: `{"type":"subscribe","id":4,"channel":"c","group":"g","from":{"time":5},"credit":1}`, error: "bad_request", id: 4.0},
		{name: "from a cursor", sends: `{"type":"subscribe","id":4,"channel":"c","group":"g","from":{"cursor":"x"},"credit":1}`, error: "bad_request", id: 4.0},
		{name: "from yesterday", sends: `{"type":"subscribe","id":4,"channel":"c","group":"g","from":"yesterday","credit":1}`, error: "bad_request", id: 4.0},
		{name: "a lease of a month", sends: `{"type":"subscribe","id":4,"channel":"c","credit":1,"lease_ms":2592000000}`, error: "bad_request", id: 4.0},
		{name: "complete an unknown lease", sends: `{"type":"complete","id":4,"lease":"nonsense"}`, error: "lease_lost", id: 4.0},
		{name: "fail an unknown lease", sends: `{"type":"fail","id":4,"lease":"nonsense","error":{"code":"x","message":"y"}}`, error: "lease_lost", id: 4.0},
		{name: "release an unknown lease", sends: `{"type":"release","lease":"nonsense"}`, error: "lease_lost"},
		{name: "emit names a tenant", sends: `{"type":"complete","id":4,"lease":"x","emit":[{"channel":"c","tenant":"t","data":1}]}`, error: "bad_request", id: 4.0},
		{name: "emit with a negative ttl", sends: `{"type":"complete","id":4,"lease":"x","emit":[{"channel":"c","ttl_ms":-1,"data":1}]}`, error: "bad_request", id: 4.0},
		{name: "emit with two times", sends: `{"type":"complete","id":4,"lease":"x","emit":[{"channel":"c","delay_ms":1,"deliver_at":1,"data":1}]}`, error: "bad_request", id: 4.0},
		{name: "emit with a delay of two years", sends: `{"type":"complete","id":4,"lease":"x","emit":[{"channel":"c","delay_ms":63072000000,"data":1}]}`, error: "bad_request", id: 4.0},
		{name: "checkpoint of an unknown lease", sends: `{"type":"checkpoint","id":4,"lease":"nonsense","checkpoint":1}`, error: "lease_lost", id: 4.0},
		{name: "checkpoint without one", sends: `{"type":"checkpoint","id":4,"lease":"x"}`, error: "bad_request", id: 4.0},
		{name: "park", sends: `{"type":"park","id":4,"lease":"x"}`, error: "lease_lost", id: 4.0},
		{name: "read of no stream", sends: `{"type":"read","id":4,"stream":"s","offset":0}`, error: "bad_request", id: 4.0},
		{name: "commit", sends: `{"type":"commit","subscription":"s","cursor":"c"}`, error: "not_found"},
		{name: "chunk of an unknown lease", sends: `{"type":"chunk","lease":"l","offset":0,"data":"x"}`, error: "lease_lost"},
		{name: "chunk that is no text", sends: `{"type":"chunk","lease":"l","offset":0,"data":{"a":1}}`, error: "bad_request"},
		{name: "chunk with half a character", sends: `{"type":"chunk","lease":"l","offset":0,"data":"\ud800"}`, error: "bad_request"},
		{name: "chunk of a stream with a slash", sends: `{"type":"chunk","lease":"l","stream":"a/b","offset":0,"data":"x"}`, error: "bad_request"},
		{name: "read of a stream with two slashes", sends: `{"type":"read","id":4,"stream":"00000000000000000000000000002/a/b","offset":0}`, error: "bad_request", id: 4.0},
		{name: "cancel what is no run", sends: `{"type":"cancel","id":4,"run":"x"}`, error: "not_found", id: 4.0},
		{name: "on_end for nobody", sends: `{"type":"publish","id":4,"channel":"c","on_end":"n","data":1}`, error: "bad_request", id: 4.0},
		{name: "on_end of an emit", sends: `{"type":"complete","id":4,"lease":"x","emit":[{"channel":"c","on_end":"n","data":1}]}`, error: "bad_request", id: 4.0},
		{name: "cancel what is no event", sends: `{"type":"cancel","id":4,"event_id":"x"}`, error: "bad_request", id: 4.0},
		{name: "cancel in no partition", sends: `{"type":"cancel","id":4,"event_id":"0000000vvvvvvvvvvvvvvvvvvvvvv"}`, error: "?", id: 4.0},
		{name: "ack without a client id", sends: `{"type":"ack","seq":1}`, error: "bad_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := e.open(`{"type":"hello"}`)
			c.t = t
			c.send(test.sends)
			switch test.error {
			case "":
			case "?":
				if m := c.next(); m["type"] == "ok" && m["id"] == 4.0 {
					c.expect("error") // what came before the break was a whole message
				}
			default:
				m := c.expect("error")
				has(t, m, "reason", test.error)
				if m["id"] != test.id {
					t.Fatalf("id is %v in %v", m["id"], m)
				}
			}
			if test.code != 0 {
				c.expectClose(test.code)
				return
			}
			c.alive()
			_ = c.conn.Close()
		})
	}
}

// TestBadFrames is what may be wrong with frames rather than messages.
func TestBadFrames(t *testing.T) {
	e := newEdge(t)
	for _, test := range []struct {
		name  string
		bytes []byte
		code  int
	}{
		{"unmasked", ws.MustCompileFrame(ws.NewTextFrame([]byte(`{"type":"ping"}`))), 4501},
		{"invalid UTF-8", masked(ws.OpText, true, "{\"type\":\"\xff\"}"), 4501},
		{"binary", masked(ws.OpBinary, true, "{}"), 4501},
		{"reserved bits", []byte{0xc1, 0x80, 1, 2, 3, 4}, 4501},
		{"continuation of nothing", masked(ws.OpContinuation, true, "{}"), 4501},
		{"length 2^62", []byte{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 4505},
		{"length 2^63", []byte{0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 4501},
		{"a message above the limit", masked(ws.OpText, true, strings.Repeat(" ", 1<<20+1)), 4505},
		{"above the limit in pieces", append(masked(ws.OpText, false, strings.Repeat(" ", 1<<20)), masked(ws.OpContinuation, true, " ")...), 4505},
		{"a close with half a code", masked(ws.OpClose, true, "\x03"), 4501},
		{"a close with a reserved code", masked(ws.OpClose, true, "\x03\xed"), 4501},
		{"a close with bad UTF-8", masked(ws.OpClose, true, "\x03\xe8\xff"), 4501},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := e.openText(`{"type":"hello"}`)
			c.t = t
			c.raw(test.bytes)
			c.expectClose(test.code)
		})
	}
}

// TestGoodFrames is what must not be mistaken for an error.
func TestGoodFrames(t *testing.T) {
	e := newEdge(t)
	c := e.openText(`{"type":"hello"}`)
	c.raw(masked(ws.OpText, false, `{"type":"pi`))
	c.raw(masked(ws.OpPing, true, "probe"))
	c.raw(masked(ws.OpContinuation, true, `ng","time":5}`+"\n"+`{"type":"ping","time":6}`))
	has(t, c.expect("PONG"), "payload", "probe")
	has(t, c.expect("pong"), "time", 5.0)
	has(t, c.expect("pong"), "time", 6.0)
	for _, b := range masked(ws.OpText, true, `{"type":"ping","time":7}`) {
		c.raw([]byte{b})
	}
	has(t, c.expect("pong"), "time", 7.0)
	c.raw(masked(ws.OpText, true, strings.Repeat(" ", 1<<20)))
	c.alive()
	c.raw(masked(ws.OpClose, true, "\x0f\xa1done"))
	c.expectClose(4001)

	c = e.open(`{"type":"hello"}`)
	c.raw(masked(ws.OpClose, true, ""))
	c.expectClose(-1)
}

// TestBeforeHello: nothing but hello may come first, and nothing else reaches the cluster.
func TestBeforeHello(t *testing.T) {
	e := newEdge(t)
	for _, test := range []struct {
		name, sends string
		code        int
	}{
		{"publish", `{"type":"publish","id":1,"channel":"c","data":1}`, 4502},
		{"ping", `{"type":"ping"}`, 4502},
		{"unknown", `{"type":"dance"}`, 4502},
		{"a bad publish", `{"type":"publish","id":1}`, 4502},
		{"a bad hello", `{"type":"hello","window":"big"}`, 4501},
		{"nonsense", `nonsense`, 4501},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := e.connect()
			c.t = t
			c.send(test.sends)
			c.expectError(400, "bad_request")
			c.expectClose(test.code)
		})
	}
	select {
	case s := <-e.broker.submissions:
		t.Fatalf("%v reached the cluster", s.prefix.Kind)
	default:
	}
}
