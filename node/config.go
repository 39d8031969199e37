package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/gateway"
	"github.com/batonmq/baton/gateway/auth"
)

// Defaults of Config.
const (
	DefaultDataDir         = "./baton-data"
	DefaultListen          = "127.0.0.1:7700"
	DefaultPeerListen      = "127.0.0.1:7701"
	DefaultGossipListen    = "127.0.0.1:7702"
	DefaultPartitions      = 8
	DefaultReplicas        = 3
	DefaultMaxInFlight     = gateway.DefaultMaxInFlight
	DefaultMaxMessageBytes = gateway.DefaultMaxMessageBytes
)

// The words of Config that are the gateway's.
type (
	// Limits bound what clients may take.
	Limits = gateway.Limits
	// Poller is how idle WebSockets are waited for.
	Poller = gateway.Poller
)

// The pollers.
const (
	PollerAuto      = gateway.PollerAuto
	PollerGoroutine = gateway.PollerGoroutine
	PollerEpoll     = gateway.PollerEpoll
)

// Config says what a node is and where it listens. The zero value is a
// one-node cluster with its data in DefaultDataDir.
type Config struct {
	// Name is the node's name, unique in the cluster; empty means the host's
	// name and a few random letters, kept in the data directory.
	Name string
	// DataDir is where everything durable lives.
	DataDir string
	// Listen is where clients and workers connect (WebSocket and HTTP),
	// PeerListen where other nodes do, GossipListen where they find each other
	// (TCP and UDP). Port 0 picks a free port.
	Listen       string
	PeerListen   string
	GossipListen string
	// Advertise is the host (or host:port, for clients) that others reach this
	// node by. It is required where a listener has no definite host, as 0.0.0.0.
	Advertise string
	// Join are gossip addresses of other nodes, tried until one answers.
	Join []string
	// BootstrapExpect is how many nodes form a new cluster together; 0 means one
	// without Join, and with Join none: then the node only joins.
	BootstrapExpect int
	// Partitions (1 to 256) and Replicas (1, 3 or 5) are set once, when a
	// cluster is formed; when the node's cluster has others, its log says so.
	Partitions int
	Replicas   int
	// AllowedOrigins are the web origins, besides pages of localhost, that may
	// connect from a browser.
	AllowedOrigins []string
	// Auth says which credentials clients show; the zero value asks for none, which is
	// for loopback addresses, or with InsecureClients.
	Auth Auth
	// InsecureClients lets everybody in who reaches Listen.
	InsecureClients bool
	// TLS are the files that clients are spoken to in TLS with; without them they are
	// not.
	TLS auth.TLSFiles
	// Poller is how WebSockets that have nothing to say are waited for; empty is
	// PollerAuto.
	Poller Poller
	// MaxInFlight is how many requests a connection may have unanswered, up to
	// 65,536.
	MaxInFlight int
	// MaxMessageBytes is the largest message a client may send, 64 KiB to 8 MiB.
	MaxMessageBytes int
	// MaxUnfinished is how much unfinished work each client may have in a partition;
	// more is refused with 429 too_many_unfinished. 0 is any.
	MaxUnfinished int
	// Limits are the gateway's others; zero fields have their defaults. MaxInFlight,
	// MaxMessageBytes and MaxUnfinished above come first.
	Limits Limits
	// TrustedProxies are the addresses (CIDR, or single ones) of proxies that are
	// believed whom they connect for, by PROXY protocol v2 or X-Forwarded-For.
	TrustedProxies []string
	// SnapshotEntries and TrailingEntries tune how soon a partition's log is
	// truncated and how many entries stay behind for followers; 0 means the
	// defaults.
	SnapshotEntries uint64
	TrailingEntries uint64
	// LogBytes bounds either number where entries are large.
	LogBytes uint64
	// SnapshotInterval is how often that is looked at, 0 for 20 s.
	SnapshotInterval time.Duration
	// HeartbeatTimeout is how long a follower waits for its leader, 0 for 750 ms.
	HeartbeatTimeout time.Duration
	// Logger receives the node's log; nil means none. Registry receives its
	// metrics; nil means one of its own.
	Logger   *slog.Logger
	Registry *prometheus.Registry
}

