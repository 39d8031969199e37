package members

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

// gossipLabel keeps other programs that use memberlist out.
const gossipLabel = "baton/1"

// gossip is the running memberlist.
type gossip struct {
	list    *memberlist.Memberlist
	timing  *Timing
	leaving atomic.Bool
	// address is what others reach this node's gossip at.
	address string
}

// openGossip binds and begins to gossip with nobody yet.
func openGossip(ctx context.Context, m *Members) (*gossip, error) {
	g := &gossip{timing: &m.config.Timing}
	d := &delegate{owner: m, leaving: g.leaving.Load}
	c, err := gossipConfig(ctx, m, d)
	if err != nil {
		return nil, err
	}
	if g.list, err = memberlist.Create(c); err != nil {
		return nil, fmt.Errorf("gossip on %s: %w", m.config.GossipListen, err)
	}
	g.address = g.list.LocalNode().Address() // Nobody else has changed it yet.
	return g, nil
}

func gossipConfig(ctx context.Context, m *Members, d *delegate) (*memberlist.Config, error) {
	c, timing := memberlist.DefaultLANConfig(), &m.config.Timing
	c.Name, c.Label = m.config.Self.ID, gossipLabel
	c.Delegate, c.Events, c.Alive, c.Merge, c.Ping = d, d, d, d, d
	c.LogOutput, c.Logger = nil, log.New(&logWriter{logger: m.logger}, "", 0)
	c.ProbeInterval, c.ProbeTimeout = timing.Probe, timing.ProbeTimeout
	c.GossipInterval, c.PushPullInterval = timing.Gossip, timing.PushPull
	c.TCPTimeout = timing.Stream
	c.SuspicionMaxTimeoutMult, c.AwarenessMaxMultiplier = 3, 4
	// A dead node may come back at another address at once: its ID is its data's.
	c.DeadNodeReclaimTime = time.Nanosecond
	c.QueueCheckInterval = time.Second // Also how long Shutdown leaves a goroutine waiting.
	if len(m.config.GossipKeys) > 0 {
		ring, err := memberlist.NewKeyring(m.config.GossipKeys, m.config.GossipKeys[0])
		if err != nil {
			return nil, fmt.Errorf("members: GossipKeys: %w", err)
		}
		c.Keyring = ring
	}
	var err error
	if c.BindAddr, c.BindPort, err = resolve(ctx, m.config.GossipListen); err != nil {
		return nil, fmt.Errorf("members: GossipListen: %w", err)
	}
	if c.BindAddr == "" {
		c.BindAddr = "0.0.0.0"
	}
	c.AdvertisePort = c.BindPort
	if m.config.Self.GossipAddress == "" {
		return c, nil
	}
	address, port, err := resolve(ctx, m.config.Self.GossipAddress)
	if err != nil {
		return nil, fmt.Errorf("members: gossip address to advertise: %w", err)
	}
	c.AdvertiseAddr = address
	if port != 0 {
		c.AdvertisePort = port
	}
	return c, nil
}

// resolve turns host:port into an IP address, "" for no host, and a port.
func resolve(ctx context.Context, address string) (string, int, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return "", 0, fmt.Errorf("port of %q: %w", address, err)
	}
	if host == "" {
		return "", int(port), nil
	}
	if ip, ipError := netip.ParseAddr(host); ipError == nil {
		return ip.String(), int(port), nil
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", 0, err
	}
	return found[0].Unmap().String(), int(port), nil
}

// update tells the others what NodeMeta says now.
func (g *gossip) update() error { return g.list.UpdateNode(g.timing.Leave) }

// close says good-bye and stops. The flag goes first: memberlist tells its
// delegates of an end, but not whether it was wanted.
func (g *gossip) close() error {
	g.leaving.Store(true)
	_ = g.update()                   // Nobody may be left to hear it.
	_ = g.list.Leave(g.timing.Leave) // As above.
	return g.list.Shutdown()
}

// seek keeps gossip connected: it tries the known addresses until one answers,
// and goes on, more slowly, with members that gossip does not see, because
// memberlist never looks for a node again once it is dead.
func (m *Members) seek(ctx context.Context, g *gossip) {
	pause, logged := m.config.Timing.Retry, time.Time{}
	for ctx.Err() == nil {
		targets, alone := m.targets(g)
		if !alone && len(targets) > 0 {
			targets = targets[:1] // One a round: a large cluster is not to be flooded.
		}
		err := m.try(ctx, g, targets)
		if alone && err != nil && time.Since(logged) > refusalInterval {
			logged = time.Now()
			m.logger.Info("waiting for another node to answer", "addresses", targets, "error", err)
		}
		if pause = min(2*pause, m.config.Timing.MaxRetry); !alone {
			pause = m.config.Timing.MaxRetry
		}
		if !rest(ctx, pause) {
			return
		}
	}
}

// targets are known gossip addresses that gossip does not reach, in random order.
func (m *Members) targets(g *gossip) (list []string, alone bool) {
	living := m.table.living()
	known := map[string]bool{g.address: true, "": true}
	for address := range living {
		known[address] = true
	}
	add := func(address string) {
		if !known[address] {
			known[address] = true
			list = append(list, address)
		}
	}
	for _, address := range m.config.Join {
		add(address)
	}
	for _, member := range m.table.admittedList() {
		add(member.GossipAddress)
	}
	for _, member := range m.bound() {
		add(member.GossipAddress)
	}
	rand.Shuffle(len(list), func(i, j int) { //nolint:gosec // Nobody gains by guessing it.
		list[i], list[j] = list[j], list[i]
	})
	return list, len(living) == 0
}

func (m *Members) try(ctx context.Context, g *gossip, targets []string) error {
	var failures error
	for _, address := range targets {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := g.list.Join([]string{address}); err != nil {
			failures = errors.Join(failures, err)
			continue
		}
		return nil
	}
	return failures
}

// rest waits about d, and tells whether to go on.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(jitter(d))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// jitter is 75 to 125 % of d.
func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // Nobody gains by guessing it.
}

// logWriter hands memberlist's lines to slog, all of them as details.
type logWriter struct{ logger *slog.Logger }

// Write implements io.Writer; log.Logger writes one line at a time.
func (w *logWriter) Write(line []byte) (int, error) {
	w.logger.Debug("memberlist", "line", string(bytes.TrimSpace(line)))
	return len(line), nil
}
