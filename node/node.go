package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/cluster"
	"github.com/batonmq/baton/cluster/members"
	"github.com/batonmq/baton/fsm/command"
	"github.com/batonmq/baton/gateway"
	"github.com/batonmq/baton/gateway/auth"
	"github.com/batonmq/baton/storage"
	"github.com/batonmq/baton/transport"
)

// Node is one Baton node in this process.
type Node struct {
	config Config
	// asked is what the configuration said of a new cluster, before its defaults.
	asked struct{ partitions, replicas int }
	who   identity

	cluster *cluster.Cluster
	members *members.Members
	gateway *gateway.Gateway
	serving sync.WaitGroup
	url     string
	tls     *tls.Config // for clients; nil where they are not spoken to in TLS
	store   *storage.Store

	mu struct {
		sync.Mutex

		started bool
		closers []closer
	}
}

// closer is a part that was started, with its name for errors.
type closer struct {
	name  string
	close func(context.Context) error
}

// New checks the configuration. It returns a *ConfigError for a field that
// cannot be used; nothing is opened yet.
func New(config Config) (*Node, error) {
	n := &Node{}
	n.asked.partitions, n.asked.replicas = config.Partitions, config.Replicas
	config = config.WithDefaults()
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Registry == nil {
		config.Registry = prometheus.NewRegistry()
	}
	n.config = config
	return n, nil
}

// Start opens the data directory, joins or forms the cluster in the background,
// and serves clients. It returns when the listeners are open; Ready tells when
// the cluster is. What was started is stopped again when it fails.
func (n *Node) Start(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.mu.started {
		return errors.New("node: Start was called before")
	}
	n.mu.started = true
	if err := n.start(ctx); err != nil {
		return errors.Join(err, n.closeAll(ctx))
	}
	return nil
}

// Stop ends the node: clients are sent away, leaderships handed over, stores
// closed. What is not done when ctx ends is cut.
func (n *Node) Stop(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.closeAll(ctx)
}

// ClientURL is where clients connect: http://host:port, the WebSocket at /ws.
func (n *Node) ClientURL() string { return n.url }

// GossipAddress is where other nodes find this one.
func (n *Node) GossipAddress() string { return n.members.GossipAddress() }

// ID is the member id: the name and the data directory's incarnation.
func (n *Node) ID() string { return n.who.id() }

// Name is the node's name; one that was given none has made it up, and keeps it
// in its data directory. Empty before Start.
func (n *Node) Name() string { return n.who.name }

// Ready is nil once the node belongs to a formed cluster and reaches every
// leader; else it says what is missing.
func (n *Node) Ready(ctx context.Context) error {
	if n.cluster == nil {
		return ErrNotFormed
	}
	return n.cluster.Ready(ctx)
}

// Digest is a group's applied index, chain hash and scrub digest on this node:
// group 0 is meta, partition p is group p+1. Replicas at an equal index hold
// equal hashes.
func (n *Node) Digest(group uint32) (index, chain, digest uint64, err error) {
	return n.cluster.Digest(group)
}

func (n *Node) start(ctx context.Context) error {
	if err := n.readTLS(); err != nil {
		return err
	}
	if err := n.openData(); err != nil {
		return err
	}
	clients, err := n.listen(ctx, "listen", n.config.Listen)
	if err != nil {
		return err
	}
	peers, err := n.listen(ctx, "peer-listen", n.config.PeerListen)
	if err != nil {
		return errors.Join(err, clients.Close())
	}
	n.url = "http://" + n.advertisedToClients(clients.Addr())
	if n.tls != nil {
		n.url = "https://" + n.advertisedToClients(clients.Addr())
	}
	if err := n.startCluster(ctx, peers); err != nil {
		return errors.Join(err, clients.Close())
	}
	return n.startGateway(clients) //nolint:contextcheck // A scrape of baton_ready brings no context, and Start's is over by then.
}

// readTLS reads the certificates before anything is opened.
func (n *Node) readTLS() (err error) {
	if n.config.TLS.Cert == "" {
		return nil
	}
	if n.tls, err = auth.ServerTLS(n.config.TLS, n.config.Logger); err != nil {
		return &ConfigError{"tls-cert", err.Error(), "name files in PEM that can be read"}
	}
	return nil
}

// openData opens the data directory and its stores.
func (n *Node) openData() error {
	if err := os.MkdirAll(n.config.DataDir, 0o700); err != nil {
		return &ConfigError{"data", err.Error(), "name a directory that this user may write"}
	}
	unlock, err := lockDirectory(n.config.DataDir)
	if err != nil {
		return err
	}
	n.onClose("data directory lock", func(context.Context) error { return unlock() })
	if n.who, err = readIdentity(n.config.DataDir, n.config.Name); err != nil {
		return err
	}
	store, stable, err := openStores(n.config.DataDir, n.who, storage.Options{
		Logger: n.config.Logger, OnFatal: n.fatal,
	})
	if err != nil {
		return err
	}
	n.store = store
	stable.OnFatal(n.fatal)
	n.onClose("store", func(context.Context) error { return store.Close() })
	n.onClose("votes", func(context.Context) error { return stable.Close() })
	n.cluster = cluster.New(cluster.Config{
		Self: command.Member{ID: n.who.id(), Name: n.who.name, Version: Version()}, Store: store, Stable: stable,
		Tuning: cluster.Tuning{
			HeartbeatTimeout: n.config.HeartbeatTimeout, SnapshotEntries: n.config.SnapshotEntries,
			TrailingEntries: n.config.TrailingEntries, SnapshotInterval: n.config.SnapshotInterval, LogBytes: n.config.LogBytes,
		},
		Logger: n.config.Logger,
	})
	return nil
}