// ConfigError is a field of Config that cannot be used, and what to do about it.
type ConfigError struct {
	// Field is the name of the flag, environment and YAML setting.
	Field string
	// Problem says what is wrong, Remedy what to do.
	Problem, Remedy string
}

// Error implements error.
func (e *ConfigError) Error() string { return fmt.Sprintf("%s: %s; %s", e.Field, e.Problem, e.Remedy) }

// WithDefaults returns the configuration with its empty fields filled in.
func (c Config) WithDefaults() Config {
	setDefault(&c.DataDir, DefaultDataDir)
	setDefault(&c.Listen, DefaultListen)
	setDefault(&c.PeerListen, DefaultPeerListen)
	setDefault(&c.GossipListen, DefaultGossipListen)
	setDefault(&c.Partitions, DefaultPartitions)
	setDefault(&c.Replicas, DefaultReplicas)
	setDefault(&c.Poller, gateway.PollerAuto)
	setDefault(&c.MaxInFlight, DefaultMaxInFlight)
	setDefault(&c.MaxMessageBytes, DefaultMaxMessageBytes)
	if c.BootstrapExpect == 0 && len(c.Join) == 0 {
		c.BootstrapExpect = 1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns a *ConfigError for the first field that cannot be used.
// Call it on a configuration with its defaults filled in.
func (c Config) Validate() error {
	for _, check := range []func() error{c.checkName, c.checkAdvertise, c.checkListeners, c.checkJoin, c.checkNumbers, c.checkLimits, c.checkPoller, c.checkOrigins, c.checkProxies, c.checkTLS, c.checkExposure} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

const maxNameBytes = 64

func (c Config) checkName() error {
	if len(c.Name) > maxNameBytes {
		return &ConfigError{"node", "the name is longer than 64 characters", "give a shorter one"}
	}
	for _, r := range c.Name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
			return &ConfigError{"node", fmt.Sprintf("the name has a %q", r), "use letters, digits, - and _"}
		}
	}
	return nil
}

func (c Config) checkListeners() error {
	for _, l := range []struct{ field, address string }{
		{"listen", c.Listen}, {"peer-listen", c.PeerListen}, {"gossip-listen", c.GossipListen},
	} {
		host, port, err := net.SplitHostPort(l.address)
		if err != nil {
			return &ConfigError{l.field, fmt.Sprintf("%q is not host:port", l.address), "write it like 127.0.0.1:7700"}
		}
		if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
			return &ConfigError{l.field, fmt.Sprintf("port %q is not a number from 0 to 65535", port), "write it like 127.0.0.1:7700"}
		}
		if unspecified(host) && c.Advertise == "" {
			return &ConfigError{
				l.field, fmt.Sprintf("%q does not say where others reach this node", l.address),
				"add --advertise HOST, the address that clients and other nodes know this node by",
			}
		}
	}
	return nil
}

// checkAdvertise refuses what nobody could dial: it would be gossiped to all.
func (c Config) checkAdvertise() error {
	if c.Advertise == "" {
		return nil
	}
	host, port := splitAdvertise(c.Advertise)
	if !dialable(host) {
		return &ConfigError{
			"advertise", fmt.Sprintf("%q is no host that others can reach", c.Advertise), "give a name or an IP address, like node1.example.com",
		}
	}
	if n, err := strconv.Atoi(port); port != "" && (err != nil || n < 1 || n > 65535) {
		return &ConfigError{"advertise", fmt.Sprintf("port %q is not a number from 1 to 65535", port), "write it like node1.example.com:7700"}
	}
	return nil
}

// dialable tells whether a host is an address, or has the letters of a name.
func dialable(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return !ip.IsUnspecified()
	}
	for _, r := range host {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.' {
			return false
		}
	}
	return host != "" && len(host) <= maxHostBytes
}

// maxHostBytes is what DNS allows a name.
const maxHostBytes = 253

