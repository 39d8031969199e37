package gateway

import (
	"net/http"
	"strings"
	"testing"
)

// handshake is an upgrade that keeps every rule of RFC 6455, section 4.1; changed
// replaces a header line of it, or leaves it out where the value is empty.
func handshake(changed map[string]string) string {
	lines := []string{"GET /ws HTTP/1.1"}
	for _, header := range [][2]string{
		{"Host", "localhost"},
		{"Upgrade", "websocket"},
		{"Connection", "Upgrade"},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
		{"Sec-WebSocket-Version", "13"},
		{"Sec-WebSocket-Protocol", ""},
		{"Sec-WebSocket-Extensions", ""},
	} {
		value, ok := changed[header[0]]
		if !ok {
			value = header[1]
		}
		if value != "" {
			lines = append(lines, header[0]+": "+value)
		}
	}
	if first, ok := changed["request"]; ok {
		lines[0] = first
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// TestHandshake is what an upgrade must be (RFC 6455, section 4.2.1), and what is
// answered to one that is not.
func TestHandshake(t *testing.T) {
	e := newEdge(t)
	for _, test := range []struct {
		name    string
		changed map[string]string
		status  int
		// answers are headers of the answer; an empty value is one that must not be there.
		answers map[string]string
	}{
		{"as it must be", nil, 101, map[string]string{
			"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
			"Sec-WebSocket-Protocol": "", "Sec-WebSocket-Extensions": "",
		}},
		{"in other letters", map[string]string{"Upgrade": "WebSocket", "Connection": "keep-alive, UPGRADE"}, 101, nil},
		{"another path", map[string]string{"request": "GET /wss HTTP/1.1"}, 404, nil},
		{"with a query", map[string]string{"request": "GET /ws?a=b HTTP/1.1"}, 101, nil},
		{"POST", map[string]string{"request": "POST /ws HTTP/1.1"}, 404, nil},
		{"HEAD", map[string]string{"request": "HEAD /ws HTTP/1.1"}, 405, nil},
		{"HTTP/1.0", map[string]string{"request": "GET /ws HTTP/1.0"}, 505, nil},
		{"no Host", map[string]string{"Host": ""}, 400, nil},
		{"no Upgrade", map[string]string{"Upgrade": ""}, 426, map[string]string{"Upgrade": "websocket"}},
		{"another Upgrade", map[string]string{"Upgrade": "h2c"}, 426, map[string]string{"Upgrade": "websocket"}},
		{"no Connection", map[string]string{"Connection": ""}, 400, nil},
		{"a Connection without Upgrade", map[string]string{"Connection": "keep-alive"}, 400, nil},
		{"no key", map[string]string{"Sec-WebSocket-Key": ""}, 400, nil},
		{"a short key", map[string]string{"Sec-WebSocket-Key": "dGhlIHNhbXBsZQ=="}, 400, nil},
		{"a long key", map[string]string{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZSBpcyBsb25n"}, 400, nil},
		{"a key of 17 bytes", map[string]string{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZXM="}, 400, nil},
		{"a key that is not base64", map[string]string{"Sec-WebSocket-Key": "!!!!!!!!!!!!!!!!!!!!!!=="}, 400, nil},
		{"two keys", map[string]string{"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}, 400, nil},
		{"no version", map[string]string{"Sec-WebSocket-Version": ""}, 400, nil},
		{"version 8", map[string]string{"Sec-WebSocket-Version": "8"}, 426, map[string]string{"Sec-WebSocket-Version": "13"}},
		{"version 12", map[string]string{"Sec-WebSocket-Version": "12"}, 426, map[string]string{"Sec-WebSocket-Version": "13"}},
		{"version 14", map[string]string{"Sec-WebSocket-Version": "14"}, 426, map[string]string{"Sec-WebSocket-Version": "13"}},
		{"version thirteen", map[string]string{"Sec-WebSocket-Version": "thirteen"}, 426, map[string]string{"Sec-WebSocket-Version": "13"}},
		{"the subprotocol", map[string]string{"Sec-WebSocket-Protocol": "baton.v1.json"}, 101, map[string]string{"Sec-WebSocket-Protocol": "baton.v1.json"}},
		{"the subprotocol among others", map[string]string{"Sec-WebSocket-Protocol": "mqtt, baton.v1.json,graphql-ws"}, 101, map[string]string{"Sec-WebSocket-Protocol": "baton.v1.json"}},
		{"the subprotocol in a second line", map[string]string{"Sec-WebSocket-Protocol": "mqtt\r\nSec-WebSocket-Protocol: baton.v1.json"}, 101, map[string]string{"Sec-WebSocket-Protocol": "baton.v1.json"}},
		{"the subprotocol in other letters", map[string]string{"Sec-WebSocket-Protocol": "Baton.V1.JSON"}, 101, map[string]string{"Sec-WebSocket-Protocol": "Baton.V1.JSON"}},
		{"other subprotocols", map[string]string{"Sec-WebSocket-Protocol": "mqtt, amqp"}, 101, map[string]string{"Sec-WebSocket-Protocol": "mqtt"}},
		{"compression is not negotiated", map[string]string{"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits, x-webkit-deflate-frame"}, 101, map[string]string{"Sec-WebSocket-Extensions": ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, got := e.ask(t, handshake(test.changed))
			if got.status != test.status {
				t.Fatalf("answered with %d, want %d", got.status, test.status)
			}
			for name, want := range test.answers {
				if value := got.header.Get(name); value != want {
					t.Errorf("%s is %q, want %q", name, value, want)
				}
			}
			if test.status >= http.StatusBadRequest && got.body == "" {
				t.Error("the refusal gives no reason")
			}
			_ = p.conn.Close()
		})
	}
}

// TestHandshakeChoosesProtocol: an offer without the one that is spoken is taken up and
// closed with a code, which a browser can see; every other goes on.
func TestHandshakeChoosesProtocol(t *testing.T) {
	e := newEdge(t)
	for offer, speaks := range map[string]bool{"mqtt": false, "Baton.V1.JSON": false, "mqtt, baton.v1.json": true} {
		p := e.upgraded(t, "Sec-WebSocket-Protocol: "+offer)
		p.send(text(`{"type":"hello"}`))
		got := p.next()
		if speaks && got != "welcome" || !speaks && !strings.HasPrefix(got, "CLOSE 4506 ") {
			t.Errorf("%q is answered with %q", offer, got)
		}
		_ = p.conn.Close()
	}
}

// TestEarlyFrames: what comes right behind the upgrade, before its answer, is read.
func TestEarlyFrames(t *testing.T) {
	e := newEdge(t)
	for _, size := range []int{100, 4000, 100000} {
		request := handshake(nil) + string(join(text(`{"type":"hello"}`), text(echo(1, size))))
		p, got := e.ask(t, request)
		if got.status != http.StatusSwitchingProtocols {
			t.Fatal(got.status)
		}
		p.expect("welcome")
		p.expect("pong 1")
		_ = p.conn.Close()
	}
}
