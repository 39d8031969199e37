package gateway

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base32"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/transport/wire"
)

// ErrClosed is returned by Serve after Shutdown.
var ErrClosed = errors.New("gateway: closed")

// Gateway serves clients and workers. Make it with New.
type Gateway struct {
	broker   Broker
	node     string
	logger   *slog.Logger
	limits   Limits
	meter    *metrics
	gatherer prometheus.Gatherer
	origins  origins
	auth     *auth.Authenticator // nil where nobody is asked for a token
	tls      *tls.Config
	server   *http.Server
	features [][]byte
	tooLarge refusal
	tooLate  refusal
	// parkTooLong refuses a timeout_ms.
	parkTooLong refusal

	benches sync.Pool // of *workbench
	buffers bufferPool
	wheel   wheel
	// What all connections and requests take together, and how fast they may.
	rates     rates
	tenants   usageTable[string]
	addresses usageTable[netip.Addr]
	requests  atomic.Int64 // under way
	nobody    usage        // of those that are of no tenant yet, or of no address that is counted
	publishes bucket
	connects  bucket
	began     time.Time
	proxies   proxies
	poller    poller
	polls     bool          // sockets without TLS are the poller's
	ends      chan struct{} // one place for each connection that ends
	helpers   helpers

	waiting  chan struct{} // one place for each HTTP request that waits for the cluster
	runWaits chan struct{} // and for each that waits for a run's end
	stop     chan struct{}
	work     sync.WaitGroup

	mu          sync.Mutex // guards the rest
	connections map[*connection]struct{}
	entering    int // connections that have a place and are not among them yet
	streams     map[*eventStream]struct{}
	draining    bool
	stopped     bool
}

// New makes a gateway and starts its deadlines; Shutdown ends them. It fails
// when the configuration lacks something, or names metrics twice.
func New(config Config) (*Gateway, error) {
	config, err := config.complete()
	if err != nil {
		return nil, err
	}
	allowed, err := parseOrigins(config.AllowedOrigins)
	if err != nil {
		return nil, err
	}
	trusted, err := parseProxies(config.TrustedProxies)
	if err != nil {
		return nil, err
	}
	meter, err := newMetrics(config.Registerer, &config.Limits)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		broker:      config.Broker,
		node:        config.Node,
		logger:      config.Logger,
		limits:      config.Limits,
		meter:       meter,
		gatherer:    config.Gatherer,
		origins:     allowed,
		auth:        config.Auth,
		tls:         config.TLS,
		features:    features(),
		rates:       newRates(&config.Limits),
		began:       time.Now(),
		proxies:     trusted,
		ends:        make(chan struct{}, maxEnds),
		helpers:     newHelpers(),
		waiting:     make(chan struct{}, config.Limits.MaxHTTPRequests),
		runWaits:    make(chan struct{}, config.Limits.MaxRunWaits),
		stop:        make(chan struct{}),
		connections: make(map[*connection]struct{}),
		streams:     make(map[*eventStream]struct{}),
		tooLarge: refusal{
			wire.ReasonTooLarge,
			fmt.Sprintf("data is larger than %d bytes", config.Limits.MaxPayloadBytes),
		},
		tooLate: refusal{
			wire.ReasonBadRequest,
			fmt.Sprintf("delay_ms and deliver_at hold an event back for %d ms at most", config.Limits.MaxDelay.Milliseconds()),
		},
		parkTooLong: refusal{
			wire.ReasonBadRequest,
			fmt.Sprintf("timeout_ms must be at most %d", config.Limits.MaxPark.Milliseconds()),
		},
	}
	g.polls = config.Poller.polls()
	g.server = g.newServer()
	g.work.Go(func() {
		var seen uint64
		g.wheel.turn(g.stop, func() { seen = g.sweepCredentials(seen) })
	})
	return g, nil
}

// Handler is everything the gateway serves, for a server of one's own.
func (g *Gateway) Handler() http.Handler { return g.server.Handler }

// Serve accepts connections until Shutdown, and then returns ErrClosed; any
// other error is the listener's.
func (g *Gateway) Serve(listener net.Listener) error {
	bounded := net.Listener(g.newListener(listener))
	if g.tls != nil {
		bounded = tls.NewListener(bounded, g.tls)
	}
	err := g.server.Serve(bounded)
	if errors.Is(err, http.ErrServerClosed) {
		return ErrClosed
	}
	return fmt.Errorf("gateway: serving %v: %w", listener.Addr(), err)
}

// Drain sends every WebSocket elsewhere (bye with reason drain, close 4001),
// and lets no new one in; HTTP goes on. It returns when they are closed or ctx
// is done, with the context's error in that case.
func (g *Gateway) Drain(ctx context.Context) error {
	g.dismiss("drain", wire.CloseDrain)
	return g.awaitConnections(ctx)
}

