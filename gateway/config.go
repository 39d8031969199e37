package gateway

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/batonmq/baton/gateway/auth"
)

// Config is what a Gateway is made of.
type Config struct {
	// Broker is the cluster. Required.
	Broker Broker
	// Node is this node's name, told to clients in welcome. Required.
	Node string
	// Logger takes what an operator should know. Default: nothing is logged.
	Logger *slog.Logger
	// Registerer takes the gateway's metrics, Gatherer is what /metrics shows.
	// Default: a registry of its own.
	Registerer prometheus.Registerer
	Gatherer   prometheus.Gatherer
	// Limits bounds what connections may take.
	Limits Limits
	// AllowedOrigins are web origins (https://app.example.com) whose pages may
	// connect besides those of this machine; "*" allows all. Their host names
	// are also accepted in Host where a node listens on loopback.
	AllowedOrigins []string
	// TrustedProxies are the addresses, as CIDR or single ones, of proxies that are
	// believed whom they connect for: by a header of the PROXY protocol v2 before
	// everything else, or by X-Forwarded-For.
	TrustedProxies []string
	// Auth knows who holds a token; without it nobody is asked for one.
	Auth *auth.Authenticator
	// TLS has clients speak TLS; nil means that they do not.
	TLS *tls.Config
	// Poller is how idle WebSockets are waited for; PollerAuto is the default.
	Poller Poller
}

// Defaults of the limits that a node can be told, or checks what it is told with.
const (
	DefaultMaxInFlight     = 64
	DefaultMaxMessageBytes = 1 << 20
	DefaultMaxPayloadBytes = 64 << 10
)

var (
	errNoBroker = errors.New("gateway: Config.Broker is missing")
	errLimit    = errors.New("gateway: a limit makes no sense")
	errNoNode   = errors.New("gateway: Config.Node is missing")
)

// complete checks the configuration and sets what was left out.
func (c Config) complete() (Config, error) {
	switch {
	case c.Broker == nil:
		return c, errNoBroker
	case c.Node == "":
		return c, errNoNode
	}
	if c.Poller == "" {
		c.Poller = PollerAuto
	}
	if err := CheckPoller(c.Poller); err != nil {
		return c, fmt.Errorf("gateway: Config.Poller: %w", err)
	}
	c.Limits = withDefaults(c.Limits)
	if name, problem := c.Limits.Check(); problem != "" {
		return c, fmt.Errorf("%w: %s: %s", errLimit, name, problem)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Registerer == nil || c.Gatherer == nil {
		registry := prometheus.NewRegistry()
		if c.Registerer == nil {
			c.Registerer = registry
		}
		if c.Gatherer == nil {
			c.Gatherer = registry
		}
	}
	return c, nil
}
