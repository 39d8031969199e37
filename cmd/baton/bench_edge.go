package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/bench"
)

type edgeFlags struct {
	config     bench.EdgeConfig
	natsServer string
	json       bool
	quiet      bool
}

func newBenchEdge(t *terminal) *cobra.Command {
	var f edgeFlags
	cmd := &cobra.Command{
		Use:   "edge [flags]",
		Short: "What a node takes in and gives out per CPU second, beside NATS, and slow readers",
		Long: `Edge starts a node of its own as another process, on loopback and in a temporary
directory, and measures in both encodings of the protocol

  in   connections publish, each with messages in flight; what was acknowledged,
       which is durable, counts
  out  one publishes what many follow; what was delivered counts

each second, and for each second of CPU that the node's process used. With
--nats-server, or --nats, the same is measured of NATS over WebSockets in the same
run: core NATS, which stores nothing and acknowledges nothing, and JetStream with
file storage and an acknowledgement for each message. A NATS server that is started
syncs each message to its disk before, as a node does.

--slow has clients follow a channel and never read, and tells the latency of the
others without and with them, and by how much the node's memory grew for each.

The clients share the machine with the servers: believe the figures per CPU second,
and compare those of one run.`,
		Example: `  baton bench edge --nats-server /usr/local/bin/nats-server
  baton bench edge --nats ws://127.0.0.1:8080 --nats-pid 4711 --json
  baton bench edge --connections 0 --followers 0 --slow 1000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !f.quiet {
				f.config.Progress = t.err
			}
			return benchEdge(cmd.Context(), t, &f)
		},
	}
	flags := cmd.Flags()
	c := &f.config
	flags.StringVar(&f.natsServer, "nats-server", "", "program of a NATS server to start and stand beside (default none)")
	flags.StringVar(&c.NATS.URL, "nats", "", "WebSocket URL of a NATS server that runs, with JetStream")
	flags.IntVar(&c.NATS.PID, "nats-pid", 0, "that server's process on this machine (default tell nothing per CPU second)")
	flags.IntVar(&c.Connections, "connections", 16, "connections that publish (0 to leave it out)")
	flags.IntVar(&c.InFlight, "in-flight", 64, "messages in flight on each of them")
	flags.IntVar(&c.Size, "size", 256, "bytes of a message's data")
	flags.IntVar(&c.Followers, "followers", 300, "connections that follow (0 to leave it out)")
	flags.IntVar(&c.Streams, "streams", 8, "JetStream streams that publishers are spread over; a node has 8 partitions")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure each row")
	flags.DurationVar(&c.WarmUp, "warm-up", 2*time.Second, "load before measuring")
	flags.IntVar(&c.Slow, "slow", 0, "clients that follow and never read (0 to leave it out)")
	flags.Float64Var(&c.Rate, "rate", 200, "events per second beside slow readers")
	flags.DurationVar(&c.Calm, "calm", 15*time.Second, "how long to measure without them, and with them")
	flags.BoolVar(&f.json, "json", false, "print JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")
	cmd.MarkFlagsMutuallyExclusive("nats-server", "nats")
	cmd.MarkFlagsMutuallyExclusive("nats-server", "nats-pid")
	return cmd
}

func benchEdge(ctx context.Context, t *terminal, f *edgeFlags) error {
	c := &f.config
	if err := c.Validate(); err != nil {
		return &usageError{err}
	}
	if f.natsServer != "" {
		server, err := startNATS(ctx, f.natsServer)
		if err != nil {
			return fmt.Errorf("starting the NATS server: %w", err)
		}
		defer server.stop()
		c.NATS = bench.EdgeServer{URL: server.clients, PID: server.command.Process.Pid}
	}
	node, err := startChild(ctx, false, "--max-in-flight", strconv.Itoa(max(c.InFlight, 64)))
	if err != nil {
		return fmt.Errorf("starting a node to measure: %w", err)
	}
	defer node.stop()
	c.Baton = bench.EdgeServer{URL: node.clients, PID: node.command.Process.Pid, Debug: node.debug}
	result, err := bench.Edge(ctx, *c)
	if err != nil {
		return err
	}
	err = show(t, f.json, result)
	if err == nil && !result.OK() {
		_, _ = fmt.Fprintln(t.err, "baton bench edge: not everything came")
		return errSilent
	}
	return err
}
