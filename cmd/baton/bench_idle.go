package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/bench"
)

type idleFlags struct {
	target

	config   bench.IdleConfig
	node     string
	secure   bool
	sessions string
	poller   string
	quiet    bool
}

func newBenchIdle(t *terminal) *cobra.Command {
	var f idleFlags
	cmd := &cobra.Command{
		Use:   "idle [flags]",
		Short: "Connections that do nothing: what each costs a node in memory",
		Long: `Idle opens WebSockets, each with a session, holds them while they answer pings and
nothing else, and says by how much the node's resident memory grew for each.

Without --node it starts a node of its own as another process, on loopback and in a
temporary directory, one for each kind of session. That node is asked to collect
its garbage before each look, as an idle one does by itself in some minutes; a node
that is named is asked, too, where --debug says the address of its pprof. Either way
the look is taken when the resident memory has come to rest.

Both processes need a file descriptor for each connection. Beyond 10,000 connections
on loopback are opened from several addresses, 127.0.0.2 and so on.`,
		Example: `  baton bench idle --connections 18000
  baton bench idle --tls --sessions anonymous --json
  baton bench idle --node http://127.0.0.1:7700 --pid 4711 --connect-rate 500`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.quiet {
				f.config.Progress = t.err
			}
			return benchIdle(cmd.Context(), t, &f)
		},
	}
	flags := cmd.Flags()
	c := &f.config
	flags.StringVar(&f.node, "node", "", "URL of a node to measure (default one of its own)")
	flags.IntVar(&c.PID, "pid", 0, "that node's process on this machine (default believe its metrics)")
	flags.StringVar(&c.Debug, "debug", "", "URL of that node's pprof, as http://127.0.0.1:6060 (default do not ask it to collect garbage)")
	flags.StringVar(&f.token, "token", "", "credential, where that node asks for one")
	flags.StringVar(&f.tenant, "tenant", "", "tenant, where no token says it")
	flags.StringVar(&f.ca, "ca", "", "file with the certificates that sign that node's, PEM (default the system's)")
	flags.BoolVar(&f.secure, "tls", false, "have the node of its own speak TLS")
	flags.StringVar(&f.poller, "poller", "", "how the node of its own waits for sockets: see serve --poller")
	flags.StringVar(&f.sessions, "sessions", "both", "anonymous, clients (each with a client id, and so a stream) or both in turn")
	flags.IntVar(&c.Connections, "connections", 10_000, "connections to open")
	flags.Float64Var(&c.ConnectRate, "connect-rate", 0, "connections opened in a second at most (0 for as fast as it goes)")
	flags.DurationVar(&c.Hold, "hold", 10*time.Second, "how long to hold them before looking")
	flags.BoolVar(&f.json, "json", false, "print JSON, one object per line")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")
	return cmd
}

func benchIdle(ctx context.Context, t *terminal, f *idleFlags) error {
	if err := f.config.Validate(); err != nil {
		return &usageError{err}
	}
	var kinds []bool
	switch f.sessions {
	case "anonymous":
		kinds = []bool{false}
	case "clients":
		kinds = []bool{true}
	case "both":
		kinds = []bool{false, true}
	default:
		return misuse("--sessions %q: say anonymous, clients or both", f.sessions)
	}
	if f.node != "" && (f.secure || f.poller != "") {
		return misuse("--tls and --poller are for a node of its own, not for --node")
	}
	f.config.Token, f.config.Tenant = f.token, f.tenant
	for _, clients := range kinds {
		config := f.config
		config.ClientIDs = clients
		result, err := f.measure(ctx, config)
		if err != nil {
			return err
		}
		result.Poller = f.poller
		if err = show(t, f.json, result); err != nil {
			return err
		}
	}
	return nil
}

// measure measures the node that was named, or one of its own.
func (f *idleFlags) measure(ctx context.Context, config bench.IdleConfig) (*bench.IdleResult, error) {
	if f.node != "" {
		secure, err := f.readTLS()
		if err != nil {
			return nil, &usageError{err}
		}
		config.Node, config.TLS = f.node, secure
		return bench.Idle(ctx, config)
	}
	var args []string
	if f.poller != "" {
		args = append(args, "--poller", f.poller)
	}
	child, err := startChild(ctx, f.secure, args...)
	if err != nil {
		return nil, fmt.Errorf("starting a node to measure: %w", err)
	}
	defer child.stop()
	config.Node, config.PID, config.Debug = child.clients, child.command.Process.Pid, child.debug
	if child.roots != nil {
		config.TLS = &tls.Config{RootCAs: child.roots, MinVersion: tls.VersionTLS12}
	}
	return bench.Idle(ctx, config)
}
