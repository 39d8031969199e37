package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/batonmq/baton/node"
)

const (
	nodeCount = 3
	// maxInFlight is small, so that a client that does not keep to it is noticed.
	// overstated has as many digits.
	maxInFlight = 10
	overstated  = 99
	// patience is how long anything may take that must happen in the end.
	patience = 30 * time.Second
)

// cluster is three nodes in this process, each behind a proxy.
type cluster struct {
	members []*member
}

// member is one node, through all its lives.
type member struct {
	config node.Config
	node   *node.Node
	proxy  *proxy
}

func startCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{}
	ports := freePorts(t, 3*nodeCount)
	for i := range nodeCount {
		own := ports[3*i:]
		p := newProxy(t, own[0])
		config := node.Config{
			Name: fmt.Sprintf("n%d", i), DataDir: t.TempDir(), BootstrapExpect: nodeCount,
			Listen: own[0], PeerListen: own[1], GossipListen: own[2], Advertise: p.listener.Addr().String(),
			MaxInFlight: maxInFlight,
		}
		for other := range nodeCount {
			if other != i {
				config.Join = append(config.Join, ports[3*other+2])
			}
		}
		m := &member{config: config, proxy: p}
		if err := m.start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.node.Stop(context.Background()) })
		c.members = append(c.members, m)
	}
	for _, m := range c.members {
		if err := m.awaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// urls are where clients reach the nodes.
func (c *cluster) urls() []string {
	var urls []string
	for _, m := range c.members {
		urls = append(urls, "http://"+m.proxy.listener.Addr().String())
	}
	return urls
}

// direct is where the test reaches a node.
func (m *member) direct() string { return "http://" + m.config.Listen }

func (m *member) start(ctx context.Context) error {
	n, err := node.New(m.config)
	if err != nil {
		return err
	}
	m.node = n
	return n.Start(ctx)
}

func (m *member) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.node.Stop(ctx)
}

func (m *member) awaitReady(ctx context.Context) error {
	return await(ctx, func() error { return m.node.Ready(ctx) })
}

// await looks again until done returns nil, and returns what was missing.
func await(ctx context.Context, done func() error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		err := done()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waited in vain: %w", err)
		case <-tick.C:
		}
	}
}

// Ports come from below the range that systems take for outgoing connections: a
// node that is down must find its ports free when it comes back.
const (
	lowestPort  = 20_000
	highestPort = 32_000
)

// freePorts finds ports of 127.0.0.1 that are free for TCP and UDP.
func freePorts(t *testing.T, count int) []string {
	t.Helper()
	var addresses []string
	for range 1000 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+rand.IntN(highestPort-lowestPort)))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		// Held until all are found, so that none is taken twice.
		defer func() { _ = l.Close() }()
		u, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		_ = u.Close()
		if addresses = append(addresses, address); len(addresses) == count {
			return addresses
		}
	}
	t.Fatalf("no %d free ports", count)
	return nil
}
