package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/batonmq/baton/client"
)

// tenantFlags are a tenant's limits on the command line.
type tenantFlags struct {
	target

	weight, maxInFlight, rate         uint32
	maxBacklogBytes, maxBacklogEvents uint64
	reset                             bool
}

func newTenantSet(t *terminal) *cobra.Command {
	var f tenantFlags
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Change what a tenant may use",
		Long: `Set changes the limits that are given, for each partition by itself, and returns when they
are in force everywhere. A bound of 0 is none. --reset takes all of them back.`,
		Example: `  baton tenant set acme --weight 200 --max-in-flight 50
  baton tenant set acme --rate 100 --max-backlog-events 100000
  baton tenant set acme --reset`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return tenantSet(cmd.Context(), t, &f, args[0], cmd.Flags())
		},
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.Uint32Var(&f.weight, "weight", 100, "share of turns beside other tenants, 100 is an ordinary one")
	flags.Uint32Var(&f.maxInFlight, "max-in-flight", 0, "how many of its jobs may be leased at a time")
	flags.Uint32Var(&f.rate, "rate", 0, "how many of its events are granted in a second")
	flags.Uint64Var(&f.maxBacklogBytes, "max-backlog-bytes", 0, "how many bytes of its events may be unfinished")
	flags.Uint64Var(&f.maxBacklogEvents, "max-backlog-events", 0, "how many of its events may be unfinished")
	flags.BoolVar(&f.reset, "reset", false, "take all limits back")
	return cmd
}

// said are the limits that flags were given for.
func (f *tenantFlags) said(flags *pflag.FlagSet) (said client.TenantLimits, some bool) {
	for name, of := range map[string]func(){
		"weight": func() { said.Weight = &f.weight }, "max-in-flight": func() { said.MaxInFlight = &f.maxInFlight },
		"rate": func() { said.Rate = &f.rate }, "max-backlog-bytes": func() { said.MaxBacklogBytes = &f.maxBacklogBytes },
		"max-backlog-events": func() { said.MaxBacklogEvents = &f.maxBacklogEvents },
	} {
		if flags.Changed(name) {
			of()
			some = true
		}
	}
	return said, some
}

func tenantSet(ctx context.Context, t *terminal, f *tenantFlags, name string, flags *pflag.FlagSet) error {
	said, some := f.said(flags)
	if some == f.reset {
		return misuse("say what to change, or --reset alone")
	}
	h, err := f.http()
	if err != nil {
		return err
	}
	var limits *client.TenantLimits
	if f.reset {
		limits, err = h.ResetTenantLimits(ctx, name)
	} else {
		limits, err = h.ChangeTenantLimits(ctx, name, said)
	}
	if err != nil {
		return err
	}
	printTenantLimits(t.out, limits)
	return nil
}

func newTenantShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:     "show NAME",
		Short:   "Show what a tenant may use",
		Example: `  baton tenant show acme`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := f.http()
			if err != nil {
				return err
			}
			limits, raw, err := h.TenantLimits(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json {
				return printRaw(t.out, raw)
			}
			printTenantLimits(t.out, limits)
			return nil
		},
	}
	addTarget(cmd, &f)
	return cmd
}

func printTenantLimits(w io.Writer, l *client.TenantLimits) {
	_, _ = fmt.Fprintf(w, "tenant %s, in each partition: weight %d, max in flight %d, rate %d/s, backlog of at most %d events and %d bytes (0 is without bound)\n",
		clean(l.Tenant), value(l.Weight), value(l.MaxInFlight), value(l.Rate), value(l.MaxBacklogEvents), value(l.MaxBacklogBytes))
}

func value[T any](of *T) (v T) {
	if of != nil {
		v = *of
	}
	return v
}
