package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/bench"
)

type drillFlags struct {
	config bench.DrillConfig
	json   bool
	quiet  bool
}

func newBenchDrill(t *terminal) *cobra.Command {
	var f drillFlags
	names, about := bench.Drills()
	var list strings.Builder
	for i, name := range names {
		_, _ = fmt.Fprintf(&list, "  %-9s %s\n", name, about[i])
	}
	cmd := &cobra.Command{
		Use:   "drill (NAME... | all) [flags]",
		Short: "Hold a cluster to its promises, with figures",
		Long: `Drill makes trouble, and tells what became of the promises that are made for it:

` + list.String() + `
Each drill has a node of its own, another process on loopback with a temporary
directory, unless --nodes says where. Its events stay there, in channels, workflows
and tenants of this run.

--scale makes drills smaller for a quick look: counts and lengths are multiplied by
it. Below 1, promises about time are told and not judged.

The exit code is 1 when a promise was broken. Everything shares this machine: what
else runs on it moves the figures, and may break a promise about time.`,
		Example: `  baton bench drill all --json
  baton bench drill flood cancel
  baton bench drill outage --scale 0.1
  baton bench drill provider --nodes http://127.0.0.1:7700`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return misuse("say which: %s %s, or all", cmd.CommandPath(), strings.Join(names, ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if !f.quiet {
				f.config.Progress = t.err
			}
			if len(args) == 1 && args[0] == "all" {
				args = names
			}
			return benchDrills(cmd.Context(), t, &f, args)
		},
	}
	flags := cmd.Flags()
	flags.StringSliceVar(&f.config.Nodes, "nodes", nil, "nodes to drill `(url,...)` (default one of its own for each drill)")
	flags.StringVar(&f.config.Token, "token", "", "credential, where those nodes ask for one: it must be for all tenants")
	flags.Float64Var(&f.config.Scale, "scale", 1, "how much of the drill: 0.1 is a tenth")
	flags.DurationVar(&f.config.Timeout, "timeout", 10*time.Minute, "how long a drill may take")
	flags.BoolVar(&f.json, "json", false, "print JSON, one object per line")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")
	return cmd
}

func benchDrills(ctx context.Context, t *terminal, f *drillFlags, names []string) error {
	f.config.Victim = startVictim
	if err := f.check(names); err != nil {
		return &usageError{err}
	}
	var broken []string
	for _, name := range names {
		result, err := f.drill(ctx, name)
		if err != nil {
			return err
		}
		if err := show(t, f.json, result); err != nil {
			return err
		}
		if !result.OK() {
			broken = append(broken, name)
		}
	}
	if len(broken) > 0 {
		_, _ = fmt.Fprintf(t.err, "baton bench drill: a promise is broken in %s\n", strings.Join(broken, ", "))
		return errSilent
	}
	return nil
}

// check says what cannot be drilled, before anything is started.
func (f *drillFlags) check(names []string) error {
	known, _ := bench.Drills()
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%w: %q is none of %s", bench.ErrNoDrill, name, strings.Join(known, ", "))
		}
	}
	config := f.config
	if len(config.Nodes) == 0 {
		config.Nodes = []string{defaultNode} // One of its own, later.
	}
	return config.Validate()
}

// drillInFlight is how many requests a connection of a drill may have unanswered.
const drillInFlight = "1024"

// drill drills the nodes that were named, or one of its own.
func (f *drillFlags) drill(ctx context.Context, name string) (*bench.DrillResult, error) {
	config := f.config
	if len(config.Nodes) > 0 {
		return bench.Drill(ctx, name, config)
	}
	node, err := startChild(ctx, false, "--max-in-flight", drillInFlight)
	if err != nil {
		return nil, fmt.Errorf("starting a node to drill: %w", err)
	}
	defer node.stop()
	config.Nodes, config.PID, config.Debug = []string{node.clients}, node.command.Process.Pid, node.debug
	return bench.Drill(ctx, name, config)
}

// victim is a worker in a child of this process.
type victim struct{ child *child }

// Kill implements bench.Victim.
func (v victim) Kill() error {
	err := killGroup(v.child.command.Process)
	<-v.child.done
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// startVictim starts a worker, and returns when it holds its jobs.
func startVictim(ctx context.Context, config bench.VictimConfig) (bench.Victim, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	told, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	c := &child{done: make(chan struct{})}
	c.command = exec.CommandContext(ctx, program, "bench", "drill-victim") //nolint:gosec // ourselves
	c.command.Stdin = strings.NewReader(string(told))
	ownGroup(c.command)
	if err = c.run(ctx, []found{{regexp.MustCompile(`^(holding)$`), new(string)}}, nil); err != nil {
		c.stop()
		return nil, err
	}
	return victim{c}, nil
}

// newBenchDrillVictim is the child.
func newBenchDrillVictim(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use:     "drill-victim",
		Short:   "A worker that is to be killed, as JSON on standard input describes it",
		Example: `  echo '{"nodes":["http://127.0.0.1:7700"],"name":"v","channel":"c","jobs":1,"lease":1000000000}' | baton bench drill-victim`,
		Hidden:  true,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var config bench.VictimConfig
			if err := readTold(t, "worker", &config); err != nil {
				return err
			}
			return bench.BeVictim(cmd.Context(), config, func() { _, _ = fmt.Fprintln(t.out, "holding") })
		},
	}
}