func unspecified(host string) bool {
	if host == "" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

func (c Config) checkJoin() error {
	for _, address := range c.Join {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return &ConfigError{
				"join", fmt.Sprintf("%q is not host:port", address),
				"name the gossip address of another node, like 127.0.0.1:7702",
			}
		}
	}
	return nil
}

// Bounds of the numbers in Config.
const (
	maxExpect     = 64
	maxPartitions = 256
	maxInFlight   = 65_536
	// A message is never shorter than its data may be, and fits, as the command
	// that it becomes, into a frame between nodes.
	minMessageBytes = gateway.DefaultMaxPayloadBytes
	maxMessageBytes = 8 << 20
)

func (c Config) checkNumbers() error {
	switch {
	case c.BootstrapExpect < 0 || c.BootstrapExpect > maxExpect:
		return &ConfigError{
			"bootstrap-expect", fmt.Sprintf("%d is not from 0 to %d", c.BootstrapExpect, maxExpect),
			"say how many nodes form the cluster together, usually 3 or 5",
		}
	case c.Partitions < 1 || c.Partitions > maxPartitions:
		return &ConfigError{
			"partitions", fmt.Sprintf("%d is not from 1 to %d", c.Partitions, maxPartitions),
			"leave it at 8 unless you measured",
		}
	case c.Replicas != 1 && c.Replicas != 3 && c.Replicas != 5:
		return &ConfigError{"replicas", fmt.Sprintf("%d copies do not make a good majority", c.Replicas), "use 1, 3 or 5"}
	case c.MaxInFlight < 1 || c.MaxInFlight > maxInFlight:
		return &ConfigError{
			"max-in-flight", fmt.Sprintf("%d is not from 1 to %d", c.MaxInFlight, maxInFlight),
			fmt.Sprintf("leave it at %d unless clients are refused with too_many_in_flight", DefaultMaxInFlight),
		}
	case c.MaxUnfinished < 0:
		return &ConfigError{
			"max-unfinished", fmt.Sprintf("%d is less than nothing", c.MaxUnfinished), "give the limit of each client, or 0 for none",
		}
	case c.MaxMessageBytes < minMessageBytes || c.MaxMessageBytes > maxMessageBytes:
		return &ConfigError{
			"max-message-bytes", fmt.Sprintf("%d is not from %d to %d", c.MaxMessageBytes, minMessageBytes, maxMessageBytes),
			fmt.Sprintf("leave it at %d unless workers emit more than that at once", DefaultMaxMessageBytes),
		}
	}
	return nil
}

func (c Config) checkPoller() error {
	if err := gateway.CheckPoller(c.Poller); err != nil {
		return &ConfigError{"poller", err.Error(), "use auto, goroutine or, on Linux, epoll"}
	}
	return nil
}

func (c Config) checkOrigins() error {
	for _, origin := range c.AllowedOrigins {
		if gateway.CheckOrigin(origin) != nil {
			return &ConfigError{
				"allowed-origins", fmt.Sprintf("%q is not the origin of a web page", origin),
				"write it like https://app.example.com, or * for all",
			}
		}
	}
	return nil
}

func (c Config) checkProxies() error {
	for _, address := range c.TrustedProxies {
		if gateway.CheckProxy(address) != nil {
			return &ConfigError{
				"trusted-proxies", fmt.Sprintf("%q is no address", address),
				"write it like 10.1.2.3, or 10.0.0.0/8 for all that begin so",
			}
		}
	}
	return nil
}

// checkLimits refuses what the gateway would, by the names of the settings.
func (c Config) checkLimits() error {
	limits := c.limits()
	name, problem := limits.Check()
	if problem == "" {
		return nil
	}
	return &ConfigError{strings.ReplaceAll(name, "_", "-"), problem, "see docs/limits.md for what each limit is"}
}

// limits are the gateway's, as the configuration has them.
func (c Config) limits() gateway.Limits {
	l := c.Limits
	l.MaxInFlight, l.MaxMessageBytes, l.MaxUnfinished = c.MaxInFlight, c.MaxMessageBytes, c.MaxUnfinished
	return l
}

// ErrNotFormed is returned by what needs a formed cluster before there is one.
var ErrNotFormed = errors.New("node: the cluster is not formed yet")
