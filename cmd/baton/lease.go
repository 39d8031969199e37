package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newLease(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lease",
		Short: "End a job by its lease, such as one that was parked",
		Long: `A worker that parks a job gives its lease to whoever will end it: a person who
approves, a webhook that comes back. The lease is all that it takes.`,
		Example: `  baton lease complete $lease '{"approved":true}'
  baton lease fail $lease --permanent --message 'ana said no'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say how the job ended: %s complete or fail", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newLeaseComplete(t), newLeaseFail(t))
	return cmd
}

type leaseCompleteFlags struct {
	target

	emit   string
	notify string
}

func newLeaseComplete(t *terminal) *cobra.Command {
	var f leaseCompleteFlags
	cmd := &cobra.Command{
		Use:   "complete LEASE [DATA|-] [flags]",
		Short: "Complete a job",
		Long: `Complete ends the job of a lease, as its worker would have. DATA, as for publish, is
the job's result; --emit sends it on as an event, --notify to the client whose event
the job was. The same completion again is answered as the first one.`,
		Example: `  baton lease complete $lease '{"approved":true}'
  baton lease complete $lease --emit approved '{"by":"ana"}'
  baton lease complete $lease --notify answer 'you may'`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return leaseComplete(cmd.Context(), t, &f, args) },
	}
	addTarget(cmd, &f.target)
	cmd.Flags().StringVar(&f.emit, "emit", "", "channel that the data is sent on to")
	cmd.Flags().StringVar(&f.notify, "notify", "", "name of the notification that carries the data to the client")
	cmd.MarkFlagsMutuallyExclusive("emit", "notify")
	return cmd
}

func leaseComplete(ctx context.Context, t *terminal, f *leaseCompleteFlags, args []string) error {
	data, err := argument(t.in, args[1:])
	if err != nil {
		return err
	}
	var done client.Completion
	switch {
	case f.emit != "":
		done.Emits = []client.Event{{Channel: f.emit, Data: data}}
	case f.notify != "":
		done.Notifies = []client.Notice{{Name: f.notify, Data: data}}
	default:
		done.Result = data
	}
	h, err := f.http()
	if err != nil {
		return err
	}
	events, err := h.CompleteLease(ctx, args[0], done)
	if err != nil {
		return err
	}
	if f.json {
		return printJSON(t.out, map[string]any{"events": append([]string{}, events...)})
	}
	said := []string{"completed"}
	for _, id := range events {
		said = append(said, "emitted "+cmp.Or(id, "an event on its way to another partition"))
	}
	_, err = fmt.Fprintln(t.out, strings.Join(said, ", "))
	return err
}

type leaseFailFlags struct {
	target

	failure client.JobError
	message string
}

func newLeaseFail(t *terminal) *cobra.Command {
	var f leaseFailFlags
	cmd := &cobra.Command{
		Use:   "fail LEASE [flags]",
		Short: "Fail a job",
		Long: `Fail ends the job of a lease with an error, as its worker would have: it is tried
again after a pause, five times in all, unless it failed for good.`,
		Example: `  baton lease fail $lease --message 'the service is down' --retry-after 10m
  baton lease fail $lease --permanent --code refused --message 'ana said no'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return leaseFail(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f.target)
	flags := cmd.Flags()
	flags.StringVar(&f.failure.Code, "code", "", "a word for programs (default \"failed\")")
	flags.StringVar(&f.message, "message", "failed", "what happened")
	flags.BoolVar(&f.failure.Permanent, "permanent", false, "do not try again: the event becomes a dead letter")
	flags.DurationVar(&f.failure.RetryAfter, "retry-after", 0, "how long to wait before the next try (default a growing pause)")
	flags.BoolVar(&f.failure.Throttled, "throttled", false, "put the job off, and count no attempt")
	cmd.MarkFlagsMutuallyExclusive("permanent", "retry-after")
	cmd.MarkFlagsMutuallyExclusive("permanent", "throttled")
	return cmd
}

func leaseFail(ctx context.Context, t *terminal, f *leaseFailFlags, lease string) error {
	if f.failure.RetryAfter < 0 || f.failure.RetryAfter > 365*24*time.Hour {
		return misuse("--retry-after must be from 0 to a year")
	}
	f.failure.Err = errors.New(f.message)
	h, err := f.http()
	if err != nil {
		return err
	}
	if err = h.FailLease(ctx, lease, &f.failure); err != nil {
		return err
	}
	if f.json {
		return printJSON(t.out, struct{}{})
	}
	_, err = fmt.Fprintln(t.out, "failed")
	return err
}
