package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func newEvents(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "Look at single events",
		Example: "  baton events show $id",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with an event: %s show EVENT_ID", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newEventsShow(t))
	return cmd
}

func newEventsShow(t *terminal) *cobra.Command {
	var f target
	cmd := &cobra.Command{
		Use:   "show EVENT_ID",
		Short: "Show an event, where it stands, and every attempt",
		Long: `Show prints one event: what it carries, where it stands in each group, and each
attempt at it. --json prints the answer of GET /v1/events/{event_id} as it is.`,
		Example: `  id=$(baton publish --channel questions why --json | jq -r .event_id)
  baton events show $id`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return eventsShow(cmd.Context(), t, &f, args[0]) },
	}
	addTarget(cmd, &f)
	return cmd
}

func eventsShow(ctx context.Context, t *terminal, f *target, id string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	e, err := h.Event(ctx, id)
	if err != nil {
		return err
	}
	if f.json {
		return printRaw(t.out, e.Raw)
	}
	_, _ = fmt.Fprintf(t.out, "event %s in %s is %s\n", e.EventID, clean(e.Channel), e.State)
	_, _ = fmt.Fprintf(t.out, "correlation %s, key %s, client %s, offset %d, published %s\n",
		clean(e.CorrelationID), clean(e.Key), clean(e.ClientID), e.Offset, at(e.Time))
	if e.Priority != 0 {
		_, _ = fmt.Fprintf(t.out, "priority %d\n", e.Priority)
	}
	if e.EndsAt != 0 {
		_, _ = fmt.Fprintf(t.out, "time to live until %s\n", at(e.EndsAt))
	}
	for i := range e.Groups {
		g := &e.Groups[i]
		_, _ = fmt.Fprintf(t.out, "group %s: %s, attempt %d, failures %d, lost leases %d %s\n", clean(g.Group), g.State, g.Attempt, g.Failures, g.Losses, clean(g.Reason))
	}
	printAttempts(t.out, e.Attempts)
	printData(t.out, &e.EventInfo)
	return nil
}
