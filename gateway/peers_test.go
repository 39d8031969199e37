package gateway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/transport/wire"
)

// peerPatience is how long a session of another program may take.
const peerPatience = 2 * time.Minute

// peers is what sessions of WebSocket libraries are held with: see
// testdata/peers/session.mjs. What they publish says what they wish for.
type peers struct {
	*edge

	address string
	told    chan string // the channels of what was published
}

func newPeers(t *testing.T) *peers {
	t.Helper()
	p := &peers{told: make(chan string, 100)}
	p.edge = newEdge(t, func(c *Config) {
		c.Limits.MaxPayloadBytes = 1 << 20
		c.Limits.PingInterval = 10 * time.Millisecond
		c.AllowedOrigins = []string{"*"}
	})
	p.address = "ws" + strings.TrimPrefix(p.url, "http") + "/ws"
	done := make(chan struct{})
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		for {
			select {
			case s := <-p.broker.submissions:
				event := s.publish().Event
				p.grant(t, event.Channel, string(event.Payload.Bytes))
			case <-done:
				return
			}
		}
	}()
	t.Cleanup(func() { close(done); <-listened })
	return p
}

// grant does what a publish in this channel wishes for.
func (p *peers) grant(t *testing.T, channel, data string) {
	t.Helper()
	switch channel {
	case "big", "fragmented":
		if want := `"` + strings.Repeat("0123456789abcdef €uro 水𝄞 ", 25000) + `"`; data != want {
			t.Errorf("what is published in %s has %d bytes, want %d, or has others", channel, len(data), len(want))
		}
	case "silence":
		p.untilHeard()
	case "stop":
		for _, c := range p.open() {
			c.close(wire.CloseShutdown, "as a test wishes")
		}
	}
	p.told <- channel
}

// untilHeard waits until something came from a peer that says nothing by itself, and
// tells it so.
func (p *peers) untilHeard() {
	for _, c := range p.open() {
		for last := c.lastRead.Load(); c.lastRead.Load() == last && !c.closing(); {
			time.Sleep(time.Millisecond)
		}
	}
	for {
		stream := <-p.broker.attached
		stream.sink.Notification(&command.Notification{Seq: 6, Name: "heard"}, false)
		if len(p.broker.attached) == 0 {
			return
		}
	}
}

func (p *peers) open() (open []*connection) {
	p.gateway.mu.Lock()
	defer p.gateway.mu.Unlock()
	for c := range p.gateway.connections {
		if !c.closing() {
			open = append(open, c)
		}
	}
	return open
}

// expect compares what was published, in order.
func (p *peers) expect(t *testing.T, channels ...string) {
	t.Helper()
	var got []string
	for len(p.told) > 0 {
		got = append(got, <-p.told)
	}
	if !slices.Equal(got, channels) {
		t.Errorf("was told %v, want %v", got, channels)
	}
}

// run has a program hold the session.
func (p *peers) run(t *testing.T, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), peerPatience)
	defer cancel()
	program := exec.CommandContext(ctx, name, append(args, p.address)...)
	if output, err := program.CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, output)
	}
}

// needNode finds Node, with what the lock file in folder names, or skips the test.
func needNode(t *testing.T, folder string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node on this machine: install Node 20 or later")
	}
	if _, err := os.Stat(folder + "/node_modules/.package-lock.json"); err != nil {
		install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund")
		install.Dir = folder
		if output, err := install.CombinedOutput(); err != nil {
			t.Skipf("npm ci in gateway/%s: %v\n%s", folder, err, output)
		}
	}
	return node
}

// TestNodePeer is a session with the library ws.
func TestNodePeer(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Node")
	}
	t.Parallel() // Most of it is waiting for a probe.
	node := needNode(t, "testdata/peers")
	p := newPeers(t)
	p.run(t, node, "testdata/peers/node.mjs")
	p.expect(t, "big", "fragmented", "silence", "stop", "done")
}

// TestPythonPeer is a session with the library websockets.
func TestPythonPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("runs Python")
	}
	t.Parallel() // Most of it is waiting for a probe.
	// Debian's, for which it packages websockets.
	const python = "/usr/bin/python3"
	if exec.CommandContext(t.Context(), python, "-c", "import websockets").Run() != nil {
		t.Skipf("%s has no package websockets: install python3-websockets", python)
	}
	p := newPeers(t)
	p.run(t, python, "-B", "testdata/peers/peer.py")
	p.expect(t, "big", "fragmented", "silence", "stop", "done")
}

// TestBrowserPeer is a session with the WebSocket of a browser, which neither chooses
// fragments nor sends pings.
func TestBrowserPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser")
	}
	t.Parallel() // Most of it is waiting for a probe.
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium on this machine")
	}
	p := newPeers(t)
	told := make(chan string, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /session.mjs", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "testdata/peers/session.mjs")
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "testdata/peers/page.html")
	})
	mux.HandleFunc("POST /told", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		told <- string(body)
	})
	pages := httptest.NewServer(mux)
	t.Cleanup(pages.Close)

	ctx, cancel := context.WithTimeout(t.Context(), peerPatience)
	defer cancel()
	window := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
		"--disable-dev-shm-usage", "--remote-debugging-port=0", "--user-data-dir="+t.TempDir(), pages.URL+"/?gateway="+url.QueryEscape(p.address))
	if err := window.Start(); err != nil {
		t.Skipf("chromium does not start here: %v", err)
	}
	defer func() {
		// Asked, not killed: it takes its own processes along.
		_ = window.Process.Signal(os.Interrupt)
		_ = window.Wait()
	}()
	select {
	case failure := <-told:
		if failure != "" {
			t.Fatal(failure)
		}
	case <-ctx.Done():
		t.Fatal("the page tells nothing")
	}
	p.expect(t, "big", "silence", "stop", "done")
}
