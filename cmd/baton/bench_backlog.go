package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/bench"
)

func newBenchBacklog(t *terminal) *cobra.Command {
	var f target
	var c bench.BacklogConfig
	var quiet bool
	cmd := &cobra.Command{
		Use:   "backlog [flags]",
		Short: "Events that nobody works on: memory, and the rate of dispatch behind them",
		Long: `Backlog publishes events that nobody works on, and reads from the nodes' metrics
what that does to their memory. Then workers complete a sample of them, and of a
short queue before: the rate of dispatch should be the same.

The events stay in the cluster, in channels of this run. --nodes must name every
node whose memory is to be looked at.`,
		Example: `  baton bench backlog --events 1000000
  baton bench backlog --events 10000000 --size 100 --in-flight 4096 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Nodes, c.Token, c.Tenant = f.nodes, f.token, f.tenant
			if !quiet {
				c.Progress = t.err
			}
			return benchBacklog(cmd.Context(), t, &f, &c)
		},
	}
	addTarget(cmd, &f)
	flags := cmd.Flags()
	flags.IntVar(&c.Events, "events", 1_000_000, "events that pile up")
	flags.IntVar(&c.WarmUp, "warm-up", 200_000, "events before the first look at memory")
	flags.IntVar(&c.Sample, "sample", 20_000, "jobs that the rate of dispatch is measured by")
	flags.IntVar(&c.Size, "size", 100, "bytes of an event's data")
	flags.IntVar(&c.Clients, "clients", 8, "connections that publish")
	flags.IntVar(&c.InFlight, "in-flight", 2048, "publishes under way at any time")
	flags.IntVar(&c.Workers, "workers", 6, "connections that work")
	flags.IntVar(&c.Credit, "credit", 128, "jobs a worker may hold")
	flags.BoolVar(&quiet, "quiet", false, "no progress on standard error")
	return cmd
}

func benchBacklog(ctx context.Context, t *terminal, f *target, c *bench.BacklogConfig) error {
	if err := c.Validate(); err != nil {
		return &usageError{err}
	}
	result, err := bench.Backlog(ctx, *c)
	if err != nil {
		return err
	}
	return show(t, f.json, result)
}
