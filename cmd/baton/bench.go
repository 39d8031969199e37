package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/bench"
)

type benchFlags struct {
	target

	config     bench.Config
	cpuprofile string
	quiet      bool
}

func newBench(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure a cluster",
		Example: `  baton bench pipeline --rate 500 --duration 30s
  baton bench backlog --events 1000000
  baton bench idle --connections 18000
  baton bench storm --stormers 10000
  baton bench edge --nats-server /usr/local/bin/nats-server
  baton bench drill all`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to measure: %s pipeline, backlog, idle, storm, edge or drill", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newBenchPipeline(t), newBenchBacklog(t), newBenchIdle(t), newBenchStorm(t), newBenchStormClients(t), newBenchEdge(t),
		newBenchDrill(t), newBenchDrillVictim(t))
	return cmd
}

func newBenchPipeline(t *terminal) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "pipeline (--rate R | --in-flight N) [flags]",
		Short: "Client event, worker steps, notification: latency and throughput",
		Long: `Pipeline has clients publish events that pass worker steps and come back as
notifications, and measures the time to the acknowledgement and to the
notification. Clients and workers run in this process, spread over --nodes.

--rate is an open loop: events are due at that rate, and latency counts from
when an event was due. --in-flight is a closed loop: so many events are under
way at any time, which shows the highest throughput.

The exit code is 1 when an acknowledged event did not come back or came twice.`,
		Example: `  baton bench pipeline --rate 500 --duration 30s
  baton bench pipeline --in-flight 512 --duration 30s --json \
    --nodes http://127.0.0.1:7700,http://127.0.0.1:7710,http://127.0.0.1:7720`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return benchPipeline(cmd.Context(), t, &f) },
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	c := &f.config
	flags.IntVar(&c.Steps, "steps", 3, "worker steps of an event")
	flags.BoolVar(&c.Workflow, "workflow", false, "make the steps those of a workflow that each event starts a run of")
	flags.Float64Var(&c.Rate, "rate", 0, "open loop: events per second")
	flags.IntVar(&c.InFlight, "in-flight", 0, "closed loop: events under way at any time")
	flags.DurationVar(&c.Duration, "duration", 10*time.Second, "how long to measure")
	flags.DurationVar(&c.WarmUp, "warm-up", 2*time.Second, "load before measuring")
	flags.DurationVar(&c.Drain, "drain", 30*time.Second, "how long what is under way may take at the end")
	flags.IntVar(&c.Size, "size", 256, "bytes of an event's data")
	flags.IntVar(&c.Clients, "clients", 24, "client connections")
	flags.IntVar(&c.Workers, "workers", 3, "worker connections of each step")
	flags.IntVar(&c.Credit, "credit", 128, "jobs a worker may hold")
	flags.DurationVar(&c.Lease, "lease", 0, "lease of a job (default the cluster's)")
	flags.IntVar(&c.Probes, "probes", 1000, "single commits measured before the load (0 for no probes)")
	flags.StringVar(&c.ProbeDir, "probe-dir", "", "directory of the disk probe (default the temporary directory)")
	flags.StringVar(&f.cpuprofile, "cpuprofile", "", "file for a CPU profile of this process")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")
	cmd.MarkFlagsMutuallyExclusive("rate", "in-flight")
	cmd.MarkFlagsOneRequired("rate", "in-flight")
	return cmd
}

func benchPipeline(ctx context.Context, t *terminal, f *benchFlags) (err error) {
	c := &f.config
	c.Nodes, c.Token, c.Tenant = f.nodes, f.token, f.tenant
	if err = c.Validate(); err != nil {
		return &usageError{err}
	}
	if !f.quiet {
		c.Progress = t.err
	}
	if f.cpuprofile != "" {
		stop, profileErr := startProfile(f.cpuprofile)
		if profileErr != nil {
			return profileErr
		}
		defer stop()
	}
	result, err := bench.Pipeline(ctx, *c)
	if err != nil {
		return err
	}
	err = show(t, f.json, result)
	if err == nil && !result.OK() {
		_, _ = fmt.Fprintf(t.err, "baton bench pipeline: %d missing, %d duplicates, %d strange\n", result.Missing, result.Duplicates, result.Strange)
		return errSilent
	}
	return err
}

// show prints what was measured.
func show(t *terminal, asJSON bool, result interface{ Print(w io.Writer) error }) error { //nolint:revive // The flag is the user's, --json.
	if asJSON {
		return printJSON(t.out, result)
	}
	return result.Print(t.out)
}

// readTold reads what a child of this program is told on its standard input.
func readTold(t *terminal, what string, into any) error {
	text, err := io.ReadAll(t.in)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return misuse("standard input must describe the %s: %v", what, err)
	}
	return nil
}

func startProfile(name string) (stop func(), err error) {
	file, err := os.Create(name) //nolint:gosec // where the user wants it
	if err != nil {
		return nil, fmt.Errorf("the profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, fmt.Errorf("the profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}