// Shutdown ends everything: WebSockets get bye and close 4000, HTTP requests
// are finished. What is left when ctx is done is cut, and the context's error
// returned. All goroutines have ended when it returns.
func (g *Gateway) Shutdown(ctx context.Context) error {
	g.dismiss("shutdown", wire.CloseShutdown)
	err := g.awaitConnections(ctx)
	if err != nil {
		g.cut()
	}
	if serverErr := g.server.Shutdown(ctx); serverErr != nil {
		_ = g.server.Close()
		err = errors.Join(err, serverErr)
	}
	g.mu.Lock()
	first := !g.stopped
	g.stopped = true
	g.mu.Unlock()
	if first {
		close(g.stop)
	}
	g.work.Wait()
	if first {
		g.poller.close()
	}
	return err
}

// dismiss says goodbye to every connection.
func (g *Gateway) dismiss(reason string, code wire.CloseCode) {
	b := wire.Bye{Reason: []byte(reason), Reconnect: true, Nodes: g.clientSockets()}
	for _, c := range g.refuseMore() {
		b.AfterMs = jitter()
		c.dismiss(&b, code)
	}
	g.dismissStreams(&b)
}

// refuseMore begins draining and lists the connections there are.
func (g *Gateway) refuseMore() []*connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
	return slices.Collect(maps.Keys(g.connections))
}

func (g *Gateway) allConnections() []*connection {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Collect(maps.Keys(g.connections))
}

func (g *Gateway) cut() {
	for _, c := range g.refuseMore() {
		_ = c.conn.Close()
	}
}

// awaitConnections waits until the last connection is gone.
func (g *Gateway) awaitConnections(ctx context.Context) error {
	ticker := time.NewTicker(drainPoll)
	defer ticker.Stop()
	for {
		g.mu.Lock()
		left := len(g.connections) + g.entering
		g.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gateway: %d connections are still open: %w", left, ctx.Err())
		case <-ticker.C:
		}
	}
}

const (
	drainPoll = 5 * time.Millisecond
	// maxJitter spreads the reconnects of those who are sent away.
	maxJitter = 2 * time.Second
)

// jitter is a random wait from 0 to maxJitter, in milliseconds.
func jitter() int64 {
	var random [2]byte
	_, _ = rand.Read(random[:])
	return (int64(random[0])<<8 | int64(random[1])) * maxJitter.Milliseconds() / 0xffff
}

// clock is the nanoseconds since the gateway was made, which never go back.
func (g *Gateway) clock() int64 { return int64(time.Since(g.began)) }

// enter takes a place for a connection that is about to be; false where there is none.
func (g *Gateway) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining || len(g.connections)+g.entering+len(g.streams) >= g.limits.MaxConnections {
		return false
	}
	g.entering++
	g.work.Add(1)
	return true
}

// leave gives back a place that no connection came of.
func (g *Gateway) leave() {
	g.mu.Lock()
	g.entering--
	g.mu.Unlock()
	g.work.Done()
}

// register notes a connection in the place that enter took. It returns whether the node
// began to drain meanwhile: then nobody has told the connection.
func (g *Gateway) register(c *connection) (draining bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entering--
	g.connections[c] = struct{}{}
	g.meter.connections.Inc()
	return g.draining
}

// forget is the end of a connection; its reader has nothing more to do.
func (g *Gateway) forget(c *connection) {
	g.mu.Lock()
	delete(g.connections, c)
	g.mu.Unlock()
	g.standUp(&c.seat)
	c.leaveTenant()
	g.meter.connections.Dec()
	g.work.Done()
}

func (g *Gateway) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// newSession is a name that no other session of any node ever has.
func (g *Gateway) newSession() string {
	var random [16]byte
	_, _ = rand.Read(random[:])
	return strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(random[:]))
}

// clientSockets is the cluster's client URLs as WebSocket URLs.
func (g *Gateway) clientSockets() [][]byte {
	urls := g.broker.ClientURLs()
	sockets := make([][]byte, 0, min(len(urls), wire.MaxNodes))
	for _, url := range urls {
		if len(sockets) == wire.MaxNodes {
			break
		}
		sockets = append(sockets, []byte(socketURL(url)))
	}
	return sockets
}

// socketURL is a client URL with the scheme and path of the WebSocket.
func socketURL(url string) string {
	url = strings.TrimSuffix(strings.TrimSuffix(url, "/"), "/ws")
	switch {
	case strings.HasPrefix(url, "http://"):
		url = "ws://" + strings.TrimPrefix(url, "http://")
	case strings.HasPrefix(url, "https://"):
		url = "wss://" + strings.TrimPrefix(url, "https://")
	case !strings.Contains(url, "://"):
		url = "ws://" + url
	}
	return url + "/ws"
}
