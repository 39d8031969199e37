package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/batonmq/baton/client"
)

func newDeadletters(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "deadletters",
		Aliases: []string{"dlq"},
		Short:   "Look at events that failed for good, and redrive or discard them",
		Example: `  baton deadletters ls --channel questions
  baton deadletters show $id
  baton deadletters redrive $id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return misuse("say what to do with dead letters: %s ls, show, redrive or discard", cmd.CommandPath())
		},
	}
	cmd.AddCommand(newDeadlettersLs(t), newDeadlettersShow(t), newDeadlettersRedrive(t), newDeadlettersDiscard(t))
	return cmd
}

// letterFlags are the flags that say which dead letters are meant.
type letterFlags struct {
	target

	meant client.Letters
	all   bool
}

// addFilter adds the flags of a filter.
func addFilter(cmd *cobra.Command, f *letterFlags) {
	flags := cmd.Flags()
	flags.StringVar(&f.meant.Channel, "channel", "", "only those of this channel")
	flags.StringVar(&f.meant.Reason, "reason", "", "only those that ended so: permanent, retries_exhausted, leases_lost, or an error code of a worker")
	flags.IntVar(&f.meant.Limit, "limit", 0, "how many at most (default all)")
}

// addSweep adds the flags for what is done to many.
func addSweep(cmd *cobra.Command, f *letterFlags) {
	flags := cmd.Flags()
	flags.IntVar(&f.meant.Rate, "rate", 0, "how many in a second (default as fast as it goes)")
	flags.BoolVar(&f.meant.DryRun, "dry-run", false, "change nothing, and say what would be done")
}

func addGroup(cmd *cobra.Command, f *letterFlags) {
	cmd.Flags().StringVar(&f.meant.Group, "group", "", "only in this group")
}

// one tells whether a verb is about one event, and refuses what is neither that
// nor a filter.
func (f *letterFlags) one(cmd *cobra.Command, args []string) (bool, error) {
	if err := f.checkLimit(); err != nil {
		return false, err
	}
	if f.meant.Rate < 0 {
		return false, misuse("--rate is %d: give how many in a second, or 0 for as fast as it goes", f.meant.Rate)
	}
	filtered := f.all || f.meant.Channel != "" || f.meant.Reason != "" || f.meant.Limit != 0
	switch {
	case len(args) == 1 && filtered:
		return false, misuse("name an event or a filter, not both")
	case len(args) == 1 && (f.meant.Rate != 0 || f.meant.DryRun):
		return false, misuse("--rate and --dry-run are for a filter, not for one event")
	case len(args) == 0 && !filtered:
		return false, misuse("%s which? Name an EVENT_ID, or --channel, --reason or --limit", cmd.Name())
	}
	return len(args) == 1, nil
}

func (f *letterFlags) checkLimit() error {
	if f.meant.Limit < 0 {
		return misuse("--limit is %d: give how many at most, or 0 for all", f.meant.Limit)
	}
	return nil
}

// saySwept prints what became of the dead letters of a filter.
func saySwept(t *terminal, f *letterFlags, swept *client.Swept, what string, count int) error {
	if f.json {
		return printJSON(t.out, swept)
	}
	if swept.DryRun {
		what = "would be " + what
	}
	of := strconv.Itoa(count)
	if swept.Refused > 0 {
		of += fmt.Sprintf("; %d cannot be: their ttl is over, their lineage is being canceled, or their run does not wait for them", swept.Refused)
	}
	_, _ = fmt.Fprintln(t.out, what, of)
	for _, id := range swept.EventIDs {
		_, _ = fmt.Fprintf(t.out, "  %s\n", id)
	}
	for i := range swept.Skipped {
		s := &swept.Skipped[i]
		_, _ = fmt.Fprintf(t.out, "  not %s in %s: %s\n", s.EventID, clean(s.Group), clean(s.Why))
	}
	return nil
}

// sayEnded prints what became of one dead letter.
func sayEnded(t *terminal, f *letterFlags, swept *client.Swept, what string, of any) error {
	if f.json {
		return printJSON(t.out, swept)
	}
	_, err := fmt.Fprintln(t.out, what, of)
	return err
}
