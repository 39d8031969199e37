package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/bench"
)

func newBenchStorm(t *terminal) *cobra.Command {
	var f target
	var c bench.StormConfig
	var quiet bool
	cmd := &cobra.Command{
		Use:   "storm [flags]",
		Short: "Many clients connect at once: the latency of the others",
		Long: `Storm has some clients publish at a fixed rate, and meanwhile many others connect
within seconds, say hello, are cut off, and come again and resume. It tells the
latency of the first before, during and after, counted from when an event was due.

Those that connect run in a process of their own, a child of this one with a lower
priority, so that they disturb neither the measuring nor, on the same machine, the
node, and each has descriptors of its own. Let the node have enough of them: a client
takes one.`,
		Example: `  baton bench storm
  baton bench storm --stormers 10000 --within 5s --rounds 3 --rate 500 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.Nodes, c.Token, c.Tenant = f.nodes, f.token, f.tenant
			if !quiet {
				c.Progress = t.err
			}
			return benchStorm(cmd.Context(), t, &f, &c)
		},
	}
	addTarget(cmd, &f)
	flags := cmd.Flags()
	flags.Float64Var(&c.Rate, "rate", 500, "events per second of the others")
	flags.IntVar(&c.Clients, "clients", 16, "connections that publish them")
	flags.IntVar(&c.Size, "size", 256, "bytes of an event's data")
	flags.DurationVar(&c.Calm, "calm", 10*time.Second, "how long to warm up, and to measure before and after the storm")
	flags.IntVar(&c.Stormers, "stormers", 10_000, "clients that connect")
	flags.DurationVar(&c.Within, "within", 5*time.Second, "how long they take to, in each round")
	flags.IntVar(&c.Rounds, "rounds", 3, "how often they come")
	flags.BoolVar(&quiet, "quiet", false, "no progress on standard error")
	return cmd
}

func benchStorm(ctx context.Context, t *terminal, f *target, c *bench.StormConfig) error {
	if err := c.Validate(); err != nil {
		return &usageError{err}
	}
	c.Storm = stormElsewhere
	result, err := bench.Storm(ctx, *c)
	if err != nil {
		return err
	}
	return show(t, f.json, result)
}

// stormElsewhere makes the storm in a child of this process, which is told what to do
// on its standard input and ends with this one.
func stormElsewhere(ctx context.Context, c bench.StormClientsConfig) (*bench.StormCount, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("this binary: %w", err)
	}
	config, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	var out, problems bytes.Buffer
	child := exec.CommandContext(ctx, binary, "bench", "storm-clients") //nolint:gosec // This binary.
	child.Stdin, child.Stdout, child.Stderr = bytes.NewReader(config), &out, &problems
	ownGroup(child)
	if err := child.Run(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(problems.Bytes()))
	}
	count := &bench.StormCount{}
	if err := json.Unmarshal(out.Bytes(), count); err != nil {
		return nil, fmt.Errorf("what the clients saw: %w", err)
	}
	return count, nil
}

// newBenchStormClients is the child.
func newBenchStormClients(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "storm-clients",
		Short:   "The clients of a storm, as JSON on standard input describes them",
		Example: `  echo '{"nodes":["http://127.0.0.1:7700"],"name":"s","clients":100,"within":1000000000,"rounds":1}' | baton bench storm-clients`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := standBack("BATON_JOB_STORM"); err != nil {
				return err
			}
			var c bench.StormClientsConfig
			if err := readTold(t, "storm", &c); err != nil {
				return err
			}
			count, err := bench.StormClients(cmd.Context(), c)
			if err != nil {
				return err
			}
			return printJSON(t.out, count)
		},
	}
}
