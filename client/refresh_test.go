package client

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/batonmq/baton/transport/wire"
)

// TestTokenSource: each connection, and each refresh, asks for a token; one that has
// ended costs the connection, not the client, which comes back with the next.
func TestTokenSource(t *testing.T) {
	n := newFakeNode(t)
	n.welcome.TokenExpiresMs = 50
	var asked atomic.Int32
	c, conn := dial(t, n, Options{TokenSource: func(context.Context) (string, error) {
		count := asked.Add(1)
		if count == 3 {
			return "", errors.New("the issuer is away")
		}
		return fmt.Sprint("token-", count), nil
	}})
	if string(conn.hello.Token) != "token-1" {
		t.Errorf("hello with %s", conn.hello.Token)
	}
	m := conn.expect(wire.TypeAuth)
	if string(m.Auth.Token) != "token-2" {
		t.Errorf("refreshed with %s", m.Auth.Token)
	}
	conn.send(&wire.Message{Type: wire.TypeOK, OK: wire.OK{ID: m.Auth.ID, TokenExpiresMs: 3_600_000}})
	conn.close(wire.CloseUnauthenticated)
	again := n.greet()
	if string(again.hello.Token) != "token-4" { // The third could not be had.
		t.Errorf("hello again with %s", again.hello.Token)
	}
	if c.Err() != nil {
		t.Errorf("the client ended: %v", c.Err())
	}
}

// TestTokenThatIsRefused: a token that was just asked for and is refused ends the
// client, and so does a fixed one that ends.
func TestTokenThatIsRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"a source": {TokenSource: func(context.Context) (string, error) { return "no good", nil }},
		"a token":  {Token: "over"},
	} {
		n := newFakeNode(t)
		c, conn := dial(t, n, o)
		conn.close(wire.CloseUnauthenticated)
		if o.TokenSource != nil {
			n.accept().close(wire.CloseUnauthenticated)
		}
		select {
		case <-c.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%s: the client goes on", name)
		}
		if rejected, ok := errors.AsType[*RejectedError](c.Err()); !ok || rejected.Code != int(wire.CloseUnauthenticated) {
			t.Errorf("%s: %v", name, c.Err())
		}
	}
}

// TestTokenAndSource cannot both be given.
func TestTokenAndSource(t *testing.T) {
	source := func(context.Context) (string, error) { return "", nil }
	if _, err := Dial(t.Context(), Options{Nodes: []string{"http://127.0.0.1:1"}, Token: "x", TokenSource: source}); err == nil {
		t.Error("both were taken")
	}
}
