package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newDeadlettersDiscard(t *terminal) *cobra.Command {
	var f letterFlags
	cmd := &cobra.Command{
		Use:   "discard EVENT_ID | --channel C [flags]",
		Short: "Give dead letters up for good",
		Long: `Discard ends an event that failed for good: it is no dead letter any more, and
nobody will work on it. It stays in its lineage, marked as discarded. Without an
EVENT_ID all dead letters of a channel are discarded. --note says why.`,
		Example: `  baton deadletters discard $id --note "published twice"
  baton deadletters discard --channel questions --reason exit_100`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			one, err := f.one(cmd, args)
			switch {
			case err != nil:
				return err
			case one:
				return discardOne(cmd.Context(), t, &f, args[0])
			case f.meant.Channel == "":
				return misuse("name the --channel whose dead letters are to be discarded")
			default:
				return discardAll(cmd.Context(), t, &f)
			}
		},
	}
	addTarget(cmd, &f.target)
	addFilter(cmd, &f)
	addGroup(cmd, &f)
	addSweep(cmd, &f)
	cmd.Flags().StringVar(&f.meant.Note, "note", "", "why, for those who look at the events later")
	return cmd
}

func discardOne(ctx context.Context, t *terminal, f *letterFlags, id string) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	if err = h.Discard(ctx, id, f.meant.Group, f.meant.Note); err != nil {
		return err
	}
	return sayEnded(t, f, &client.Swept{Discarded: 1}, "discarded", id)
}

func discardAll(ctx context.Context, t *terminal, f *letterFlags) error {
	h, err := f.http()
	if err != nil {
		return err
	}
	swept, err := sweep(ctx, f, h.DiscardAll)
	if err != nil {
		return err
	}
	return saySwept(t, f, swept, "discarded", swept.Discarded)
}
