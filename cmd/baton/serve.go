package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/node"
)

// stopTimeout is how long a node may take to stop; a second signal stops it at
// once.
const stopTimeout = 30 * time.Second

func newServe(t *terminal) *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run a node",
		Long: `Serve runs a node. Alone it is a cluster of one, with its data in ./baton-data,
listening on 127.0.0.1: 7700 for clients (/ws, HTTP), 7701 for other nodes, 7702
for gossip.

Every flag can be given as an environment variable (--peer-listen is
BATON_PEER_LISTEN) and, by the same name without the dashes, in a YAML file
named by --config. A flag wins over the environment, that over the file.

A node listens on an address without a definite host, as 0.0.0.0, only with
--advertise: how others reach it.

On a loopback address clients need no token, unless the node is told of any
credentials. On any other it starts only with credentials, or --insecure-clients.`,
		Example: `  baton serve
  baton serve --node n1 --data d1 --bootstrap-expect 3
  baton serve --node n2 --data d2 --bootstrap-expect 3 --join 127.0.0.1:7702 \
    --listen 127.0.0.1:7710 --peer-listen 127.0.0.1:7711 --gossip-listen 127.0.0.1:7712
  baton serve --config baton.yaml
  (umask 077; head -c 32 /dev/urandom | base64 >admin.key)
  baton serve --listen 0.0.0.0:7700 --advertise node1.example.com \
    --admin-key-file admin.key --tls-cert node1.pem --tls-key node1.key`,
		Args: cobra.NoArgs,
	}
	s.define(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := s.resolve(cmd.Flags()); err != nil {
			return err
		}
		return serve(cmd.Context(), t, &s)
	}
	return cmd
}

// server is what serve needs of a node.
type server interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Ready(ctx context.Context) error
	ClientURL() string
	Name() string
}

func serve(ctx context.Context, t *terminal, s *settings) (err error) {
	logger, err := newLogger(t.err, s.logLevel, s.logFormat)
	if err != nil {
		return err
	}
	s.config.Logger = logger
	s.warn(os.Environ(), logger)
	if err = s.check(); err != nil {
		return err
	}
	config := s.config.WithDefaults()
	debug, err := startDebug(ctx, s.debugListen, logger)
	if err != nil {
		return s.explain(err)
	}
	defer debug.stop()
	n, err := newNode(s.node())
	if err != nil {
		return s.explain(err)
	}
	if err = n.Start(ctx); err != nil {
		return s.explain(err)
	}
	welcome(t.out, n, &config)
	announced := make(chan struct{})
	go func() {
		defer close(announced)
		announce(ctx, t.out, n)
	}()
	<-ctx.Done()
	<-announced
	_, _ = fmt.Fprintln(t.out, "stopping; a second signal stops at once")
	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return n.Stop(bound)
}

// welcome says where to connect, and what is not protected.
func welcome(w io.Writer, n server, c *node.Config) {
	_, _ = fmt.Fprintf(w, `baton %s
  clients  %s  (WebSocket at /ws)
  peers    %s, gossip %s
  data     %s
`, n.Name(), n.ClientURL(), c.PeerListen, c.GossipListen, c.DataDir)
	switch {
	case c.AsksForTokens():
		_, _ = fmt.Fprintln(w, "Clients need a token: see baton token create.")
	case isLoopback(c.Listen):
		_, _ = fmt.Fprintln(w, "This node asks nobody for a password: every program on this machine may use it.")
	default:
		_, _ = fmt.Fprintln(w, "WARNING: this node asks nobody for a password: everyone who reaches this address may use it.")
	}
}

// readyInterval is how often a node is asked whether it is ready.
const readyInterval = 200 * time.Millisecond

// announce says when the node is ready for clients.
func announce(ctx context.Context, w io.Writer, n server) {
	begin := time.Now()
	for {
		err := n.Ready(ctx)
		if err == nil {
			_, _ = fmt.Fprintf(w, "ready after %v\n", time.Since(begin).Round(time.Millisecond))
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(readyInterval):
		}
	}
}

func newLogger(w io.Writer, level, format string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, &node.ConfigError{
			Field: "log-level", Problem: fmt.Sprintf("%q is no level", level), Remedy: "use debug, info, warn or error",
		}
	}
	options := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	default:
		return nil, &node.ConfigError{
			Field: "log-format", Problem: fmt.Sprintf("%q is no format", format), Remedy: "use text or json",
		}
	}
}
