package gateway

import (
	"runtime"
	"testing"
)

// TestWatchingStacksStaySmall: the goroutine that waits for an idle connection has the
// stack that goroutines begin with, though hello needs more.
func TestWatchingStacksStaySmall(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector, which tests run with -short, makes frames larger")
	}
	const count, most = 1000, 3 << 10
	e := newEdge(t, func(c *Config) { c.Poller = PollerGoroutine })
	stacks := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.StackInuse)
	}
	quietClient(e)
	before, goroutines := stacks(), runtime.NumGoroutine()
	for range count {
		quietClient(e)
	}
	eventually(t, "nothing else is at work", func() bool { return runtime.NumGoroutine() <= goroutines+count+spareHelpers })
	if each := (stacks() - before) / count; each > most {
		t.Fatalf("the stack of each connection has %d bytes", each)
	}
}

// TestIdleHasNoTables: what a session has asked for besides its stream is not made
// before it asks.
func TestIdleHasNoTables(t *testing.T) {
	e := newEdge(t)
	c := e.open(`{"type":"hello","client_id":"ann"}`)
	tables := func() (made int) {
		e.gateway.mu.Lock()
		defer e.gateway.mu.Unlock()
		for c := range e.gateway.connections {
			if c.rest.Load() != nil {
				made++
			}
		}
		return made
	}
	if tables() != 0 {
		t.Fatal("an idle connection has tables")
	}
	c.send(`{"type":"publish","id":1,"channel":"q","data":1}`)
	eventually(t, "it asked for something", func() bool { return tables() == 1 })
}
