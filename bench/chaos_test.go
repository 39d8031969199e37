package bench

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/batonmq/baton/node"
)

// startNode runs a one-node cluster.
func startNode(t *testing.T) string {
	t.Helper()
	n, err := node.New(node.Config{
		Name: "bench", DataDir: t.TempDir(), Listen: "127.0.0.1:0", PeerListen: "127.0.0.1:0", GossipListen: "127.0.0.1:0",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err = n.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if stopErr := n.Stop(context.Background()); stopErr != nil {
			t.Error(stopErr)
		}
	})
	for err = n.Ready(ctx); err != nil; err = n.Ready(ctx) {
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return n.ClientURL()
}

// cutter passes connections on, and cuts each after a random time.
type cutter struct {
	listener net.Listener
	to       string
	cuts     int

	mu    sync.Mutex // guards the rest, and cuts
	conns map[net.Conn]bool
	wait  sync.WaitGroup
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{listener: l, to: to, conns: make(map[net.Conn]bool)}
	c.wait.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.mu.Lock()
		for conn := range c.conns {
			_ = conn.Close()
		}
		c.mu.Unlock()
		c.wait.Wait()
	})
	return c
}

func (c *cutter) accept() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.wait.Go(func() { c.pass(conn) })
	}
}

func (c *cutter) pass(conn net.Conn) {
	far, err := net.Dial("tcp", c.to)
	if err != nil {
		_ = conn.Close()
		return
	}
	c.mu.Lock()
	c.conns[conn], c.conns[far] = true, true
	c.mu.Unlock()
	timer := time.AfterFunc(200*time.Millisecond+rand.N(800*time.Millisecond), func() {
		c.mu.Lock()
		c.cuts++
		c.mu.Unlock()
		_ = conn.Close()
		_ = far.Close()
	})
	defer timer.Stop()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(far, conn); _ = far.Close() })
	both.Go(func() { _, _ = io.Copy(conn, far); _ = conn.Close() })
	both.Wait()
}

// Connections that are cut all the time lose nothing and repeat nothing: not a
// publish, not a job, not a notification.
func TestPipelineOverCutConnections(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	c := newCutter(t, strings.TrimPrefix(startNode(t), "http://"))
	r, err := Pipeline(t.Context(), Config{
		Nodes: []string{c.listener.Addr().String()}, Steps: 3, Rate: 100, WarmUp: 0, Duration: 5 * time.Second,
		Drain: 60 * time.Second, Size: 256, Clients: 4, Workers: 2, Credit: 16, Lease: 2 * time.Second, GivenOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	cuts := c.cuts
	c.mu.Unlock()
	t.Logf("%d cuts, %d jobs in a second attempt, end to end %+v", cuts, r.Retried, r.EndToEnd)
	if !r.OK() || r.Failed != 0 || r.Notified != r.Published || cuts == 0 {
		t.Errorf("%+v", r)
	}
}