// fatal ends the process: a log that cannot be written must not be answered for.
func (n *Node) fatal(err error) {
	n.config.Logger.Error("the disk failed a write: this node stops at once, the others go on", "error", err)
	os.Exit(1)
}

// startCluster starts the peer port, the groups and gossip.
func (n *Node) startCluster(ctx context.Context, peers net.Listener) error {
	self := n.cluster.Self()
	self.PeerAddress, self.ClientURL = n.advertised(peers.Addr()), n.url
	self.GossipAddress = n.advertisedHost(n.config.GossipListen)
	n.cluster.SetSelf(self)
	link, err := transport.New(transport.Config{
		Self: transport.NodeID(self.ID), Incarnation: n.who.incarnation, ClusterID: n.cluster.ClusterID,
		Listener: peers, Dial: dial, Resolver: resolver{n}, Handler: n.cluster, Chunks: n.cluster,
		Calls: func(ctx context.Context, from transport.NodeID, request []byte) ([]byte, error) {
			return n.members.Serve(ctx, string(from), request)
		},
		SnapshotGuard: n.cluster.SnapshotGuard, Durable: n.cluster, Logger: n.config.Logger,
	})
	if err != nil {
		return errors.Join(err, peers.Close())
	}
	n.members, err = members.New(members.Config{
		Self: self, GossipListen: n.config.GossipListen, Join: n.config.Join, Expect: n.config.BootstrapExpect,
		Partitions: uint32(n.config.Partitions), Replicas: uint32(n.config.Replicas), //nolint:gosec // Validated: small.
		Local: n.store, Call: link.Call, Logger: n.config.Logger,
		Hooks: members.Hooks{Formed: n.formed, Admit: n.cluster.Admit, Changed: n.cluster.PeersChanged},
	})
	if err != nil {
		return errors.Join(err, peers.Close())
	}
	n.cluster.Start(link, n.members) //nolint:contextcheck // Its clock goes on when the context of Start is over.
	link.Start()
	n.onClose("peer links", func(context.Context) error { return link.Close() })
	n.onClose("cluster", n.cluster.Stop)
	if err := n.members.Start(ctx); err != nil {
		return fmt.Errorf("start gossip on %s: %w", n.config.GossipListen, err)
	}
	n.onClose("gossip", func(context.Context) error { return n.members.Stop() })
	return nil
}

// formed is the hook of members. What a cluster was formed with stays: whoever
// asks for something else now is told so.
func (n *Node) formed(f members.Formation, founding bool) error {
	for _, number := range []struct {
		field    string
		asked    int
		clusters uint32
	}{{"partitions", n.asked.partitions, f.Partitions}, {"replicas", n.asked.replicas, f.Replicas}} {
		if number.asked != 0 && number.asked != int(number.clusters) {
			n.config.Logger.Warn("the cluster was formed with another number, which stays: the configuration's is not used",
				"setting", number.field, "configured", number.asked, "cluster", number.clusters)
		}
	}
	return n.cluster.Formed(f, founding)
}

func (n *Node) startGateway(clients net.Listener) error {
	who, err := n.startAuth()
	if err != nil {
		return errors.Join(err, clients.Close())
	}
	n.gateway, err = gateway.New(gateway.Config{
		Auth: who, TLS: n.tls, Poller: n.config.Poller,
		Broker: n.cluster, Node: n.who.name, Logger: n.config.Logger, Limits: n.config.limits(),
		Registerer: n.config.Registry, Gatherer: n.config.Registry, AllowedOrigins: n.config.AllowedOrigins,
		TrustedProxies: n.config.TrustedProxies,
	})
	if err != nil {
		return errors.Join(err, clients.Close())
	}
	if err := registerMetrics(n.config.Registry, n.store, n.cluster); err != nil {
		return errors.Join(err, clients.Close())
	}
	n.serving.Go(func() {
		if err := n.gateway.Serve(clients); !errors.Is(err, gateway.ErrClosed) {
			n.config.Logger.Error("clients can no longer connect", "error", err)
		}
	})
	n.onClose("gateway", func(ctx context.Context) error {
		err := n.gateway.Shutdown(ctx)
		n.serving.Wait()
		return err
	})
	return nil
}

// onClose adds a part to be closed, last in first out.
func (n *Node) onClose(name string, how func(context.Context) error) {
	n.mu.closers = append(n.mu.closers, closer{name: name, close: how})
}

func (n *Node) closeAll(ctx context.Context) error {
	var errs []error
	for _, part := range slices.Backward(n.mu.closers) {
		if err := part.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stop the %s: %w", part.name, err))
		}
	}
	n.mu.closers = nil
	return errors.Join(errs...)
}

// Version is the version of this build, from the module's build information, and
// devel where that has none. Members announce it, and the binary prints it.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
