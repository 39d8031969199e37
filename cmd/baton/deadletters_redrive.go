package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newDeadlettersRedrive(t *terminal) *cobra.Command {
	var f letterFlags
	var data, contentType string
	cmd := &cobra.Command{
		Use:   "redrive EVENT_ID | --channel C [flags]",
		Short: "Put dead letters back in line",
		Long: `Redrive gives an event that failed for good to a worker again: its attempts
count on, its failures begin anew, its lineage stays. --data sends other data
with it; the event itself stays as it was published. Without an EVENT_ID all
dead letters of the filter are redriven, --all with no filter. --dry-run says how
many that would be, --rate spares what a storm of them would bring down again.`,
		Example: `  baton deadletters redrive $id
  baton deadletters redrive $id --data '{"text":"why is the sky blue?"}'
  baton deadletters redrive --channel questions --reason exit_1 --dry-run
  baton deadletters redrive --channel questions --reason exit_1 --rate 50`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			one, err := f.one(cmd, args)
			if err != nil {
				return err
			}
			edit := client.Edit{Group: f.meant.Group, Edited: cmd.Flags().Changed("data"), ContentType: contentType}
			switch {
			case edit.Edited && !one:
				return misuse("--data is for one event: name its EVENT_ID")
			case contentType != "" && !edit.Edited:
				return misuse("--content-type may only stand beside --data")
			case !one:
				return redriveAll(cmd.Context(), t, &f)
			case edit.Edited:
				if edit.Data, err = argument(t.in, []string{data}); err != nil {
					return err
				}
			}
			return redriveOne(cmd.Context(), t, &f, args[0], edit)
		},
	}
	addTarget(cmd, &f.target)
	addFilter(cmd, &f)
	addGroup(cmd, &f)
	addSweep(cmd, &f)
	cmd.Flags().BoolVar(&f.all, "all", false, "all dead letters of the tenant")
	cmd.Flags().StringVar(&data, "data", "", "other data, as for publish; - reads standard input")
	cmd.Flags().StringVar(&contentType, "content-type", "", "content type of the other data")
	return cmd
}

func redriveOne(ctx context.Context, t *terminal, f *letterFlags, id string, edit client.Edit) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	if err = h.Redrive(ctx, id, edit); err != nil {
		return err
	}
	return sayEnded(t, f, &client.Swept{Redriven: 1}, "redriven", id)
}

func redriveAll(ctx context.Context, t *terminal, f *letterFlags) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	swept, err := sweep(ctx, f, h.RedriveAll)
	if err != nil {
		return err
	}
	return saySwept(t, f, swept, "redriven", swept.Redriven)
}

// sweep asks until the filter is through or its limit is reached.
func sweep(ctx context.Context, f *letterFlags, do func(context.Context, client.Letters) (*client.Swept, error)) (*client.Swept, error) {
	total := &client.Swept{}
	meant, left := f.meant, f.meant.Limit
	for more := true; more; {
		meant.Limit = left
		swept, err := do(ctx, meant)
		if err != nil && total.Redriven+total.Discarded > 0 && !f.meant.DryRun {
			return nil, fmt.Errorf("after %d dead letters: %w", total.Redriven+total.Discarded, err)
		}
		if err != nil {
			return nil, err
		}
		total.Redriven += swept.Redriven
		total.Discarded += swept.Discarded
		total.Refused += swept.Refused
		total.Skipped = append(total.Skipped, swept.Skipped...)
		total.EventIDs = append(total.EventIDs, swept.EventIDs...)
		total.Cursor, total.DryRun = swept.Cursor, swept.DryRun
		left -= swept.Redriven + swept.Discarded
		meant.Cursor, more = swept.Cursor, swept.Cursor != "" && (f.meant.Limit == 0 || left > 0)
	}
	return total, nil
}
