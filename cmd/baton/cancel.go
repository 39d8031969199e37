package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

type cancelFlags struct {
	target

	event   bool
	reason  string
	timeout time.Duration
}

func newCancel(t *terminal) *cobra.Command {
	var f cancelFlags
	cmd := &cobra.Command{
		Use:   "cancel CORRELATION_ID | --event EVENT_ID",
		Short: "Stop an event and all it led to",
		Long: `Cancel stops every event of a correlation id, wherever it is: what waits is never
worked on, workers that have one of them are told to stop, and what they still
emit is canceled too. With --event it stops that one event, and nothing else.

With --client-id it cancels only what that client published.`,
		Example: `  baton cancel $id --reason "asked twice"
  baton cancel --event $id`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return cancelIt(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f.target)
	addClientID(cmd, &f.target, "cancel only what this client published")
	cmd.Flags().BoolVar(&f.event, "event", false, "stop the one event of this id")
	cmd.Flags().StringVar(&f.reason, "reason", "", "why, for workers and the lineage")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Second, "how long to try")
	return cmd
}

func cancelIt(ctx context.Context, t *terminal, f *cancelFlags, id string) error {
	c, err := f.dial(ctx, f.options())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	what, stop := "lineage", c.CancelLineage
	if f.event {
		what, stop = "event", c.CancelEvent
	}
	if err = stop(ctx, id, f.reason); err != nil {
		return err
	}
	if f.json {
		return printJSON(t.out, map[string]string{"canceled": id, "what": what})
	}
	_, err = fmt.Fprintf(t.out, "canceled %s %s\n", what, clean(id))
	return err
}
