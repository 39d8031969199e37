package gateway

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/batonmq/baton/fsm/command"
)

// TestShutdown: a bye, a code, and nothing left.
func TestShutdown(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	silent := e.connect()
	e.awaitAdmitted(2) // A client knows of its upgrade a moment before the gateway counts it.
	e.broker.set(func() { e.broker.hold = true })
	c.send(`{"type":"publish","id":1,"channel":"q","data":1}`)
	late := e.submission()
	if err := e.gateway.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	m := c.expect("bye")
	has(t, m, "reason", "shutdown")
	has(t, m, "reconnect", true)
	if nodes, _ := m["nodes"].([]any); len(nodes) != 2 {
		t.Fatalf("%v", m)
	}
	c.expectClose(4000)
	silent.expect("bye")
	silent.expectClose(4000)
	late.reply(command.Result{})
	if _, err := e.dial(); err == nil {
		t.Fatal("it still listens")
	}
}

// awaitAdmitted waits until the gateway counts so many connections.
func (e *edge) awaitAdmitted(want int) {
	for {
		e.gateway.mu.Lock()
		have := len(e.gateway.connections)
		e.gateway.mu.Unlock()
		if have >= want {
			return
		}
		runtime.Gosched()
	}
}

// TestDrain: sockets go elsewhere, HTTP goes on.
func TestDrain(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello"}`)
	if err := e.gateway.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	has(t, c.expect("bye"), "reason", "drain")
	c.expectClose(4001)
	e.connect().expectClose(4001)
	e.get(t, "/readyz", 503, "draining")
	e.get(t, "/healthz", 200, "")
}

// TestShutdownCutsTheDeaf: a client that reads nothing cannot hold up a shutdown.
func TestShutdownCutsTheDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newBubbleEdge(t)
		c := e.connectDeaf()
		c.send(`{"type":"hello"}`)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := e.gateway.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
	})
}

// TestTooManyConnections: one too many is told to come again.
func TestTooManyConnections(t *testing.T) {
	e := newEdge(t, func(c *Config) { c.Limits.MaxConnections = 1 })
	c := e.open(`{"type":"hello"}`)
	e.connect().expectClose(4000)
	c.alive()
}
