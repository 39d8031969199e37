package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newDeadlettersLs(t *terminal) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List dead letters",
		Long: `Ls prints the events that failed for good and wait to be redriven or discarded,
those that were published first at the top. --json prints each as one line, with
its attempts.`,
		Example: `  baton deadletters ls --channel questions
  baton deadletters ls --reason exit_100 --json | jq -r .event_id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return deadlettersLs(cmd.Context(), t, &f) },
	}
	addTarget(cmd, &f.target)
	addFilter(cmd, &f)
	addGroup(cmd, &f)
	return cmd
}

func deadlettersLs(ctx context.Context, t *terminal, f *letterFlags) error {
	if err := f.checkLimit(); err != nil {
		return err
	}
	h, err := f.http()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	if !f.json {
		_, _ = fmt.Fprintln(table, "EVENT\tCHANNEL\tGROUP\tREASON\tCODE\tATTEMPTS\tDIED")
	}
	want, left := f.meant, f.meant.Limit
	for more := true; more; {
		want.Limit = left
		page, err := h.DeadLetters(ctx, want)
		if err != nil {
			return err
		}
		for i := range page.DeadLetters {
			d := &page.DeadLetters[i]
			if f.json {
				if err := printJSON(t.out, d); err != nil {
					return err
				}
				continue
			}
			_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", d.EventID, clean(d.Channel), clean(d.Group), d.Reason,
				clean(d.Code), len(d.Attempts), time.UnixMilli(d.DeadAt).UTC().Format(time.RFC3339))
		}
		left -= len(page.DeadLetters)
		want.Cursor, more = page.Cursor, page.Cursor != "" && (f.meant.Limit == 0 || left > 0)
	}
	return table.Flush()
}
